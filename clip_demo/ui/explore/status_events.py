"""The events that keep the status line and the panels of the Explore tab up to date.

`refresh` draws them from one `Status`. It runs on a timer while something is downloading, loading or being fitted, and
requests new results when those on the page are out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend, Status
from ...serving.downloads import DatasetStatus
from ...serving.model_handle import ModelStatus
from .. import probe_job_panel
from ..event_options import INSTANT, now, press
from ..permalink import first_index, is_default_list, own_classes
from ..permissions import may_download, may_load, may_start
from ..status_line import chip, download_panel, status_line
from .layout import Controls, Fields, index_range
from .view import WAITING


@dataclass(frozen=True)
class PageState:
    """Components that no visitor sees.

    Attributes
    ----------
    request, refresh : gr.Textbox
        A new value triggers the event `show`, or `refresh`.
    query, link_note : gr.Textbox
        The query string of the fields, for the address bar, and what it leaves out.
    link : gr.Textbox
        A new query string restores the fields: the visitor goes back or forward.
    notice : gr.Textbox
        A message about the link, which `show` writes until the visitor changes something.
    drawn, reported : gr.State
        The `facts` that the results, and the status line, were drawn from.
    words : gr.State
        What the bars are compared with: the last `Words`.
    kept : gr.Textbox
        The prompt set that the visitor keeps as A, by dataset; see `clip_demo.ui.kept_prompts`.
    timer : gr.Timer
        Triggers `refresh` while it is active.
    """

    request: gr.Textbox
    refresh: gr.Textbox
    query: gr.Textbox
    link_note: gr.Textbox
    link: gr.Textbox
    notice: gr.Textbox
    kept: gr.Textbox
    drawn: gr.State
    reported: gr.State
    words: gr.State
    timer: gr.Timer

    @classmethod
    def make(cls) -> PageState:
        """Make the components inside the current gradio context."""
        names = ("request", "refresh", "query", "link-note", "link", "notice", "kept")
        hidden = (gr.Textbox(visible="hidden", elem_id=name) for name in names)
        return cls(*hidden, gr.State(()), gr.State(()), gr.State(), gr.Timer(1.0, active=False))


def facts(model: ModelStatus, dataset: str, available: bool | None, n_train: int | None) -> tuple[Any, ...]:
    """Return what the results and the status line depend on besides the fields; None stands for what is unknown.

    `n_train` is the number of training images of the head, 0 if there is no head.
    """
    return model.name, model.problem or model.state, dataset, available, n_train


def changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether a known fact has a new value. A dataset or head that has disappeared does not count: results stay."""
    return any(old is not None and new and old != new for old, new in zip(before, after, strict=False))


def report_outputs(controls: Controls, state: PageState) -> list[gr.components.Component]:
    """Return the components that `report` fills."""
    panels = [controls.chip, controls.status_line, controls.offer, controls.download_dataset, controls.download_panel]
    return [*panels, controls.job, controls.preparation, state.reported, state.timer]


def report(backend: Backend, status: Status) -> list[Any]:
    """Return the status line, the panels, the facts behind them, and a timer that is active while they will change."""
    missing = next((each for each in (status.dataset, *status.datasets) if each.state != "ready"), None)
    # All of them, although some are in the status twice: a state may have changed while the status was taken.
    states = (status.model, status.dataset, *status.models, *status.datasets)
    allowed, preparation = may_start(backend), status.preparation
    # One line at the top says it all of what is made ready.
    job = None if preparation and status.job and status.job.title == preparation.title else status.job
    moving = bool(status.running_job or status.model.problem) or any(each.state in WAITING for each in states)
    return [
        chip(status, backend.datasets[status.dataset.name]),
        status_line(status, backend.datasets[status.dataset.name], backend.preferred_model),
        _offer(status),
        _download_button(missing if missing and may_download(backend, missing.name) else None),
        download_panel(missing),
        probe_job_panel.panel(job, may_start=allowed),
        probe_job_panel.preparation_line(preparation, may_start=allowed),
        _facts(status),
        gr.Timer(active=moving),
    ]


def _facts(status: Status) -> tuple[Any, ...]:
    n_train = None
    if status.model.state == "ready":
        n_train = status.head.n_train if status.head else 0
    return facts(status.model, status.dataset.name, status.dataset.state == "ready", n_train)


