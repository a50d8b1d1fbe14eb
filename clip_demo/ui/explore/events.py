"""What happens when a field changes: one event draws everything, all others only set fields.

Every change of a field ends in the one event `show`, with ``always_last``: while it is away nothing is sent, and
what was typed meanwhile is sent when it is back. So an older answer does not overwrite a newer one. Handlers that
set fields which `show` does not listen to (it listens to people there) end by changing the hidden field `request`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend
from ...models.catalog import BUILT_IN
from ...serving.downloads import DatasetStatus
from ...serving.model_pool import ModelStatus
from ...zero_shot.prompts import parse_classnames
from .. import probe_job_panel as probe_job
from .. import status_line as status
from ..event_options import INSTANT, QUIET, now
from ..few_shot.events import press
from ..permalink import View, from_query, own_classes
from . import view as answers
from .layout import OWN, PRESETS, Fields, Places, example_images

__all__ = ["MODEL_QUEUE", "connect", "model_choices"]

# One group for everything that asks the model; the backend encodes together what comes together, up to this many.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}


@dataclass(frozen=True)
class _Hidden:
    """What no visitor sees: see the note on top of this file."""

    request: gr.Textbox
    query: gr.Textbox
    notice: gr.Textbox
    seen: gr.State
    timer: gr.Timer


def connect(demo: gr.Blocks, backend: Backend, fields: Fields, places: Places) -> gr.Textbox:
    """Connect the components of the main tab with each other and with the backend.

    Returns
    -------
    gr.Textbox
        The hidden field `request`: who sets fields from elsewhere ends by changing it.
    """
    request, query, notice = (gr.Textbox(visible="hidden", elem_id=name) for name in ("request", "query", "notice"))
    hidden = _Hidden(request, query, notice, gr.State(""), gr.Timer(1.0, active=False))
    _connect_show(backend, fields, places, hidden)
    _connect_index(fields, places, request)
    _connect_prompts(backend, fields, places, request)
    _connect_status(backend, fields, places, hidden)

    def restore(search: str) -> list:
        view, problems = from_query(backend, search or "")
        seen = _signature(backend, view.dataset, view.model)
        values = [view.dataset, view.index, view.index, view.templates, view.classes, view.replace_underscores]
        model = gr.Dropdown(model_choices(backend), value=view.model)
        return [*values, model, problems, *_watch(backend, view.dataset, view.model, seen), now()]

    demo.load(
        restore,
        inputs=query,
        outputs=[
            *[
                fields.dataset,
                fields.index,
                places.slider,
                fields.templates,
                fields.classes,
                fields.replace_underscores,
            ],
            *[fields.model, notice, *_watched(places, hidden), request],
        ],
        js="() => window.location.search",
        **INSTANT,
    )
    return request


def model_choices(backend: Backend) -> list[tuple[str, str]]:
    """Return the models with what one should know before choosing one."""
    return [(f"{each.name} ({_whereabouts(each)})", each.name) for each in backend.status().models]


def _whereabouts(model: ModelStatus) -> str:
    if model.name == BUILT_IN:
        return "built in"
    return "on disk" if model.available else f"{model.megabytes} MB to download"


def _connect_show(backend: Backend, fields: Fields, places: Places, hidden: _Hidden) -> None:
    def show(source, dataset, index, photo, templates, classes, replace_underscores, model, said):
        seen = _signature(backend, dataset, model)
        view = View(dataset, index, templates or "", classes or "", bool(replace_underscores), model)
        made = answers.answer(backend, view, own=source == OWN, photo=photo, notice=said or "")
        drawn = [made.image, made.alert, made.results, made.count, made.query]
        drawn = [gr.skip() if each is answers.KEEP else each for each in drawn]
        return [*drawn, "", *_watch(backend, dataset, model, seen)]

    shown = gr.on(
        [
            hidden.request.change,
            fields.source.input,
            fields.index.input,
            fields.photo.change,
            # Not `input`: Gradio 6 sends that for key presses only, and misses Backspace, paste and phone keyboards.
            fields.templates.change,
            fields.classes.change,
            fields.replace_underscores.input,
        ],
        show,
        inputs=[*fields.all(), hidden.notice],
        outputs=[
            *[places.image, places.alert, places.results, places.count, hidden.query, hidden.notice],
            *_watched(places, hidden),
        ],
        # The backend reads images itself and says itself what is wrong with a value.
        preprocess=False,
        trigger_mode="always_last",
        js="(...values) => { clipExplorer.sent(); return values; }",
        **MODEL_QUEUE,
        **QUIET,
    )
    shown.then(None, inputs=hidden.query, js="(query) => clipExplorer.arrived(query)", **QUIET)


def _connect_index(fields: Fields, places: Places, request) -> None:
    last = places.slider.maximum
    both = [fields.index, places.slider, request]
    for button, js in (
        (places.previous, f"(index) => clipExplorer.step(index, -1, {last})"),
        (places.next, f"(index) => clipExplorer.step(index, 1, {last})"),
        (places.random, f"(index) => clipExplorer.random(index, {last})"),
    ):
        button.click(None, inputs=fields.index, outputs=both, js=js, trigger_mode="multiple", **QUIET)
    places.slider.input(
        None,
        inputs=places.slider,
        outputs=[fields.index, request],
        js="(index) => [index, clipExplorer.now()]",
        trigger_mode="multiple",
        **QUIET,
    )
    fields.index.input(
        None,
        inputs=[fields.index, places.slider],
        outputs=places.slider,
        js=f"(index, slider) => clipExplorer.slide(index, slider, {last})",
        trigger_mode="multiple",
        **QUIET,
    )
    if places.examples is not None:
        paths = {path.name: str(path) for path in example_images()}

        # A name and never a path comes from the browser, so only these files can be asked for.
        def pick(event: gr.EventData) -> Any:
            return paths.get(event.name, gr.skip())

        places.examples.click(pick, outputs=fields.photo, **INSTANT)


def _connect_prompts(backend: Backend, fields: Fields, places: Places, request) -> None:
    for name, button in places.presets.items():
        button.click(lambda text=PRESETS[name]: text, outputs=fields.templates, **INSTANT)
    places.reset.click(
        lambda dataset: own_classes(backend, dataset), inputs=fields.dataset, outputs=fields.classes, **INSTANT
    )

    def follow(dataset: str, classes: str) -> list:
        own = own_classes(backend, dataset)
        # A class list that changes asks for a redraw itself.
        return [own, gr.skip()] if _untouched(backend, classes) and classes != own else [gr.skip(), now()]

    fields.dataset.input(
        follow,
        inputs=[fields.dataset, fields.classes],
        outputs=[fields.classes, request],
        trigger_mode="always_last",
        **INSTANT,
    )


def _untouched(backend: Backend, classes: str) -> bool:
    """Whether a class list is some dataset's own: then it follows to another set, an edited one stays."""
    names = parse_classnames(classes or "")
    return not names or any(names == tuple(each.classnames) for each in backend.datasets.values())


