"""The background job that fits heads and the few-shot curve, at a lower priority than visitors' requests."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial

from ..artifacts import check_folder
from ..datasets.base import Dataset
from ..errors import ArtifactError, Cancelled, ModelError, OptionError, page_message_of
from ..linear_probe.pipeline import ProbePipeline, Stores, early_sizes
from ..progress import Progress, duration
from .background import BackgroundTask, log_failure
from .downloads import DatasetStatus, Downloads
from .evaluator import Evaluator
from .model_handle import ModelHandle, ModelStatus

_POLL = 0.2  # seconds
_RUNNING = ("waiting", "encoding", "fitting")
STEPS = 4  # the downloads, the early head, the early few-shot curve, and both on all images


@dataclass(frozen=True)
class Plan:
    """How far a job goes.

    Attributes
    ----------
    fit : bool
        Whether anything is fitted; otherwise model and dataset are downloaded.
    head_only : bool
        Whether a head on all training images is enough, without a curve.
    patience : float
        After the early head and curve, how many seconds the rest may take by estimate; otherwise the job pauses there.
    """

    fit: bool = True
    head_only: bool = False
    patience: float = math.inf

    def __or__(self, other: Plan) -> Plan:
        """Return the plan that goes as far as both."""
        if not (self.fit and other.fit):
            return self if self.fit else other
        return Plan(True, self.head_only and other.head_only, max(self.patience, other.patience))


WHOLE = Plan()


@dataclass(frozen=True)
class ProbeJobStatus:
    """The state of a job.

    Attributes
    ----------
    state : {"waiting", "encoding", "fitting", "done", "paused", "failed", "stopped"}
        "waiting": for the model or the dataset. "paused": after the early head, because the rest takes long. The last
        four are final.
    message : str
        A plain sentence for the page.
    done, total : int
        Numbers of encoded images, earlier runs included, and of those that the next head needs; 0 and 0 while waiting.
    images_per_second : float or None
        Speed of encoding.
    seconds_left : float or None
        Until these images are encoded at that speed, or the downloads are done; of a paused job, the estimate.
    title : str
        Model and dataset, for the user.
    step, steps : int
        From 1 to `steps`; 0 before the first.
    share : float or None
        How much of the step is done, 0 to 1; None where that is not known.
    """

    state: str
    message: str
    done: int
    total: int
    images_per_second: float | None
    seconds_left: float | None
    title: str = ""
    step: int = 0
    steps: int = STEPS
    share: float | None = None

    @property
    def running(self) -> bool:
        """Whether the job still works."""
        return self.state in _RUNNING


class ProbeJobs:
    """The jobs that were started, at most one at a time; the latest of each model and dataset is remembered.

    Parameters
    ----------
    stores : Stores
    downloads : Downloads
        Downloads missing datasets.
    evaluator : Evaluator
        Evaluates zero-shot prediction, and finds the first image when the head is fitted.
    """

    def __init__(self, stores: Stores, downloads: Downloads, evaluator: Evaluator):
        self._stores, self._downloads, self._evaluator = stores, downloads, evaluator
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], ProbeJob] = {}
        self._latest: ProbeJob | None = None

    def start(self, model: ModelHandle, dataset: Dataset, plan: Plan = WHOLE) -> None:
        """Start a job, or let the one that is running go further; see `clip_demo.backend.Backend.start_probe_job`."""
        key = (model.name, dataset.name)
        with self._lock:
            running = self._running()
            if running is None:
                after = self._latest and self._latest.task
                job = ProbeJob(model, dataset, self._stores, self._downloads, self._evaluator, plan, after)
                self._jobs[key] = self._latest = job
            elif running is self._jobs.get(key):
                running.plan |= plan
            else:
                raise OptionError(
                    f"job: one for {running.title} is running; wait until it is done, or stop it.",
                    page=f"{running.title} is being prepared. Wait until that is done, or stop it.",
                )

    def stop(self) -> None:
        """Stop the running job, if any."""
        with self._lock:
            if running := self._running():
                running.stop()

    def status(self, model: str, dataset: str) -> ProbeJobStatus | None:
        """Return the state of the latest job for a model and a dataset."""
        job = self._jobs.get((model, dataset))
        return None if job is None else job.status

    @property
    def running_message(self) -> str:
        """Message of the running job, whatever it is for; empty without one."""
        running = self._running()
        return running.status.message if running else ""

    def _running(self) -> ProbeJob | None:
        return next((job for job in list(self._jobs.values()) if job.status.running), None)


class ProbeJob:
    """Fits better and better heads, and the few-shot curve, in a background task.

    Parameters
    ----------
    model : ModelHandle
    dataset : Dataset
    stores, downloads, evaluator
        See `ProbeJobs`.
    plan : Plan
    after : BackgroundTask, optional
        Ends before this one begins: that of a job that was stopped in the middle of a batch or a fit.

    Attributes
    ----------
    title : str
        Model and dataset, for the user.
    plan : Plan
        May be replaced by one that goes further while the job is running.
    task : BackgroundTask
    """

    def __init__(
        self,
        model: ModelHandle,
        dataset: Dataset,
        stores: Stores,
        downloads: Downloads,
        evaluator: Evaluator,
        plan: Plan,
        after: BackgroundTask[None] | None = None,
    ):
        self.title = f"{model.title} on {dataset.title}"
        self._model, self._dataset, self._stores, self._downloads = model, dataset, stores, downloads
        self._evaluator, self.plan = evaluator, plan
        self._state, self._message = "waiting", f"{self.title}: starting."
        self._done = {"train features": 0, "test features": 0}
        self._step, self._share, self._left, self._speed = 0, None, None, None
        self._total = sum(dataset.sizes.values())
        # What is being encoded, and the time and the images at its first report, which may include stored images.
        self._encoding, self._speed_since = "", (0.0, 0)
        self.task = BackgroundTask(partial(self._run, after), f"probe-job-{model.name}")

    def stop(self) -> None:
        """Stop downloads, or stop after the current batch or fit; the status says so at once."""
        if self._state == "waiting":
            self._downloads.stop(self._dataset)
            self._model.stop()
        self.task.cancel()

    @property
    def status(self) -> ProbeJobStatus:
        """The current state."""
        state, message, share = self._state, self._message, self._share
        if self.task.cancelled and state in _RUNNING:  # a fit, which cannot be interrupted, may take minutes
            state, message = self._stopped
        total = self._total if any(self._done.values()) else 0
        done = min(sum(self._done.values()), total)  # shards are whole
        speed = self._speed if state == "encoding" else None
        left = (total - done) / speed if speed else self._left
        if state == "encoding":
            share = done / total if total else None
        steps = STEPS if self.plan.fit else 1
        return ProbeJobStatus(state, message, done, total, speed, left, self.title, self._step, steps, share)

    @property
    def _stopped(self) -> tuple[str, str]:
        return "stopped", f"{self.title}: stopped; what was done is kept."

    def _run(self, after: BackgroundTask[None] | None, check: Progress) -> None:
        _lower_priority()
        try:
            if after:
                after.wait()
            check("waiting", 0, 1)
            if self.plan.fit:
                _check_writable(self._stores)
            self._wait_for_inputs(check)
            self._set(*(self._fit(check) if self.plan.fit else ("done", f"{self.title}: both are on this machine.")))
        except Cancelled:
            self._set(*self._stopped)
        except _NotThere as error:  # who failed to get it has logged why
            self._set("failed", error.page_message)
        except Exception as error:  # Nobody would see an exception of this thread.
            log_failure(f"The linear probe of {self.title}", error)
            failed = f"The linear probe of {self.title} could not be fitted. Try again."
            self._set("failed", page_message_of(error, failed))

    def _set(self, state: str, message: str, share: float | None = None, left: float | None = None) -> None:
        self._message, self._share, self._left, self._state = message, share, left, state

    def _wait_for_inputs(self, check: Progress) -> None:
        """Wait for the model and the dataset, which is downloaded where it is missing, at the same time."""
        self._step = 1
        self._downloads.start(self._dataset)
        pace = _Pace()
        while waiting := [each for each in self._inputs() if each.state in ("downloading", "loading")]:
            share, left = pace.after(*self._received())
            self._set("waiting", waiting[0].message, share, left)
            check("waiting", 0, 1)
            time.sleep(_POLL)
        for each in self._inputs():
            if each.state == "failed":
                raise _NotThere(each.message, page=each.message)
            if each.state == "absent":  # somebody else has stopped it
                raise Cancelled(each.message)

    def _inputs(self) -> tuple[ModelStatus, DatasetStatus]:
        return self._model.status, self._downloads.status(self._dataset)

    def _received(self) -> tuple[float, float]:
        """Return the bytes that were received of what is downloading, and its bytes in total."""
        model, dataset = self._inputs()
        sizes = ((model.progress, (model.megabytes or 0) * 1e6), (dataset.progress, dataset.download_bytes or 0))
        running = [(share * size, size) for share, size in sizes if share is not None]
        return sum(done for done, _ in running), sum(size for _, size in running)

    def _fit(self, check: Progress) -> tuple:
        """Fit what is missing, and return the arguments of `_set` that say how it ended."""
        encoder = self._model.encoder

        def progress(what: str, done: int, total: int) -> None:
            check(what, done, total)
            self._note(what, done, total)

        pipeline = ProbePipeline(
            encoder,
            self._dataset,
            self._stores,
            lambda *part: self._evaluator.zero_shot(self._model, self._dataset, *part),
            extract=self._model.features.extract,
            fit_threads=1,
            progress=progress,
        )
        head = self._stores.heads.get(encoder.sha256, self._dataset.key)
        if not pipeline.is_finished(head_only=self.plan.head_only):
            self._step, self._total = 2, sum(early_sizes(self._dataset).values())
            for fitted in pipeline.early_heads():
                self._stores.heads.improve(fitted)
            self._step, self._total = STEPS, sum(self._dataset.sizes.values())
            left = 0.0 if self.plan.patience == math.inf else pipeline.seconds_left()
            if left > self.plan.patience:
                return "paused", self._pause_message(left), None, left
            for fitted in pipeline.heads():
                head = self._stores.heads.improve(fitted)
            self._evaluator.find_first_image(self._model, self._dataset)
        accuracy = head.provenance.test_accuracy
        return "done", f"The head of {self.title} is ready: {accuracy:.2%} of the test images are correct."

    def _pause_message(self, left: float) -> str:
        return (
            f"A first linear probe of {self.title} is ready. Training it on all "
            f"{self._dataset.sizes['train']:,} images would take {duration(left)} on this computer."
        )

    def _note(self, what: str, done: int, total: int) -> None:
        """Update the status from the pipeline's progress."""
        if what not in self._done:
            self._encoding = ""
            if what == "fits of the early curve":
                self._step = 3
            message = f"Fitting heads of {self.title}: {done} of {total} are ready"
            self._set("fitting", message, done / total if total > 1 else None)
            return
        self._done[what] = done
        now, encoded = time.monotonic(), sum(self._done.values())
        if what != self._encoding:
            self._set("encoding", f"Encoding the images of {self._dataset.title} with {self._model.title}")
            self._encoding, self._speed, self._speed_since = what, None, (now, encoded)
        elif now > self._speed_since[0]:
            self._speed = (encoded - self._speed_since[1]) / (now - self._speed_since[0])


