"""The components of the tab. The browser keeps the query, and draws the images from what the events answer."""

from dataclasses import dataclass

import gradio as gr

from ...zero_shot.prompts import MAX_LENGTH
from ..html import listening


@dataclass(frozen=True)
class SearchTab:
    """The components of the tab.

    Attributes
    ----------
    desk : gr.HTML
        The fields of the query. Its event ``ask`` carries the query, and ``open`` an image for the Explore tab; see
        search.js.
    answer : gr.Textbox
        Hidden: what the browser draws the images from.
    message : gr.HTML
        What stands in place of images: an error, progress, or that the model is not loaded.
    """

    desk: gr.HTML
    answer: gr.Textbox
    message: gr.HTML


def lay_out() -> SearchTab:
    """Make the components inside the current gradio context."""
    with gr.Column(elem_id="search"):
        desk = gr.HTML(_DESK, apply_default_css=False, js_on_load=_LISTEN, elem_id="search-desk")
        press = listening("button[data-job]")
        message = gr.HTML(apply_default_css=False, js_on_load=press, elem_id="search-message")
        gr.HTML(_IMAGES, apply_default_css=False)
    answer = gr.Textbox(visible="hidden", elem_id="search-answer")
    return SearchTab(desk, answer, message)


_LISTEN = "clipSearch.open(trigger, ['ask', 'open']);"  # Gradio looks for the names of events here

_DESK = f"""<h2>Find images by a sentence</h2>
<p class="quiet">Nobody described these images. The model compares the sentence itself with each of them.</p>
<form role="search" id="search-form">
<label for="search-text">What should the image show?</label>
<div class="line">
<input type="search" id="search-text" maxlength="{MAX_LENGTH}" autocomplete="off" enterkeyhint="search">
<button type="submit" class="main">Search</button>
<button type="button" data-search="choose">Search by a photo</button>
<input type="file" id="search-file" accept="image/*" hidden></div>
<div id="search-image" hidden><img alt=""><span></span>
<button type="button" data-search="without">Search without the image</button>
<span class="quiet">Add a sentence to search for both together.</span></div>
</form>"""

_IMAGES = """<div id="search-about" tabindex="-1"></div>
<p id="search-says" role="status"></p>
<ul id="search-images" aria-label="Images, the nearest first"></ul>
<button type="button" id="search-more" data-search="more" hidden></button>"""
