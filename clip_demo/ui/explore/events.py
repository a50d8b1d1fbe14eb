"""The events of the Explore tab.

`show` predicts and draws the results. Every field triggers it; handlers that set fields themselves trigger it through
the hidden field `request`. Its trigger mode ``always_last`` sends the last input after the running event has returned,
so an old result never replaces a newer one. `show` runs on every keystroke and takes no full status.

`refresh` draws the status line and the panels from one `Status`. It runs on a timer while something is downloading,
loading or being fitted, and triggers `show` when the results on the page are out of date.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ...backend import Backend, Status
from ...datasets.base import Dataset
from ...errors import ClipDemoError, DatasetError, IndexRangeError
from ...linear_probe.head import LinearProbe
from ...models.catalog import BUILT_IN
from ...serving.downloads import DatasetStatus
from ...serving.model_pool import ModelStatus
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import MAX_CLASSNAMES, parse_classnames, parse_templates
from .. import probe_job_panel
from ..event_options import INSTANT, QUIET, now, uploaded_path
from ..few_shot.events import press
from ..permalink import View, from_query, own_classes, to_query
from ..status_line import download_panel, status_line
from . import view
from .layout import OWN, PRESETS, Controls, Fields, example_images, index_range
from .prediction_cards import results

__all__ = ["MODEL_QUEUE", "PageState", "connect", "model_choices"]

# One group for all events that use a model. The backend encodes simultaneous images in one batch of up to this size.
MODEL_QUEUE = {"concurrency_id": "model", "concurrency_limit": 32}


@dataclass(frozen=True)
class PageState:
    """Components that no visitor sees.

    Attributes
    ----------
    request, refresh : gr.Textbox
        A new value triggers `show` or `refresh`.
    query : gr.Textbox
        The query string of the fields, for the address bar.
    notice : gr.Textbox
        A message that `show` writes once.
    drawn, reported : gr.State
        The facts (see `_facts`) that the results, and the status line, were drawn from.
    timer : gr.Timer
        Triggers `refresh` while it is active.
    """

    request: gr.Textbox
    refresh: gr.Textbox
    query: gr.Textbox
    notice: gr.Textbox
    drawn: gr.State
    reported: gr.State
    timer: gr.Timer


def connect(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls) -> PageState:
    """Connect the components of the Explore tab with each other and with the backend."""
    names = ("request", "refresh", "query", "notice")
    hidden = {name: gr.Textbox(visible="hidden", elem_id=name) for name in names}
    state = PageState(**hidden, drawn=gr.State(()), reported=gr.State(()), timer=gr.Timer(1.0, active=False))
    _connect_show(backend, fields, controls, state)
    _connect_index(backend, fields, controls, state.request)
    _connect_prompts(backend, fields, controls)
    _connect_refresh(backend, fields, controls, state)
    _connect_load(demo, backend, fields, controls, state)
    return state


def model_choices(backend: Backend) -> list[tuple[str, str]]:
    """Return the choices of the model dropdown, with the size of those that would be downloaded."""
    return [(f"{name} ({_source(backend, name)})", name) for name in backend.models]


def _source(backend: Backend, model: str) -> str:
    if model == BUILT_IN:
        return "built in"
    return "on disk" if backend.is_downloaded(model) else f"{backend.model_status(model).megabytes} MB to download"


# --- results -----------------------------------------------------------------------------------------------------


def _connect_show(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    def show(source, dataset, index, photo, templates, classes, replace_underscores, model, notice, reported):
        chosen, own = backend.datasets[dataset], source == OWN
        inputs = View(dataset, index, templates or "", classes or "", bool(replace_underscores), model)
        classnames, lines = parse_classnames(inputs.classes), parse_templates(inputs.templates)
        status = _load_if_downloaded(backend, model)
        predicted, prediction, problem = gr.skip(), None, ""
        try:
            if status.state == "absent":
                predicted = view.missing_model(status)
            elif status.state in view.WAITING:
                predicted = view.waiting(status)
            elif own and photo is None:
                predicted = view.NO_PHOTO
            else:
                prompts = PromptSet(classnames, lines, inputs.replace_underscores)
                prediction = backend.predict(
                    image=uploaded_path(photo) if own else None,
                    index=None if own else _filled(index, chosen),
                    dataset=dataset,
                    prompts=prompts,
                    top_k=MAX_CLASSNAMES,
                    model=model,
                )
                predicted = results(prediction, chosen, prompts)
        except ClipDemoError as error:
            problem = str(error)
        image, available = gr.skip(), None
        if not own:
            image, available, missing = _image(chosen, index, prediction and prediction.truth)
            problem = problem or missing
        facts = _facts(status, dataset, available, prediction and _n_train(prediction.linear_probe))
        out_of_date = status.state in view.WAITING or _changed(reported, facts)
        return [
            image,
            view.alert(problem, stale=True) + view.alert(notice or "", stale=False),
            predicted,
            view.count(classnames, lines),
            to_query(backend, inputs),
            "",
            facts,
            gr.Timer(active=True) if out_of_date else gr.skip(),
        ]

    shown = gr.on(
        [
            state.request.change,
            fields.source.input,
            fields.index.input,
            fields.photo.change,
            # Not `input`: Gradio 6 triggers it by key presses only, not by Backspace, paste or phone keyboards.
            fields.templates.change,
            fields.classes.change,
            fields.replace_underscores.input,
        ],
        show,
        inputs=[*fields.all(), state.notice, state.reported],
        outputs=[
            *[controls.image, controls.alert, controls.results, controls.count],
            *[state.query, state.notice, state.drawn, state.timer],
        ],
        # The backend reads images and checks values itself.
        preprocess=False,
        trigger_mode="always_last",
        js="(...values) => { clipExplorer.sent(); return values; }",
        **MODEL_QUEUE,
        **QUIET,
    )
    shown.then(None, inputs=state.query, js="(query) => clipExplorer.received(query)", **QUIET)


def _load_if_downloaded(backend: Backend, model: str) -> ModelStatus:
    """Return the state of a model, after starting to load one that is on disk but not in memory."""
    status = backend.model_status(model)
    if status.state == "absent" and backend.is_downloaded(model):
        backend.load_model(model)
        status = backend.model_status(model)
    return status


def _filled(index: float | None, dataset: Dataset) -> float:
    if index is None:
        last, _ = index_range(dataset)
        raise IndexRangeError(f"index: the field is empty; type a whole number from 0 to {last}.")
    return index


def _image(dataset: Dataset, index: float | None, truth: str | None) -> tuple[Any, bool | None, str]:
    """Return the test image as HTML, whether the dataset is available (None: unknown), and an error message."""
    try:
        return view.figure(dataset, _filled(index, dataset)), True, ""
    except DatasetError as error:
        available = dataset.available()  # a damaged dataset may be
        if truth is None:
            return gr.skip(), available, str(error)
        return view.missing_image(dataset, index, truth), available, ""
    except ClipDemoError as error:
        return gr.skip(), None, str(error)


def _n_train(probe: LinearProbe | None) -> int:
    return probe.head.n_train if probe else 0


def _facts(model: ModelStatus, dataset: str, available: bool | None, n_train: int | None) -> tuple[Any, ...]:
    """Return what results and status line depend on besides the fields; None stands for what is unknown.

    `n_train` is the number of training images of the head, 0 without a head.
    """
    return model.name, model.state, dataset, available, n_train


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether a known fact has a new value. A dataset or a head that is lost does not count: it redraws nothing."""
    return any(old is not None and new and old != new for old, new in zip(before, after, strict=False))


