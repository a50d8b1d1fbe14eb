"""The background job that fits a head and its few-shot curve, at a lower priority than visitors' requests."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass

from ..datasets.base import Dataset
from ..errors import Cancelled, ModelError, OptionError, page_message_of
from ..linear_probe.pipeline import ProbePipeline, Stores
from ..progress import Progress
from .background import BackgroundTask, log_failure
from .downloads import Downloads
from .evaluator import Evaluator
from .model_handle import ModelHandle

_POLL = 0.2  # seconds


@dataclass(frozen=True)
class ProbeJobStatus:
    """The state of a job.

    Attributes
    ----------
    state : {"waiting", "encoding", "fitting", "done", "failed", "stopped"}
        "waiting": for the model or the dataset. The last three are final.
    message : str
        A plain sentence for the page.
    done, total : int
        Numbers of encoded images, earlier runs included, and of all images; 0 and 0 while waiting.
    images_per_second : float or None
        Speed of encoding.
    seconds_left : float or None
        Until all images are encoded at that speed.
    """

    state: str
    message: str
    done: int
    total: int
    images_per_second: float | None
    seconds_left: float | None

    @property
    def running(self) -> bool:
        """Whether the job still works."""
        return self.state in ("waiting", "encoding", "fitting")


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

    def start(self, model: ModelHandle, dataset: Dataset, if_missing: bool = False) -> None:
        """Start a job unless it is running; see `clip_demo.backend.Backend.start_probe_job`."""
        key = (model.name, dataset.name)
        with self._lock:
            running = self._running()
            if running is None:
                job = ProbeJob(model, dataset, self._stores, self._downloads, self._evaluator, if_missing)
                self._jobs[key] = job
            elif running is not self._jobs.get(key):
                raise OptionError(
                    f"job: one for {running.title} is running; wait until it is done, or stop it.",
                    page=f"A linear probe of {running.title} is being fitted. Wait until it is done, or stop it.",
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
    if_missing : bool
        Do nothing where a head on all training images exists.

    Attributes
    ----------
    title : str
        Model and dataset, for the user.
    """

    def __init__(
        self,
        model: ModelHandle,
        dataset: Dataset,
        stores: Stores,
        downloads: Downloads,
        evaluator: Evaluator,
        if_missing: bool,
    ):
        self.title = f"{model.title} on {dataset.title}"
        self._model, self._dataset, self._stores, self._downloads = model, dataset, stores, downloads
        self._evaluator, self._if_missing = evaluator, if_missing
        self._state, self._message = "waiting", f"{self.title}: starting."
        self._done = {"train features": 0, "test features": 0}
        self._speed: float | None = None
        # What is being encoded, and the time and the images at its first report, which may include stored images.
        self._encoding, self._speed_since = "", (0.0, 0)
        self._task = BackgroundTask(self._run, f"probe-job-{model.name}")

    def stop(self) -> None:
        """Stop after the current batch or fit."""
        self._task.cancel()

    @property
    def status(self) -> ProbeJobStatus:
        """The current state."""
        done = sum(self._done.values())
        total = sum(self._dataset.sizes.values()) if done else 0
        speed = self._speed if self._state == "encoding" else None
        left = (total - done) / speed if speed else None
        return ProbeJobStatus(self._state, self._message, done, total, speed, left)

    def _run(self, check: Progress) -> None:
        _lower_priority()
        try:
            self._wait_for_inputs(check)
            accuracy = self._fit(check)
            self._set("done", f"The head of {self.title} is ready: {accuracy:.2%} of the test images are correct.")
        except Cancelled:
            self._set("stopped", f"{self.title}: stopped; what was computed is kept.")
        except Exception as error:  # Nobody would see an exception of this thread.
            log_failure(f"The linear probe of {self.title}", error)
            failed = f"The linear probe of {self.title} could not be fitted. Try again."
            self._set("failed", page_message_of(error, failed))

    def _set(self, state: str, message: str) -> None:
        self._message, self._state = message, state

    def _wait_for_inputs(self, check: Progress) -> None:
        """Wait for the model and the dataset, which is downloaded where it is missing."""
        while (model := self._model.status).state in ("downloading", "loading"):
            self._wait(model.message, check)
        if model.state == "failed":
            raise ModelError(model.message, page=model.message)
        self._downloads.start(self._dataset)
        while (dataset := self._downloads.status(self._dataset)).state == "downloading":
            self._wait(dataset.message, check)

    def _wait(self, message: str, check: Progress) -> None:
        self._set("waiting", message)
        check("waiting", 0, 1)
        time.sleep(_POLL)

    def _fit(self, check: Progress) -> float:
        """Fit what is missing, and return the accuracy of the head on all training images."""
        encoder = self._model.encoder

        def progress(what: str, done: int, total: int) -> None:
            check(what, done, total)
            self._note(what, done, total)

        pipeline = ProbePipeline(
            encoder,
            self._dataset,
            self._stores,
            lambda: self._evaluator.zero_shot(self._model, self._dataset),
            extract=self._model.features.extract,
            fit_threads=1,
            progress=progress,
        )
        head = self._stores.heads.get(encoder.sha256, self._dataset.name)
        if not pipeline.is_finished(head_only=self._if_missing):
            for fitted in pipeline.heads(early=True):
                head = self._stores.heads.improve(fitted)
            self._evaluator.find_first_image(self._model, self._dataset)
        return head.provenance.test_accuracy

    def _note(self, what: str, done: int, total: int) -> None:
        """Update the status from the pipeline's progress."""
        if what not in self._done:
            self._encoding = ""
            self._set("fitting", f"Fitting heads of {self.title}: {done} of {total} are ready")
            return
        self._done[what] = done
        now, encoded = time.monotonic(), sum(self._done.values())
        if what != self._encoding:
            self._set("encoding", f"Encoding the images of {self._dataset.title} with {self._model.title}")
            self._encoding, self._speed, self._speed_since = what, None, (now, encoded)
        elif now > self._speed_since[0]:
            self._speed = (encoded - self._speed_since[1]) / (now - self._speed_since[0])


def _lower_priority() -> None:
    """Let this thread use the processor only when nothing else does."""
    if sys.platform == "linux":  # where every thread has its own priority
        with contextlib.suppress(OSError):  # some containers forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