def _offer(status: Status) -> gr.Button:
    """Offer the preferred model once it is loaded, where the page still uses the first one."""
    offered = status.model.name == status.models[0].name != status.default_model
    return gr.Button(f"{status.default_model} is ready: use it", visible=True) if offered else gr.Button(visible=False)


def _download_button(missing: DatasetStatus | None) -> gr.Button:
    if missing is None or missing.state == "downloading":
        return gr.Button(visible=False)
    size = f" ({missing.download_bytes / 1e6:.0f} MB)" if missing.download_bytes else ""
    again = "Try again: download" if missing.state == "failed" else "Download"
    return gr.Button(f"{again} {missing.title}{size}", visible=True)


def list_or_request(backend: Backend, classes: str | None, default: str) -> list[Any]:
    """Return the values of the class list and of `PageState.request` after the image has changed.

    The list becomes `default`, that of the new image, unless the visitor has edited it.
    """
    if classes != default and is_default_list(backend, classes or ""):
        return [default, gr.skip()]  # the change of the class list triggers `show`
    return [gr.skip(), now()]


def connect_status(backend: Backend, fields: Fields, controls: Controls, state: PageState) -> None:
    """Connect the timer, the buttons of the panels, and the fields that the status depends on."""
    chosen, outputs = [fields.dataset, fields.model], [*report_outputs(controls, state), state.request]
    _connect_refresh(backend, controls, state, {"inputs": [*chosen, state.drawn], "outputs": outputs, **INSTANT})
    _connect_dataset(backend, fields, controls, outputs)

    def choose_model(dataset: str, model: str) -> list[Any]:
        if may_load(backend, model):
            backend.load_model(model)
        return [*report(backend, backend.status(model, dataset)), now()]

    def accept_offer(dataset: str) -> list[Any]:
        model = backend.default_model
        return [model, *choose_model(dataset, model)]

    fields.model.input(choose_model, inputs=chosen, outputs=outputs, trigger_mode="always_last", **INSTANT)
    controls.offer.click(accept_offer, inputs=fields.dataset, outputs=[fields.model, *outputs], **INSTANT)


def _connect_refresh(backend: Backend, controls: Controls, state: PageState, options: dict[str, Any]) -> None:
    def refresh(dataset: str, model: str, drawn: tuple) -> list[Any]:
        status = backend.status(model, dataset)
        return [*report(backend, status), now() if changed(drawn, _facts(status)) else gr.skip()]

    def download(dataset: str, model: str, drawn: tuple) -> list[Any]:
        names = [name for name in (dataset, *backend.datasets) if name in backend.datasets]
        missing = next((name for name in names if not backend.datasets[name].available()), None)
        if missing is not None and may_download(backend, missing):
            backend.download_dataset(missing)
        return refresh(dataset, model, drawn)

    def press_button(event: gr.EventData, dataset: str, model: str, drawn: tuple) -> list[Any]:
        press(backend, event, dataset, model)
        return refresh(dataset, model, drawn)

    state.timer.tick(refresh, **options)
    state.refresh.change(refresh, **options)
    controls.download_dataset.click(download, **options)
    # Queued: Gradio shows no error message of an event outside the queue.
    queued = {name: value for name, value in options.items() if name != "queue"}
    for place in (controls.results, controls.job, controls.preparation):
        place.click(press_button, **queued)


def _connect_dataset(backend: Backend, fields: Fields, controls: Controls, outputs: list) -> None:
    def choose_dataset(dataset: str, model: str, index: float | None, classes: str) -> list[Any]:
        last, label = index_range(backend.datasets[dataset])
        classes, request = list_or_request(backend, classes, own_classes(backend, dataset))
        # An index that the visitor did not choose, or that is too large, becomes that of the dataset's first image.
        kept = index is not None and index <= last
        kept = kept and all(index != first_index(backend, name, model) for name in backend.datasets)
        number = {} if kept else {"value": first_index(backend, dataset, model)}
        return [
            gr.Number(label=label, **number),
            classes,
            *report(backend, backend.status(model, dataset)),
            request,
        ]

    fields.dataset.input(
        choose_dataset,
        inputs=[fields.dataset, fields.model, fields.index, fields.classes],
        outputs=[fields.index, fields.classes, *outputs],
        trigger_mode="always_last",
        **INSTANT,
    )
