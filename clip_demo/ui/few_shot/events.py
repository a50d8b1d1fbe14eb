"""The events of the few-shot tab. Its job can be started and watched on the Explore tab, too."""

from typing import Any

import gradio as gr

from ...backend import Backend, Status
from ...datasets.base import Dataset
from ...errors import ClipDemoError
from ...linear_probe.few_shot_curve import FewShotCurve, curve_to_csv
from .. import probe_job_panel
from ..event_options import INSTANT, QUIET, now, page_error, press
from ..explore.layout import Fields
from ..explore.view import WAITING, missing_model
from ..permissions import may_download, may_start
from . import text
from .figure import curve_figure
from .layout import FewShotOutputs


def connect_probe(tab: gr.Tab, backend: Backend, fields: Fields, outputs: FewShotOutputs, refresh: gr.Textbox) -> None:
    """Connect the tab with the backend.

    Parameters
    ----------
    tab : gr.Tab
        The curve is drawn when it is opened.
    backend : Backend
    fields : Fields
        The fields of the Explore tab, which hold the dataset and the model.
    outputs : FewShotOutputs
    refresh : gr.Textbox
        The hidden field whose change redraws the status line of the Explore tab.
    """
    inputs = [fields.dataset, fields.model, gr.State(())]
    timer = gr.Timer(1.0, active=False)
    filled = [outputs.text, outputs.plot, outputs.numbers, outputs.job, inputs[-1], timer]

    def draw_curve(dataset: str, model: str, before: tuple) -> list[Any]:
        status, chosen = backend.status(model, dataset), backend.datasets[dataset]
        try:
            # After the status: a point added in between is drawn now, and the end of the job by one more tick.
            curve = backend.few_shot_curve(dataset, model) if status.model.state == "ready" else None
        except ClipDemoError as error:
            raise page_error(error) from error
        facts = _facts(status, curve)
        # A plot that has not changed is not drawn again, because it would flicker.
        drawn = [gr.skip()] * 3 if facts == before else _curve(status, chosen, curve)
        changing = status.model.state in WAITING or _is_running(status)
        panel = _panel(backend, status, chosen, curve)
        return [*drawn, panel, facts, gr.Timer(active=changing)]

    def follow(dataset: str, model: str, before: tuple) -> list[Any]:
        # Nothing was drawn before the tab is opened for the first time.
        return draw_curve(dataset, model, before) if before else [gr.skip()] * len(filled)

    def pressed(event: gr.EventData, dataset: str, model: str, before: tuple) -> list[Any]:
        press(backend, event, dataset, model)
        return [*draw_curve(dataset, model, before), now()]

    for trigger, handler in ((tab.select, draw_curve), (fields.model.change, follow), (timer.tick, draw_curve)):
        trigger(handler, inputs=inputs, outputs=filled, trigger_mode="always_last", **INSTANT)
    # Queued: Gradio shows no error message of an event outside the queue.
    outputs.job.click(pressed, inputs=inputs, outputs=[*filled, refresh], **QUIET)


def _is_running(status: Status) -> bool:
    return status.job is not None and status.job.running


def _facts(status: Status, curve: FewShotCurve | None) -> tuple:
    """Return what text, plot and numbers depend on."""
    points = curve and (curve.complete, curve.n_test, *((each.per_class, len(each.draws)) for each in curve.points))
    return status.model.name, status.model.state, status.dataset.name, _is_running(status), points


def _curve(status: Status, dataset: Dataset, curve: FewShotCurve | None) -> list[Any]:
    """Return text, plot and numbers."""
    if curve is None:
        return [text.no_curve(status.model, dataset.title, _is_running(status)), gr.Plot(visible=False), ""]
    plot = gr.Plot(curve_figure(curve, dataset.title), visible=bool(curve.points))
    numbers = [text.downloads(curve, curve_to_csv(curve)), text.meaning(curve), text.table(curve), text.origin(curve)]
    return [text.summary(curve, dataset.title) + text.legend(curve), plot, "".join(numbers)]


def _panel(backend: Backend, status: Status, dataset: Dataset, curve: FewShotCurve | None) -> str:
    """Return the progress of the job; without a job, the button for what the curve needs next."""
    if status.model.state == "absent":
        return missing_model(status.model, may_download=may_download(backend, status.model.name))
    is_idle = status.job is None or status.job.state == "done"  # done without a curve, where none was asked for
    if is_idle and status.model.state == "ready" and not (curve and curve.complete):
        return probe_job_panel.offer(dataset, "Fit the linear probe now", may_start=may_start(backend))
    return probe_job_panel.panel(status.job, may_start=may_start(backend))
