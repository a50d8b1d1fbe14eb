"""The components of the tab. Cards and thumbnails are drawn in the browser, from what the events answer."""

from dataclasses import dataclass
from html import escape

import gradio as gr

from ...datasets.example_photos import example_photos
from ..html import thumbnail
from .text import INTRODUCTION, NOTHING_YET, PRIVACY


@dataclass(frozen=True)
class OwnClassesTab:
    """The components of the tab.

    Attributes
    ----------
    desk : gr.HTML
        The class cards and the test photo. Its events ``command``, ``predict`` and ``measure`` carry what the visitor
        does; see own_classes.js.
    answer : gr.Textbox
        Hidden: what the browser draws the cards from.
    bars : gr.HTML
        What the classifiers say of the test photo.
    accuracy : gr.HTML
        How good they are on photos that they did not learn from, above and below its figure.
    plot : gr.Plot
    numbers : gr.HTML
    """

    desk: gr.HTML
    answer: gr.Textbox
    bars: gr.HTML
    accuracy: gr.HTML
    plot: gr.Plot
    numbers: gr.HTML


def lay_out() -> OwnClassesTab:
    """Make the components inside the current gradio context."""
    with gr.Column(elem_id="teach"):
        gr.HTML(INTRODUCTION, apply_default_css=False)
        with gr.Row(elem_id="teach-columns", equal_height=False):
            with gr.Column(scale=5, min_width=300, elem_id="teach-side"):
                desk = gr.HTML(_DESK, apply_default_css=False, js_on_load=_LISTEN, elem_id="teach-desk")
            with gr.Column(scale=6, min_width=300, elem_id="teach-answers"):
                gr.HTML(_test(), apply_default_css=False, elem_id="teach-test")
                bars = gr.HTML(NOTHING_YET, apply_default_css=False, elem_id="teach-bars")
        accuracy = gr.HTML(apply_default_css=False, elem_id="teach-accuracy")
        plot = gr.Plot(show_label=False, container=False, visible=False, elem_id="teach-plot")
        numbers = gr.HTML(apply_default_css=False, elem_id="teach-numbers")
    answer = gr.Textbox(visible="hidden", elem_id="teach-answer")
    return OwnClassesTab(desk, answer, bars, accuracy, plot, numbers)


_LISTEN = "clipTeach.open(trigger, ['command', 'predict', 'measure']);"  # Gradio looks for the names of events here

_DESK = f"""<div class="teach-desk">
<p class="privacy" id="teach-privacy">{PRIVACY}</p>
<p class="message" id="teach-message" role="alert" hidden></p>
<p class="unseen" id="teach-says" role="status"></p>
<div id="teach-cards"></div>
<div class="teach-buttons teach-all" role="group" aria-label="All classes">
<button type="button" data-do="add-class">Add a class</button>
<button type="button" data-do="undo" disabled>Undo</button>
<button type="button" data-do="forget" disabled>Start anew</button>
<button type="button" data-do="stop-webcam" hidden>Stop the webcam</button>
</div>
<details class="teach-files"><summary>Save, or open what you saved</summary>
<p>One zip file with your classes and classifiers, and a Python program that uses them. It opens again here, on any
machine that has the model.</p>
<label><input type="checkbox" id="teach-thumbnails" checked> with the small copies of your photos</label>
<div class="teach-buttons"><button type="button" data-do="save" disabled>Save (zip)</button>
<button type="button" data-do="choose-zip">Open a zip</button>
<input type="file" id="teach-zip" accept=".zip,application/zip" hidden></div>
</details></div>"""


def _test() -> str:
    examples = "".join(
        f'<button type="button" data-do="example" data-name="{escape(photo.name)}" title="{escape(photo.label)}" '
        f'aria-label="Test the example: {escape(photo.label)}"><img src="{thumbnail(photo.path, 96)}" alt=""></button>'
        for photo in example_photos().values()
    )
    return f"""<section class="teach-test" aria-labelledby="teach-test-name">
<div class="shown"><img id="teach-shown" alt="" hidden><video id="teach-video" muted playsinline hidden></video></div>
<div class="choice"><h3 id="teach-test-name">Test photo</h3><p id="teach-what">Until you choose one,
it is the photo that you added last.</p>
<div class="teach-buttons"><button type="button" data-do="choose-test">Choose a photo</button>
<input type="file" id="teach-test-file" accept="image/*" hidden>
<button type="button" data-do="webcam" aria-describedby="teach-privacy">Use the webcam</button>
<button type="button" data-do="stop-webcam" hidden>Stop the webcam</button></div>
<div class="thumbnails">{examples}</div></div></section>"""
