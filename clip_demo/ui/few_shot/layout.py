"""The tab of the few-shot curve: how many labelled images of each class a prompt is worth."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ..html import listening

__all__ = ["FewShotOutputs", "lay_out"]

_QUESTION = (
    "<h2>How many labelled images is a prompt worth?</h2>"
    "<p>A linear probe learns from labelled images; here it is fitted on 1, 2, 4, … of each class, and held against "
    "zero-shot prediction, which has seen none.</p>"
)


@dataclass(frozen=True)
class FewShotOutputs:
    """What the tab's answers are written to."""

    words: gr.HTML
    job: gr.HTML
    plot: gr.Plot
    numbers: gr.HTML


def lay_out() -> FewShotOutputs:
    """Make the tab's components inside the current gradio context; they are filled when somebody opens the tab."""
    with gr.Column(elem_id="few-shot"):
        gr.HTML(_QUESTION, apply_default_css=False, elem_id="few-shot-question")
        words = gr.HTML(apply_default_css=False, elem_id="few-shot-words")
        job = gr.HTML(apply_default_css=False, js_on_load=listening("button[data-job]"), elem_id="few-shot-job")
        plot = gr.Plot(show_label=False, container=False, visible=False, elem_id="few-shot-plot")
        numbers = gr.HTML(apply_default_css=False, elem_id="few-shot-numbers")
    return FewShotOutputs(words, job, plot, numbers)