class _NotThere(ModelError):
    """The model or the dataset could not be downloaded or loaded."""


class _Pace:
    """How fast downloads are, which may begin and end at different times."""

    def __init__(self):
        self._total, self._since = 0.0, (0.0, 0.0)

    def after(self, done: float, total: float) -> tuple[float | None, float | None]:
        """Return the share that is done, and the seconds that are left; None for what is not known."""
        now = time.monotonic()
        if total != self._total:
            self._total, self._since = total, (now, done)
        start, first = self._since
        left = (now - start) * (total - done) / (done - first) if done > first else None
        return done / total if total else None, left


def _check_writable(stores: Stores) -> None:
    """Raise an ArtifactError where no head can be saved: before long downloads and work."""
    folder = stores.heads.folders[-1]
    try:
        check_folder(folder, "heads")
    except OptionError as error:
        raise ArtifactError(
            f"{error} The folder can be chosen with $CLIP_DEMO_CACHE.",
            page="No linear probe can be stored on this computer. Ask the person who runs this program to make room, "
            "or to choose another folder.",
            private=True,
        ) from error


def _lower_priority() -> None:
    """Let this thread use the processor only when nothing else does."""
    if sys.platform == "linux":  # where every thread has its own priority
        with contextlib.suppress(OSError):  # some containers forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
