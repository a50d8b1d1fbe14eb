"""The events of the tab. It is drawn when it is opened and, while it is open, when Explore has drawn new results."""

from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.example_photos import example_photos
from ...progress import Progress
from ..event_options import QUIET, now
from ..explore.layout import Fields
from ..permalink import EXAMPLE, OWN
from . import panels
from .context import InsideContext, Selection, take_place
from .layout import Inside
from .walk_view import Shown, walk_html


def connect(tab: gr.Tab, backend: Backend, fields: Fields, inside: Inside) -> None:
    """Connect the tab with the fields of the Explore tab and with the backend."""
    context = InsideContext(backend, fields, inside.request)
    tab.select(None, outputs=inside.request, js="() => clipExplorer.now()", **QUIET)
    _connect_walk(context, inside)
    panels.connect(context, inside.panels)


def _connect_walk(context: InsideContext, inside: Inside) -> None:
    def make(selection: Selection, progress: Progress, follow: Any) -> list[str]:
        return [walk_html(shown(context.backend, selection, progress, follow), drawn=now())]

    drawn = context.draw(make, [inside.walk], inside.message, [inside.follow], [inside.follow.change])
    drawn.then(None, js="() => clipInside.drawn()", **QUIET)
    inside.sharpness.change(
        None, inputs=inside.sharpness, outputs=context.fields.sharpness, js="(value) => Number(value)", **QUIET
    )


def shown(backend: Backend, selection: Selection, progress: Progress, follow: Any) -> Shown:
    """Return the walk for what is on, along the class `follow` if it is on the list, else along the first one.

    Raises
    ------
    ClipDemoError
    """
    none = take_place(backend, selection, progress).none_of_these
    classname = follow if follow in list(selection.prompts.classnames) else None
    scale, view = selection.logit_scale, selection.view
    walk = backend.inside.walk(classname=classname, logit_scale=scale, **selection.arguments)
    if view.source == EXAMPLE:
        subject, truth = "Example photo", example_photos()[view.example].label
    elif view.source == OWN:
        subject, truth = "Your photo", None
    else:
        subject, truth = f"Test image {int(view.index):,} of {selection.dataset.title}", walk.truth
    return Shown(
        walk=walk,
        dataset=selection.dataset,
        model=selection.model,
        sharpness=view.sharpness,
        truth=truth,
        subject=subject,
        may_change=view.source != OWN,
        note=selection.note,
        none_of_these=none,
    )
