"""The events of the tab. The browser sends one command, one test photo and one measurement at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import gradio as gr
import numpy as np

from ...backend import Backend
from ...datasets.example_photos import example_photos
from ...errors import Cancelled, ClipDemoError, OptionError
from ...own_classes.held_out import is_early
from ...own_classes.photo_set import PhotoSet
from ...serving.background import BackgroundTask
from ...serving.teacher import answers
from ..background import progress_bar, progress_of, visitor_task
from ..event_options import QUIET, event_value, load_if_downloaded, page_error
from ..explore.events import MODEL_QUEUE
from ..explore.layout import Fields
from ..explore.view import WAITING, alert, waiting
from ..uploads import temporary_upload
from .accuracy_view import HEADING, details, summary
from .commands import Commands, check_ready, first_template
from .figure import accuracy_figure
from .layout import OwnClassesTab
from .text import EARLY, NOTHING_YET
from .view import bars

_COMMANDS = {**QUIET, "concurrency_id": "teach", "concurrency_limit": 8, "trigger_mode": "multiple"}
# Of all visitors: each takes a processor for some seconds.
_MEASURING = {**QUIET, "concurrency_id": "teach-accuracy", "concurrency_limit": 2, "trigger_mode": "multiple"}


def connect(tab: gr.Tab, backend: Backend, fields: Fields, parts: OwnClassesTab) -> None:
    """Connect the tab with the backend, and with the model and the prompt of the Explore tab."""
    inputs = [fields.model, fields.templates]
    commands, measurements = Commands(backend), Measurements(backend)

    def command(event: gr.EventData, model: Any, templates: Any) -> str:
        data = event_value(event, "command")
        try:
            return commands.run(event_value(event, "token"), _mapping(data), _model(backend, model), templates)
        except ClipDemoError as error:
            raise page_error(error) from error

    def predict(event: gr.EventData, model: Any, templates: Any) -> str:
        test = _mapping(event_value(event, "test"))
        return answer_html(backend, event_value(event, "token"), test, _model(backend, model), templates)

    def measure(event: gr.EventData, model: Any, templates: Any) -> Iterator[list[Any]]:
        yield from measurements.run(event_value(event, "token"), _model(backend, model), templates)

    # Without preprocessing, which refuses a model that was offered after the page was built.
    raw = {"inputs": inputs, "preprocess": False}
    done = parts.desk.command(command, outputs=parts.answer, **raw, **_COMMANDS)
    done.then(None, inputs=parts.answer, outputs=parts.answer, js="(text) => clipTeach.answered(text)", **QUIET)
    done.failure(None, js="() => clipTeach.failed()", **QUIET)
    shown = parts.desk.predict(predict, outputs=parts.bars, trigger_mode="multiple", **raw, **{**MODEL_QUEUE, **QUIET})
    for ended in (shown.then, shown.failure):
        ended(None, js="() => clipTeach.predicted()", **QUIET)
    parts.desk.measure(measure, outputs=[parts.accuracy, parts.plot, parts.numbers], **raw, **_MEASURING)
    for changed in (tab.select, fields.model.change):
        changed(None, js="() => clipTeach.refresh()", **QUIET)


def answer_html(backend: Backend, visitor: Any, test: Mapping[str, Any], model: str, templates: Any) -> str:
    """Return what the classifiers say of a test photo.

    Parameters
    ----------
    backend : Backend
    visitor : str
    test : mapping
        ``path`` of an upload, which is deleted; ``example``, a name; or ``key`` of one of the visitor's own photos,
        which is then answered by classifiers that learned from all others. Empty: nothing is asked.
    model, templates : str
    """
    status = load_if_downloaded(backend, model)
    try:
        with ExitStack() as stack:
            path = stack.enter_context(temporary_upload(test)) if "path" in test else None
            photo_set, teacher = backend.teacher.kept.get(visitor), backend.teacher
            if status.state in WAITING:
                return f'<div data-again="1">{waiting(status)}</div>'
            check_ready(backend, model)
            examples = teacher.examples(photo_set, templates=first_template(templates), model=model)
            draw = partial(bars, classnames=photo_set.classnames)
            if "key" in test:
                position, truth = _position(photo_set, test["key"])
                examples = examples.subset(np.arange(len(photo_set.photos)) != position)
                said = answers(examples, photo_set.photos[position].features)
                return draw(said, examples, truth=truth, held_out=True)
            if "example" in test:
                path = _example(test["example"])
            if path is None:
                return NOTHING_YET
            return draw(teacher.predict(examples, path, model=model), examples, truth=None, held_out=False)
    except ClipDemoError as error:
        return alert(error.page_message, stale=False)


def _position(photo_set: PhotoSet, key: Any) -> tuple[int, str]:
    """Return the position of a photo, and the name of its class."""
    for position, photo in enumerate(photo_set.photos):
        if photo.key == key:
            return position, photo_set.classnames[photo_set.labels[position]]
    raise OptionError("key: there is no such photo.", page="This photo is not there any more. Choose another one.")


def _example(name: Any) -> Any:
    photo = example_photos().get(name) if isinstance(name, str) else None
    if photo is None:
        raise OptionError("example: there is none of this name.", page="This example is not there. Choose another one.")
    return photo.path


class Measurements:
    """How good the classifiers are, computed in the background; a new measurement ends the visitor's last one.

    Parameters
    ----------
    backend : Backend
    """

    def __init__(self, backend: Backend):
        self._backend, self._lock = backend, threading.Lock()
        self._running: dict[str, BackgroundTask] = {}

    def run(self, visitor: Any, model: str, templates: Any) -> Iterator[list[Any]]:
        """Yield what is above the figure, the figure, and what is below it."""
        teacher, same = self._backend.teacher, gr.skip()
        try:
            photo_set = teacher.kept.get(visitor)
            if not photo_set.photos:
                yield ["", gr.Plot(visible=False), ""]
                return
            check_ready(self._backend, model)
            examples = teacher.examples(photo_set, templates=first_template(templates), model=model)
            if is_early(examples):
                yield [HEADING + EARLY, gr.Plot(visible=False), ""]
                return
            work = partial(self._measure, examples, model)
            with visitor_task(self._backend, work, "own classes") as task:
                self._replace(visitor, task)
                try:
                    for progress in progress_of(task):
                        yield [HEADING + progress_bar(progress), same, same]
                finally:
                    self._forget(visitor, task)
            result, most = task.result(), int(np.bincount(examples.labels).max()) - 1
            figure = gr.Plot(accuracy_figure(result, most), visible=True)
            yield [summary(result, photo_set), figure, details(result, photo_set)]
        except Cancelled:  # by the visitor's next one
            yield [same, same, same]
        except ClipDemoError as error:
            yield [HEADING + alert(error.page_message, stale=False), gr.Plot(visible=False), ""]

    def _measure(self, examples: Any, model: str, progress: Any) -> Any:
        return self._backend.teacher.held_out(examples, model=model, progress=progress)

    def _replace(self, visitor: str, task: BackgroundTask) -> None:
        with self._lock:
            if visitor in self._running:
                self._running[visitor].cancel()
            self._running[visitor] = task

    def _forget(self, visitor: str, task: BackgroundTask) -> None:
        with self._lock:
            if self._running.get(visitor) is task:
                del self._running[visitor]


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return what an event carries, or nothing; a client may send anything."""
    return value if isinstance(value, Mapping) else {}


def _model(backend: Backend, model: Any) -> str:
    return model if isinstance(model, str) else backend.default_model
