"""The events of the tab. It is drawn when it is opened and, while it is open, when Explore has drawn new results."""

import gradio as gr

from ...backend import Backend
from ...progress import Progress
from ..event_options import QUIET
from ..explore.layout import Fields
from .context import InsideContext, Selection, take_place
from .layout import Inside


def connect(tab: gr.Tab, backend: Backend, fields: Fields, inside: Inside) -> None:
    """Connect the tab with the fields of the Explore tab and with the backend."""
    context = InsideContext(backend, fields, inside.request)
    tab.select(None, outputs=inside.request, js="() => clipExplorer.now()", **QUIET)
    _connect_walk(context, inside)
    # The panels: one call each.


def _connect_walk(context: InsideContext, inside: Inside) -> None:
    def make(selection: Selection, progress: Progress) -> list[str]:
        take_place(context.backend, selection, progress)
        walk = context.backend.inside.walk(logit_scale=selection.logit_scale, **selection.arguments)
        return [f"<p>{selection.note}{walk.cosine.value:.4f}</p>"]

    context.draw(make, [inside.walk], inside.message)
