"""The events of the search tab: a search with each sentence, image and page."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

from ...backend import Backend
from ...errors import ClipDemoError
from ...progress import Progress
from ...serving.image_search import SearchResult, check_sentence
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import INSTANT, QUIET, event_value, load_if_downloaded, now
from ..explore.events import view_of
from ..explore.layout import Fields
from ..explore.show import image_argument
from ..explore.view import WAITING, alert, missing_model, waiting
from ..permalink import OWN, TEST_IMAGE
from ..permissions import may_download
from ..prompt_lab.context import ExploreTab, open_in_explore
from . import view as html
from .layout import SearchParts

# A queue of its own, so that visitors of this tab do not delay visitors of the Explore tab.
QUEUED = {**QUIET, "concurrency_id": "search", "concurrency_limit": 4}
_NOTHING = {"like": None, "pages": 1}  # a test image to search with, and the pages that are shown


def connect(tab: gr.Tab, backend: Backend, explore: ExploreTab, parts: SearchParts) -> None:
    """Connect the tab with the backend and with the Explore tab, which has the dataset, the model and the image."""
    state, request = gr.State(_NOTHING), gr.Textbox(visible=False, elem_id="search-request")
    timer = gr.Timer(1.0, active=False)
    fields = explore.fields.all()
    shown = request.change(
        partial(_show, backend, explore.fields),
        inputs=[*fields, parts.sentence, parts.with_image, state],
        outputs=[parts.message, parts.results, timer],
        preprocess=False,
        trigger_mode="always_last",
        **QUEUED,
    )
    shown.then(None, inputs=parts.sentence, js="(sentence) => clipSearch.keep(sentence)", **QUIET)
    timer.tick(now, outputs=request, **INSTANT)
    enter = "(sentence) => [clipSearch.sentence(sentence), clipExplorer.now()]"
    tab.select(None, inputs=parts.sentence, outputs=[parts.sentence, request], js=enter, **QUIET)
    _connect_query(parts, state, request)
    explore.fields.model.change(
        None, inputs=request, outputs=request, **QUIET,
        js="(request) => (clipSearch.visible() ? clipExplorer.now() : request)",
    )  # fmt: skip
    open_in_explore(parts.results, explore)


def _connect_query(parts: SearchParts, state: gr.State, request: gr.Textbox) -> None:
    def restart() -> list[Any]:
        return [_NOTHING, now()]

    def like(event: gr.EventData) -> list[Any]:
        return [{**_NOTHING, "like": _number(event)}, "", False, now()]

    def more(before: dict[str, Any], event: gr.EventData) -> list[Any]:
        pages = _number(event) or 1
        return [{**before, "pages": max(1, min(pages, html.MAX_PAGES))}, now()]

    def example(event: gr.EventData) -> list[Any]:
        sentence = event_value(event, "value")
        return [_NOTHING, sentence if isinstance(sentence, str) else "", now()]

    outputs = [state, request]
    gr.on([parts.sentence.submit, parts.find.click, parts.with_image.input], restart, outputs=outputs, **INSTANT)
    parts.results.more(more, inputs=state, outputs=outputs, **INSTANT)
    parts.results.example(example, outputs=[state, parts.sentence, request], **INSTANT)
    parts.results.like(like, outputs=[state, parts.sentence, parts.with_image, request], **INSTANT)


def _number(event: gr.EventData) -> int | None:
    """Return the whole number that an event carries; a client may send anything."""
    value = str(event_value(event, "value"))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _show(backend: Backend, fields: Fields, *values: Any) -> Iterator[list[Any]]:
    """Yield the message, the results and whether to look again, until the search is done."""
    *chosen, sentence, with_image, state = values
    view, photo = view_of(backend, chosen)
    dataset, status = backend.datasets[view.dataset], load_if_downloaded(backend, view.model)
    if status.state == "absent":
        note = missing_model(status, may_download=may_download(backend, view.model))
        return (yield ["", note, gr.Timer(active=False)])
    if status.state in WAITING:
        return (yield ["", waiting(status, "The images"), gr.Timer(active=True)])
    try:
        sentence, query, name = check_sentence(sentence), {}, ""
        if isinstance(state.get("like"), int):
            query, name = {"index": state["like"]}, f"test image {state['like']:,}"
        elif with_image and not (view.source == OWN and photo is None):
            query = image_argument(view, photo, dataset)
            name = f"test image {query['index']:,}" if view.source == TEST_IMAGE else "the image on the Explore tab"
        if not sentence and not query:
            return (yield ["", html.examples(dataset), gr.Timer(active=False)])
        pages = max(1, min(state["pages"], html.MAX_PAGES))

        def work(progress: Progress) -> SearchResult:
            where = {"dataset": view.dataset, "model": view.model, "limit": html.PAGE * pages, "progress": progress}
            return backend.search.find(sentence, **query, **where)

        with visitor_task(backend, work, "search") as task:
            for progress in progress_of(task):
                yield [progress_bar(progress), gr.skip(), gr.Timer(active=False)]
        yield ["", html.found(task.result(), dataset, html.query_html(sentence, name), pages), gr.Timer(active=False)]
    except ClipDemoError as error:
        yield [alert(error.page_message, stale=True, what="images"), gr.skip(), gr.Timer(active=False)]