# --- fields ------------------------------------------------------------------------------------------------------


def _connect_index(backend: Backend, fields: Fields, controls: Controls, request: gr.Textbox) -> None:
    # The browser changes the index itself: clicks may come faster than answers of the server.
    last = json.dumps({name: index_range(dataset)[0] for name, dataset in backend.datasets.items()}) + "[dataset]"
    inputs, outputs = [fields.index, fields.dataset], [fields.index, controls.slider, request]
    for button, js in (
        (controls.previous, f"(index, dataset) => clipExplorer.step(index, -1, {last})"),
        (controls.next, f"(index, dataset) => clipExplorer.step(index, 1, {last})"),
        (controls.random, f"(index, dataset) => clipExplorer.random(index, {last})"),
    ):
        button.click(None, inputs=inputs, outputs=outputs, js=js, trigger_mode="multiple", **QUIET)
    controls.slider.input(
        None,
        inputs=controls.slider,
        outputs=[fields.index, request],
        js="(index) => [index, clipExplorer.now()]",
        trigger_mode="multiple",
        **QUIET,
    )
    fields.index.input(
        None,
        inputs=[fields.index, controls.slider, fields.dataset],
        outputs=controls.slider,
        js=f"(index, slider, dataset) => clipExplorer.slide(index, slider, {last})",
        trigger_mode="multiple",
        **QUIET,
    )
    if controls.examples is not None:
        paths = {path.name: str(path) for path in example_images()}

        # The browser sends a name and never a path, so no other file can be requested.
        def pick(event: gr.EventData) -> Any:
            return paths.get(event.name, gr.skip())

        controls.examples.click(pick, outputs=fields.photo, **INSTANT)


def _connect_prompts(backend: Backend, fields: Fields, controls: Controls) -> None:
    for name, button in controls.presets.items():
        button.click(lambda text=PRESETS[name]: text, outputs=fields.templates, **INSTANT)
    controls.reset.click(partial(own_classes, backend), inputs=fields.dataset, outputs=fields.classes, **INSTANT)


def _is_own_list(backend: Backend, classes: str | None) -> bool:
    """Whether a class list is empty or that of a dataset, and not edited."""
    names = parse_classnames(classes or "")
    return not names or any(names == tuple(each.classnames) for each in backend.datasets.values())


# --- status ------------------------------------------------------------------------------------------------------


def _reports(controls: Controls, state: PageState) -> list[gr.components.Component]:
    """Return the components that `_report` fills."""
    panels = [controls.status_line, controls.offer, controls.download_dataset, controls.download_panel, controls.job]
    return [*panels, state.reported, state.timer]


