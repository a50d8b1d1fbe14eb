"""The events of the tab. The browser sends one query at a time, and asks for more images as the visitor scrolls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ...backend import Backend
from ...datasets.base import Dataset
from ...errors import Cancelled, ClipDemoError
from ...serving.searcher import SearchResult
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import QUIET, event_value, load_if_downloaded, press
from ..explore.view import WAITING, alert, missing_model, waiting
from ..permissions import may_download
from ..prompt_lab.context import ExploreTab
from ..uploads import uploaded_path
from .layout import SearchTab
from .view import MOST, PAGE, about, counted, invitation, note, query_image, tiles

# A queue of its own: a search may have to encode all test images first.
_QUEUED = {**QUIET, "concurrency_id": "search", "concurrency_limit": 8, "trigger_mode": "multiple"}


def connect(tab: gr.Tab, backend: Backend, explore: ExploreTab, parts: SearchTab) -> None:
    """Connect the tab with the backend, and with the dataset and the model of the page."""
    fields = explore.fields

    def ask(event: gr.EventData, dataset: Any, model: Any) -> Iterator[list[Any]]:
        on = backend.datasets[dataset if dataset in list(backend.datasets) else backend.default_dataset]
        query = Query.of(event, on)
        for message, answer in answers(backend, query, on, model if isinstance(model, str) else backend.default_model):
            yield [message, gr.skip() if answer is None else json.dumps({"turn": query.turn, **answer})]

    def pressed(event: gr.EventData, dataset: str, model: str) -> None:
        press(backend, event, dataset, model)

    inputs = [fields.dataset, fields.model]
    # Without preprocessing, which refuses a model that was offered after the page was built.
    asked = parts.desk.ask(ask, inputs=inputs, outputs=[parts.message, parts.answer], preprocess=False, **_QUEUED)
    asked.then(None, inputs=parts.answer, js="(text) => clipSearch.answered(text)", **QUIET)
    asked.failure(None, js="() => clipSearch.failed()", **QUIET)
    explore.open_images(parts.desk.open)
    # Queued: Gradio shows no error message of an event outside the queue.
    parts.message.click(pressed, inputs=inputs, **QUIET).then(None, js="() => clipSearch.ask()", **QUIET)
    for changed in (tab.select, fields.model.change):
        changed(None, inputs=inputs, js="(dataset, model) => clipSearch.opened(dataset, model)", **QUIET)


@dataclass(frozen=True)
class Query:
    """What the browser asks for. A client may send anything: what makes no query is left out.

    Attributes
    ----------
    turn : Any
        Comes back with the answer, so that the browser knows which query it belongs to.
    text : str
    upload : dict or None
        The visitor's own photo, as Gradio sends one.
    index : int or None
        A test image of the dataset that is on; a link may name one that is not there.
    offset : int
        Number of images that are shown already.
    """

    turn: Any
    text: str
    upload: dict[str, str] | None
    index: int | None
    offset: int

    @classmethod
    def of(cls, event: gr.EventData, dataset: Dataset) -> Query:
        """Return what an event carries."""
        text, path, index, offset = (event_value(event, name) for name in ("text", "path", "index", "offset"))
        belongs = event_value(event, "of") == dataset.name and type(index) is int
        return cls(
            turn=event_value(event, "turn"),
            text=text if isinstance(text, str) else "",
            upload={"path": path} if isinstance(path, str) else None,
            index=index if belongs and index >= 0 else None,
            offset=offset if type(offset) is int and 0 <= offset < MOST else 0,
        )


def answers(
    backend: Backend, query: Query, dataset: Dataset, model: str
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield what stands above the images, and what the browser draws, or None while that is computed."""
    status = load_if_downloaded(backend, model)
    empty = {"dataset": dataset.name, "index": query.index, "offset": 0}
    empty |= {"about": "", "tiles": "", "says": "", "more": ""}
    if query.index is not None and query.index >= dataset.sizes["test"]:
        yield alert(f"{dataset.title} has no test image {query.index:,}.", stale=False), empty
        return
    if query.index is not None:
        empty["image"] = query_image(dataset, query.index, backend.thumbnails)
    if status.state == "absent":
        yield missing_model(status, may_download=may_download(backend, model)), empty
        return
    if status.state in WAITING:
        yield waiting(status, "The images"), {**empty, "again": True}
        return
    if not query.text.strip() and query.upload is None and query.index is None:
        yield "", {**empty, "about": invitation(dataset, model)}
        return
    try:
        image = None if query.upload is None else uploaded_path(query.upload)
        search = partial(
            backend.search,
            query.text,
            image=image,
            index=query.index if image is None else None,
            dataset=dataset.name,
            model=model,
            offset=query.offset,
            limit=min(PAGE, MOST - query.offset),
        )
        with visitor_task(backend, lambda progress: search(progress=progress), "search") as task:
            for progress in progress_of(task):
                yield progress_bar(progress), None
        result = task.result()
    except Cancelled:
        yield "", empty
    except ClipDemoError as error:
        yield alert(error.page_message, stale=False), empty
    else:
        yield "", {**empty, "offset": query.offset, **_drawn(result, dataset, backend, has_photo=image is not None)}


def _drawn(result: SearchResult, dataset: Dataset, backend: Backend, *, has_photo: bool) -> dict[str, str]:
    says, more = counted(result)
    return {
        "about": about(result, dataset, has_photo=has_photo) + note(dataset),
        "tiles": tiles(result, dataset, backend.thumbnails),
        "says": says,
        "more": more,
    }