def _connect_status(backend: Backend, fields: Fields, places: Places, hidden: _Hidden) -> None:
    watched = _watched(places, hidden)
    chosen = [fields.dataset, fields.model]

    def tick(dataset: str, model: str, before: str) -> list[Any]:
        seen = _signature(backend, dataset, model)
        # A model or an dataset that has come (or failed) changes what the fields lead to.
        return [*_watch(backend, dataset, model, seen), gr.skip() if seen == before else now()]

    hidden.timer.tick(tick, inputs=[*chosen, hidden.seen], outputs=[*watched, hidden.request], **INSTANT)

    def get(dataset: str, model: str) -> list[Any]:
        seen, missing = _signature(backend, dataset, model), answers.missing_set(backend)
        if missing is not None:
            backend.fetch(missing.name)
        return _watch(backend, dataset, model, seen)

    places.get.click(get, inputs=chosen, outputs=watched, **INSTANT)

    def use(dataset: str, model: str) -> list[Any]:
        seen = _signature(backend, dataset, model)
        backend.use(model)
        return [*_watch(backend, dataset, model, seen), now()]

    def pressed(event: gr.EventData, dataset: str, model: str) -> list[Any]:
        seen = _signature(backend, dataset, model)
        press(backend, event, dataset, model)
        return _watch(backend, dataset, model, seen)

    for place in (places.results, places.job):
        place.click(pressed, inputs=chosen, outputs=watched, **INSTANT)
    fields.model.input(use, inputs=chosen, outputs=[*watched, hidden.request], trigger_mode="always_last", **INSTANT)
    places.offer.click(lambda: [backend.default_model, now()], outputs=[fields.model, hidden.request], **INSTANT)


def _watched(places: Places, hidden: _Hidden) -> list:
    """Return the components that `_watch` fills."""
    return [places.banner, places.offer, places.get, places.download, places.job, hidden.seen, hidden.timer]


def _watch(backend: Backend, dataset: str, model: str, seen: str) -> list[Any]:
    """Return what is on and what is on its way; the timer runs only while something is.

    `seen` is the signature from before the handler's own work: where that is over already, one more tick finds it.
    """
    missing = answers.missing_set(backend)
    return [
        answers.status_line(backend, dataset, model),
        _offer(backend, model),
        _get(backend, missing),
        status.download_panel(missing),
        probe_job.panel(backend.build_status(dataset, model)),
        seen,
        gr.Timer(active=_busy(backend, dataset, model) or _signature(backend, dataset, model) != seen),
    ]


def _offer(backend: Backend, model: str) -> gr.Button:
    """Offer a better model that has come since the page was opened."""
    better = backend.default_model
    offered = better != model and model == backend.models[0]
    return gr.Button(f"{better} is ready: use it", visible=True) if offered else gr.Button(visible=False)


def _get(backend: Backend, missing: DatasetStatus | None) -> gr.Button:
    if missing is None or missing.state not in ("absent", "failed"):
        return gr.Button(visible=False)
    size = getattr(backend.datasets[missing.name], "archive_bytes", None)
    again = "Try again: get" if missing.state == "failed" else "Get"
    return gr.Button(f"{again} {missing.title}" + (f" ({size / 1e6:.0f} MB)" if size else ""), visible=True)


def _signature(backend: Backend, dataset: str, model: str) -> str:
    """Return the states of the model, its head and the datasets, without how far they are."""
    state = backend.status(model)
    head, _ = answers.head_of(backend, dataset, model)
    fitted = f"head:{head.n_train}" if head else ""
    return " ".join([model, state.state, fitted, *(f"{each.name}:{each.state}" for each in state.datasets)])


def _busy(backend: Backend, dataset: str, model: str) -> bool:
    state = backend.status()
    coming = any(each.state in ("fetching", "loading") for each in (*state.models, *state.datasets))
    return coming or probe_job.running(backend.build_status(dataset, model))
