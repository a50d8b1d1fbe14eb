"""The components of the few-shot tab."""

from dataclasses import dataclass

import gradio as gr

from ..html import listening

_INTRODUCTION = (
    "<h2>How many labelled images is a prompt worth?</h2>"
    "<p>A linear probe is a simple classifier on CLIP’s image features that learns from labelled images. Here it "
    "learns from 1, 2, 4, … images of each class, and is compared with zero-shot prediction, which needs none.</p>"
)


@dataclass(frozen=True)
class FewShotOutputs:
    """The components that results are written to."""

    text: gr.HTML
    job: gr.HTML
    plot: gr.Plot
    numbers: gr.HTML


def lay_out() -> FewShotOutputs:
    """Make the tab's components inside the current gradio context; they are filled when the tab is opened."""
    with gr.Column(elem_id="few-shot"):
        gr.HTML(_INTRODUCTION, apply_default_css=False, elem_id="few-shot-introduction")
        text = gr.HTML(apply_default_css=False, elem_id="few-shot-text")
        job = gr.HTML(apply_default_css=False, js_on_load=listening("button[data-job]"), elem_id="few-shot-job")
        plot = gr.Plot(show_label=False, container=False, visible=False, elem_id="few-shot-plot")
        numbers = gr.HTML(apply_default_css=False, elem_id="few-shot-numbers")
    return FewShotOutputs(text, job, plot, numbers)
