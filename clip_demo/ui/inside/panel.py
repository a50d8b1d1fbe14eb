"""What the panels share: each is closed at first, is drawn only while it is open, and shows the progress of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ...errors import ClipDemoError
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import QUIET
from ..explore.view import alert
from .context import InsideContext


@dataclass(frozen=True)
class Panel:
    """The frame of a panel.

    Attributes
    ----------
    name : str
        In the address of the page and in the ids of its elements.
    frame : gr.Accordion
    request : gr.Textbox
        A hidden field, which gets a new value when the panel is opened and, while it is open, when what is on changes.
    message : gr.HTML
        An error, or the progress of long work.
    """

    name: str
    frame: gr.Accordion
    request: gr.Textbox
    message: gr.HTML

    @classmethod
    def open(cls, name: str, label: str, introduction: str) -> Panel:
        """Make the frame; what is made in ``with panel.frame:`` is inside."""
        with gr.Accordion(label, open=False, elem_id=f"step-{name}", elem_classes="inside-panel") as frame:
            request = gr.Textbox(visible="hidden", elem_id=f"{name}-request")
            gr.HTML(introduction, apply_default_css=False, elem_classes="inside-introduction")
            message = gr.HTML(apply_default_css=False, elem_id=f"{name}-message")
        return cls(name, frame, request, message)

    def connect(self, context: InsideContext) -> InsideContext:
        """Return the context whose request is that of this panel."""
        js = f"(value) => clipPanels.isOpen({self.name!r}) ? clipExplorer.now() : value"
        context.request.change(None, inputs=self.request, outputs=self.request, js=js, **QUIET)
        self.frame.expand(None, outputs=self.request, js=f"() => clipPanels.opened({self.name!r})", **QUIET)
        self.frame.collapse(None, js=f"() => clipPanels.closed({self.name!r})", **QUIET)
        return replace(context, request=self.request)


def long_work(
    context: InsideContext, make: Callable[..., Sequence[Any]], n_outputs: int
) -> Callable[..., Iterator[list[Any]]]:
    """Return a handler that yields the message and the outputs: its progress, and at the end what `make` returned.

    Parameters
    ----------
    context : InsideContext
    make : callable
        Called in the background as ``make(selection, progress, *inputs)``; see `InsideContext.draw`. It stops at its
        next progress call when the visitor stops it or leaves.
    n_outputs : int
        How many values it returns.
    """
    n_fields, same = len(context.fields.all()), [gr.skip()] * n_outputs

    def handler(*values: Any) -> Iterator[list[Any]]:
        try:
            selection, inputs = context.select(values[:n_fields]), values[n_fields:]
            with visitor_task(context.backend, lambda progress: make(selection, progress, *inputs), "inside") as task:
                for reached in progress_of(task):
                    yield [progress_bar(reached), *same]
            yield ["", *task.result()]
        except ClipDemoError as error:
            yield [alert(error.page_message, stale=False), *same]
        except Exception:
            yield ["", *same]  # no progress for ever
            raise

    return handler
