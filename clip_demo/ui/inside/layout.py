"""The components of the tab: the walk in steps, and below it the panels on one theme each."""

from dataclasses import dataclass

import gradio as gr

from . import panels


@dataclass(frozen=True)
class Inside:
    """The components of the tab.

    Attributes
    ----------
    request : gr.Textbox
        See `clip_demo.ui.inside.context.InsideContext`.
    follow : gr.Textbox
        Hidden: the class that the walk follows; empty for the first one.
    sharpness : gr.Textbox
        Hidden: a new value for Explore's sharpness.
    message : gr.HTML
        An error, above the steps.
    walk : gr.HTML
    panels : panels.Panels
    """

    request: gr.Textbox
    follow: gr.Textbox
    sharpness: gr.Textbox
    message: gr.HTML
    walk: gr.HTML
    panels: panels.Panels


def lay_out() -> Inside:
    """Make the tab's components inside the current gradio context; they are filled when the tab is opened."""
    with gr.Column(elem_id="how"):
        hidden = (gr.Textbox(visible="hidden", elem_id=f"inside-{name}") for name in ("request", "follow", "sharpness"))
        request, follow, sharpness = hidden
        message = gr.HTML(apply_default_css=False, elem_id="inside-message")
        walk = gr.HTML(apply_default_css=False, elem_id="inside-walk")
        below = panels.lay_out()
    return Inside(request, follow, sharpness, message, walk, below)
