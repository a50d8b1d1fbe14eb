"""The components of the search tab."""

from dataclasses import dataclass

import gradio as gr

_INTRODUCTION = (
    "<h2>Find images with a sentence</h2><p>Nobody described these images. CLIP turns your sentence and each image "
    "into a vector: the nearest images come first.</p>"
)


@dataclass(frozen=True)
class SearchParts:
    """The components of the tab."""

    sentence: gr.Textbox
    find: gr.Button
    with_image: gr.Checkbox
    message: gr.HTML
    results: gr.HTML


def lay_out() -> SearchParts:
    """Make the tab's components inside the current gradio context; the results are filled when the tab is opened."""
    with gr.Column(elem_id="search"):
        gr.HTML(_INTRODUCTION, apply_default_css=False, elem_id="search-introduction")
        with gr.Row(elem_id="search-query", equal_height=True):
            sentence = gr.Textbox(
                label="Sentence", show_label=False, container=False, lines=1, max_lines=1, scale=5, min_width=200,
                placeholder="What do you look for?", elem_id="search-sentence",
            )  # fmt: skip
            find = gr.Button("Search", variant="primary", size="md", scale=0, min_width=110, elem_id="search-find")
        with_image = gr.Checkbox(
            False, label="Also similar to the image on the Explore tab", container=False, elem_id="search-with-image"
        )
        message = gr.HTML(apply_default_css=False, elem_id="search-message")
        results = gr.HTML(
            apply_default_css=False,
            js_on_load="clipLab.listen(element, trigger, ['open', 'more', 'like', 'example']);"
            "clipSearch.scroll(element);",
            elem_id="search-results",
        )
    return SearchParts(sentence, find, with_image, message, results)