def _report(backend: Backend, status: Status) -> list[Any]:
    missing = next((each for each in status.datasets if each.state != "ready"), None)
    return [
        status_line(status, backend.datasets[status.dataset.name]),
        _offer(status),
        _download_button(missing),
        download_panel(missing),
        probe_job_panel.panel(status.job),
        _status_facts(status),
        gr.Timer(active=_is_busy(status)),
    ]


def _offer(status: Status) -> gr.Button:
    """Offer the preferred model when it has been loaded after the page was opened."""
    offered = status.model.name == status.models[0].name != status.default_model
    return gr.Button(f"{status.default_model} is ready: use it", visible=True) if offered else gr.Button(visible=False)


def _download_button(missing: DatasetStatus | None) -> gr.Button:
    if missing is None or missing.state == "downloading":
        return gr.Button(visible=False)
    size = f" ({missing.download_bytes / 1e6:.0f} MB)" if missing.download_bytes else ""
    again = "Try again: download" if missing.state == "failed" else "Download"
    return gr.Button(f"{again} {missing.title}{size}", visible=True)


def _status_facts(status: Status) -> tuple[Any, ...]:
    known = status.model.state == "ready" and not status.head_problem
    n_train = (status.head.n_train if status.head else 0) if known else None
    return _facts(status.model, status.dataset.name, status.dataset.state == "ready", n_train)


def _is_busy(status: Status) -> bool:
    """Whether the status will change without a click."""
    loading = any(each.state in ("downloading", "loading") for each in (*status.models, *status.datasets))
    return loading or bool(status.running_job)


def _connect_refresh(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    def refresh(dataset: str, model: str, drawn: tuple) -> list[Any]:
        status = backend.status(model, dataset)
        return [*_report(backend, status), now() if _changed(drawn, _status_facts(status)) else gr.skip()]

    def download(dataset: str, model: str, drawn: tuple) -> list[Any]:
        missing = next((name for name, each in backend.datasets.items() if not each.available()), None)
        if missing is not None:
            backend.download_dataset(missing)
        return refresh(dataset, model, drawn)

    def pressed(event: gr.EventData, dataset: str, model: str, drawn: tuple) -> list[Any]:
        # A client may send anything: `press` knows "start" and "stop" and ignores the rest.
        if getattr(event, "job", "") == "load":
            return choose(dataset, model)
        press(backend, event, dataset, model)
        return refresh(dataset, model, drawn)

    def choose(dataset: str, model: str) -> list[Any]:
        backend.load_model(model)
        return [*_report(backend, backend.status(model, dataset)), now()]

    def accept(dataset: str) -> list[Any]:
        model = backend.default_model
        return [model, *choose(dataset, model)]

    def follow(dataset: str, model: str, classes: str) -> list[Any]:
        last, label = index_range(backend.datasets[dataset])
        own = own_classes(backend, dataset)
        replaced = _is_own_list(backend, classes) and classes != own
        return [
            gr.Number(label=label),
            gr.Slider(maximum=last, label=label),
            own if replaced else gr.skip(),
            *_report(backend, backend.status(model, dataset)),
            gr.skip() if replaced else now(),  # the change of the class list triggers `show`
        ]

    chosen, outputs = [fields.dataset, fields.model], [*_reports(controls, state), state.request]
    refreshed = {"inputs": [*chosen, state.drawn], "outputs": outputs, **INSTANT}
    state.timer.tick(refresh, **refreshed)
    state.refresh.change(refresh, **refreshed)
    controls.download_dataset.click(download, **refreshed)
    for place in (controls.results, controls.job):
        place.click(pressed, **refreshed)
    fields.model.input(choose, inputs=chosen, outputs=outputs, trigger_mode="always_last", **INSTANT)
    controls.offer.click(accept, inputs=fields.dataset, outputs=[fields.model, *outputs], **INSTANT)
    fields.dataset.input(
        follow,
        inputs=[*chosen, fields.classes],
        outputs=[fields.index, controls.slider, fields.classes, *outputs],
        trigger_mode="always_last",
        **INSTANT,
    )


def _connect_load(demo: gr.Blocks, backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    def restore(search: str) -> list[Any]:
        query, problems = from_query(backend, search or "")
        _load_if_downloaded(backend, query.model)
        last, label = index_range(backend.datasets[query.dataset])
        return [
            query.dataset,
            gr.Number(query.index, label=label),
            gr.Slider(value=query.index, maximum=last, label=label),
            query.templates,
            query.classes,
            query.replace_underscores,
            gr.Dropdown(model_choices(backend), value=query.model),
            problems,
            *_report(backend, backend.status(query.model, query.dataset)),
            now(),
        ]

    demo.load(
        restore,
        inputs=state.query,
        outputs=[
            *[fields.dataset, fields.index, controls.slider, fields.templates, fields.classes],
            *[fields.replace_underscores, fields.model, state.notice],
            *_reports(controls, state),
            state.request,
        ],
        js="() => window.location.search",
        **INSTANT,
    )
