"""What all sections of the lab share: how they are redrawn, keep their state and open an image in the Explore tab."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ..event_options import INSTANT, QUIET, event_value, now
from ..explore.layout import Fields
from ..permalink import TEST_IMAGE
from ..presence import visitor_request
from .gallery import MAX_PAGES
from .request import Request, parse_request

# A queue of its own, so that visitors of the lab do not delay visitors of the Explore tab.
QUEUED = {**QUIET, "concurrency_id": "lab", "concurrency_limit": 4}


@dataclass(frozen=True)
class ExploreTab:
    """What other tabs use of the Explore tab.

    Attributes
    ----------
    tabs, tab : gr.Tabs, gr.Tab
        All tabs of the page; the Explore tab, whose id is ``"explore"``.
    fields : Fields
    request : gr.Textbox
        The hidden field whose change redraws the Explore tab.
    """

    tabs: gr.Tabs
    tab: gr.Tab
    fields: Fields
    request: gr.Textbox

    def open_images(self, trigger: Callable) -> None:
        """Let an event, whose value is the index of a test image, open that image here."""

        def open_image(event: gr.EventData) -> list[Any]:
            index = str(event_value(event, "value"))
            if not re.fullmatch(r"[0-9]{1,9}", index):  # a client may send anything
                return [gr.skip()] * 4
            return [int(index), TEST_IMAGE, gr.Tabs(selected="explore"), now()]

        trigger(open_image, outputs=[self.fields.index, self.fields.source, self.tabs, self.request], **INSTANT)


@dataclass(frozen=True)
class LabContext:
    """What connects a section with the rest of the page.

    Attributes
    ----------
    backend : Backend
    inputs : list of component
        The components that `parse_request` reads.
    explore : ExploreTab
    """

    backend: Backend
    inputs: list
    explore: ExploreTab

    def parse(self, *values: Any) -> Request:
        """Return the request for the values of `inputs`."""
        return parse_request(self.backend, *values)

    def is_ready(self, request: Request) -> bool:
        """Whether the model of a request is loaded."""
        return self.backend.model_status(request.model).state == "ready"

    def draw(self, triggers: list, make: Callable[..., list], inputs: list, outputs: list) -> None:
        """Fill `outputs` with ``make(report, request, *inputs)`` on each of `triggers`.

        Nothing is drawn while the model is not ready or the prompt set cannot be evaluated: the headline says why.
        """

        def handler(*values) -> list[Any]:
            n = len(self.inputs)
            try:
                request = self.parse(*values[:n])
                if self.is_ready(request):
                    with visitor_request(self.backend) as progress:
                        report = request.evaluate(self.backend, progress)
                    return make(report, request, *values[n:])
            except ClipDemoError:
                pass
            return [gr.skip()] * len(outputs)

        inputs = [*self.inputs, *inputs]
        # Without preprocessing: it refuses a choice that a section has added, once Gradio has dropped the session.
        options = {"preprocess": False, "trigger_mode": "always_last", **QUEUED}
        gr.on(triggers, handler, inputs=inputs, outputs=outputs, **options)

    def update_state(
        self, trigger: Callable, update: Callable[[Any, str], Any], state: gr.State, redraw: gr.Textbox
    ) -> None:
        """Replace a section's state by ``update(state, value of the click)``, and redraw the section."""

        def handler(before: Any, event: gr.EventData) -> list[Any]:
            try:
                return [update(before, event_value(event, "value")), now()]
            except (KeyError, TypeError, ValueError, OverflowError):  # a client may send anything
                return [before, now()]

        trigger(handler, inputs=state, outputs=[state, redraw], **INSTANT)

    def connect_gallery(self, gallery: gr.HTML, state: gr.State, redraw: gr.Textbox) -> None:
        """Let a gallery show more images, and open one in the Explore tab."""
        self.update_state(gallery.more, _with_pages, state, redraw)
        self.explore.open_images(gallery.open)


def _with_pages(before: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the state of a gallery with another number of pages; a client may send anything."""
    try:
        return {**before, "pages": max(1, min(int(value), MAX_PAGES))}
    except (TypeError, ValueError, OverflowError):
        return before
