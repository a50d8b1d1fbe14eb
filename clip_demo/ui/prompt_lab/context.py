"""How every part of the lab is drawn, remembers what was clicked, and opens an image in the main tab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.base import Dataset
from ...errors import ClipDemoError
from ..event_options import INSTANT, QUIET, now
from ..explore.layout import Fields, Places
from .request import arguments

__all__ = ["Explore", "INSTANT", "QUEUED", "QUIET", "Wiring", "now"]

# A queue of its own, so that a visitor of the lab does not keep the main tab's visitors waiting.
QUEUED = {**QUIET, "concurrency_id": "lab", "concurrency_limit": 4}


@dataclass(frozen=True)
class Explore:
    """What the lab needs of the main tab.

    Attributes
    ----------
    tabs, tab : gr.Tabs, gr.Tab
        All tabs of the page, and the main one, whose id is ``"explore"``.
    fields, places : Fields, Places
    request : gr.Textbox
        The hidden field whose change draws the main tab anew.
    """

    tabs: gr.Tabs
    tab: gr.Tab
    fields: Fields
    places: Places
    request: gr.Textbox


@dataclass(frozen=True)
class Wiring:
    """What every part is connected with.

    Attributes
    ----------
    backend : Backend
    asked : list of component
        What `clip_demo.ui.lab.asking.arguments` takes.
    explore : Explore
    """

    backend: Backend
    asked: list
    explore: Explore

    def draw(self, triggers: list, make: Callable[..., list], inputs: list, outputs: list) -> None:
        """Fill `outputs` with ``make(examination, arguments, *inputs)`` whenever one of `triggers` comes."""

        def handler(*values) -> list[Any]:
            asked, rest = values[: len(self.asked)], values[len(self.asked) :]
            try:
                given = arguments(self.backend, *asked)
                return make(self.backend.examine(**given), given, *rest)
            except ClipDemoError:
                return [gr.skip()] * len(outputs)  # what is wrong stands beside the fields

        gr.on(triggers, handler, inputs=[*self.asked, *inputs], outputs=outputs, trigger_mode="always_last", **QUEUED)

    def dataset(self, given: dict[str, Any]) -> Dataset:
        """Return the dataset that is asked about."""
        return self.backend.datasets[given["dataset"]]

    def remember(self, trigger: Callable, change: Callable[[Any, str], Any], state: gr.State, ask: gr.Textbox) -> None:
        """Change what a part remembers by the value of a click, and draw it."""

        def handler(before: Any, event: gr.EventData) -> list[Any]:
            return [change(before, event.value), now()]

        trigger(handler, inputs=state, outputs=[state, ask], **INSTANT)

    def images(self, place: gr.HTML, state: gr.State, ask: gr.Textbox) -> None:
        """Let a gallery show more, and open an image in the main tab."""
        self.remember(place.more, lambda before, value: {**before, "pages": int(value)}, state, ask)
        explore = self.explore

        def open_image(event: gr.EventData) -> list[Any]:
            index = int(event.value)
            return [index, index, "set", gr.Tabs(selected="explore"), now()]

        place.open(
            open_image,
            outputs=[explore.fields.index, explore.places.slider, explore.fields.source, explore.tabs, explore.request],
            **INSTANT,
        )
