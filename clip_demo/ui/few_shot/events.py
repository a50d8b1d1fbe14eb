"""What happens on the tab of the few-shot curve; on the Explore tab the same job is watched by `events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ...backend import Backend, Status
from ...datasets.base import Dataset
from ...errors import ClipDemoError
from ...linear_probe.few_shot_curve import FewShotCurve, curve_to_csv
from ...serving.probe_job import ProbeJobStatus
from .. import probe_job_panel as probe_job
from ..event_options import INSTANT, now
from ..explore.layout import Fields
from ..explore.view import WAITING
from . import text as probe_words
from .figure import curve_figure
from .layout import FewShotOutputs

__all__ = ["connect_probe", "press"]


def press(backend: Backend, event: gr.EventData, dataset: str, model: str) -> None:
    """Do what the button says that was clicked, in a probe's card or in a job's panel."""
    # Anybody may send anything here: only these two words mean something.
    asked = getattr(event, "job", "")
    try:
        if asked == "start":
            backend.build(dataset, model)
        elif asked == "stop":
            backend.cancel_build()
    except ClipDemoError as error:
        raise gr.Error(str(error), print_exception=False) from error


def connect_probe(tab: gr.Tab, backend: Backend, fields: Fields, places: FewShotOutputs, request: gr.Textbox) -> None:
    """Connect the tab with the backend.

    Parameters
    ----------
    tab : gr.Tab
        Its opening draws the curve of what is on.
    backend : Backend
    fields : Fields
        Those of the Explore tab: they say what is on.
    places : FewShotOutputs
    request : gr.Textbox
        Changing it makes the Explore tab look again: a job that is started here is watched there too.
    """
    chosen, seen = [fields.dataset, fields.model], gr.State("")
    timer = gr.Timer(1.0, active=False)
    filled = [places.words, places.plot, places.numbers, places.job, seen, timer]

    def draw(dataset: str, model: str, before: str) -> list[Any]:
        on = _look(backend, dataset, model)
        made = [gr.skip()] * 3 if on.signature == before else _made(on)
        return [*made, _panel(on), on.signature, gr.Timer(active=on.moving)]

    def follow(dataset: str, model: str, before: str) -> list[Any]:
        # Nobody has opened the tab yet: then there is nothing to do, and the page's first display is not slowed.
        return draw(dataset, model, before) if before else [gr.skip()] * 6

    def pressed(event: gr.EventData, dataset: str, model: str, before: str) -> list[Any]:
        press(backend, event, dataset, model)
        return [*draw(dataset, model, before), now()]

    inputs = [*chosen, seen]
    for happens, handler in ((tab.select, draw), (fields.model.change, follow), (timer.tick, draw)):
        happens(handler, inputs=inputs, outputs=filled, trigger_mode="always_last", **INSTANT)
    places.job.click(pressed, inputs=inputs, outputs=[*filled, request], **INSTANT)


@dataclass(frozen=True)
class _On:
    """What is on, looked at once."""

    status: Status
    dataset: Dataset
    job: ProbeJobStatus | None
    curve: FewShotCurve | None

    @property
    def running(self) -> bool:
        return probe_job.running(self.job)

    @property
    def moving(self) -> bool:
        """Whether what is drawn will change by itself."""
        return self.running or self.status.state in WAITING

    @property
    def signature(self) -> str:
        """What tells this from what was drawn before."""
        points = [(each.per_class, len(each.draws)) for each in self.curve.points] if self.curve else None
        complete = self.curve is not None and self.curve.complete
        return f"{self.status.model} {self.status.state} {self.dataset.name} {self.running} {points} {complete}"


def _look(backend: Backend, dataset: str, model: str) -> _On:
    state = backend.status(model)
    # The job first: what it adds after this look is found by one more tick.
    job = backend.build_status(dataset, model)
    curve = backend.curve(dataset, model) if state.state == "ready" else None
    return _On(state, backend.datasets[dataset], job, curve)


def _made(on: _On) -> list[Any]:
    """Return the words, the plot and the numbers."""
    curve, title = on.curve, on.dataset.title
    if curve is None:
        return [probe_words.nothing(on.status, title, on.running), gr.Plot(visible=False), ""]
    words = probe_words.verdict(curve, title) + probe_words.legend(curve)
    save = probe_words.downloads(curve, curve_to_csv(curve))
    numbers = save + probe_words.meaning(curve) + probe_words.table(curve) + probe_words.made(curve)
    return [words, gr.Plot(curve_figure(curve, title), visible=bool(curve.points)), numbers]


def _panel(on: _On) -> str:
    """Return how far the job is; where there is none and the curve is not finished, the offer to start it."""
    finished = on.curve is not None and on.curve.complete
    if on.job is not None or on.status.state != "ready" or finished:
        return probe_job.panel(on.job)
    return probe_job.offer(on.dataset)
