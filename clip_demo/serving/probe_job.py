"""A head and its curve, made in the background while visitors come first."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..errors import ClipDemoError
from ..features.extract import batched
from ..features.shards import Shards
from ..linear_probe.few_shot_curve import missing_draws, with_draw
from ..linear_probe.fit import EARLY_TEST, EARLY_TRAIN, Draw, ProbeFitter
from ..linear_probe.head import RECIPE, Head
from ..linear_probe.pipeline import Stores, open_curve
from .downloads import Downloads
from .pace_tmp import Pace
from .probe_job import ProbeJobStatus

__all__ = ["Job"]

_LOOK = 0.2  # seconds between two looks at what the job waits for


class _Stopped(Exception):
    """Somebody does not want the job any more."""


class Job:
    """Makes a head, and a better one again and again, in a thread that starts at once.

    Parameters
    ----------
    stores : Stores
    fetches : Downloads
    model : Loading
    dataset : Dataset
    if_missing : bool
        Make nothing where a head on all training images is there.

    Attributes
    ----------
    title : str
        What it works on, for people.
    """

    def __init__(self, stores: Stores, fetches: Downloads, model: ModelHandle, dataset: Dataset, if_missing: bool):
        self.title = f"{model.name} on {dataset.title}"
        self._stores, self._fetches, self._model, self._dataset = stores, fetches, model, dataset
        self._if_missing = if_missing
        self._stop = threading.Event()
        self._pace = Pace()
        self._state, self._message = "waiting", f"{self.title}: about to begin."
        self._done = {"train": 0, "test": 0}
        self._head_note = ""
        self._thread = threading.Thread(target=self._run, name=f"build-{model.name}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still does something."""
        return self._thread.is_alive() and self._state not in ("done", "failed", "stopped")

    def stop(self) -> None:
        """Let it stop as soon as it can."""
        self._stop.set()

    @property
    def status(self) -> ProbeJobStatus:
        """Where it stands."""
        done = sum(self._done.values())
        total = sum(self._dataset.sizes.values()) if done else 0
        speed = self._pace.images_per_second if self._state == "encoding" else None
        left = (total - done) / speed if speed and total else None
        return ProbeJobStatus(self._state, self._message, done, total, speed, left, self._head_note)

    # --- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        _step_back()
        try:
            self._wait()
            head = self._make()
            accuracy = 100 * head.provenance.test_accuracy
            self._say("done", f"The head of {self.title} is ready: {accuracy:.2f} % of the test images.")
        except _Stopped:
            self._say("stopped", f"{self.title}: stopped; what was computed is kept.")
        except ClipDemoError as error:
            self._say("failed", str(error))
        except Exception as error:  # A thread's exception reaches nobody otherwise.
            self._say("failed", f"build: {self.title} cannot go on ({type(error).__name__}: {error}).")

    def _say(self, state: str, message: str) -> None:
        self._message, self._state = message, state

    def _check(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _wait(self) -> None:
        """Wait for the model and the images, and have them fetched where they are not there."""
        while self._model.state in ("fetching", "loading"):
            self._say("waiting", self._model.message)
            self._pause()
        self._fetches.start(self._dataset)
        while (status := self._fetches.status(self._dataset)).state == "fetching":
            self._say("waiting", status.message)
            self._pause()
        self._check()

    def _pause(self) -> None:
        if self._stop.wait(_LOOK):
            raise _Stopped

    def _make(self) -> Head:
        """Make the head on all images; better and better ones, and the points of the curve, on the way."""
        encoder, stores = self._model.encoder, self._stores
        before = stores.heads.get(encoder.sha256, self._dataset.name)
        curve = stores.curves.get(encoder.sha256, self._dataset.name)
        if before and self._is_full(before) and (self._if_missing or (curve and curve.complete)):
            return before
        builder = ProbeFitter(encoder, self._dataset, stores.shards, batched(self._encode_few))
        self._early(builder)
        self._encode(builder.test, "test")
        curve = open_curve(stores, builder, self._model.name)
        folder = stores.curves.folders[-1]
        for draw in missing_draws(builder, curve):
            self._encode(builder.train, "train", draw.stop)
            curve = with_draw(builder, curve, draw, self._accuracy(builder, draw))
            stores.curves.put(curve, folder)
        return self._full(builder)

    def _early(self, builder: ProbeFitter) -> None:
        """Make a first head from few images, where there is none that knows as many."""
        head = self._stores.heads.get(builder.encoder.sha256, self._dataset.name)
        n_train = EARLY_TRAIN * len(self._dataset.classnames)
        if head is None and n_train < len(builder.train.order):
            self._encode(builder.train, "train", n_train)
            self._encode(builder.test, "test", EARLY_TEST)
            head = self._fit(builder, 0, n_train, EARLY_TEST)
            self._use(head)
        elif head is not None:
            self._head_note = head.provenance.note

    def _accuracy(self, builder: ProbeFitter, draw: Draw) -> float:
        """Return what a draw's head gets right; the head is used where it knows more images than the one that is."""
        if draw.stop - draw.start == len(builder.train.order):
            return self._full(builder).provenance.test_accuracy
        head = self._fit(builder, draw.start, draw.stop)
        self._use(head)
        return head.provenance.test_accuracy

    def _full(self, builder: ProbeFitter) -> Head:
        """Return the head on all images by the article's recipe, fitted where it is not there yet."""
        known = self._stores.heads.get(builder.encoder.sha256, self._dataset.name)
        if known and self._is_full(known) and known.provenance.C == RECIPE["C"] and not known.provenance.normalized:
            return known
        size = len(builder.train.order)
        self._encode(builder.train, "train", size)
        head = self._fit(builder, 0, size)
        self._use(head)
        return head

    def _is_full(self, head: Head) -> bool:
        return head.provenance.n_train >= self._dataset.sizes["train"]

    def _use(self, head: Head) -> None:
        self._head_note = self._stores.heads.improve(head, self._stores.heads.folders[-1]).provenance.note

    # --- the work -------------------------------------------------------------------------------------------------

    def _encode(self, shards: Shards, split: str, n: int | None = None) -> None:
        self._check()
        self._say("encoding", f"Encoding the images of {self._dataset.title} with {self._model.name}")
        self._pace.rest()
        shards.up_to(len(shards.order) if n is None else n, lambda done: self._done.update({split: done}))

    def _encode_few(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Encode when no visitor waits, and tell the pace."""
        self._check()
        rows = self._model.features.of_job(images)
        self._pace.took(len(images))
        return rows

    def _fit(self, builder: ProbeFitter, start: int, stop: int, n_test: int | None = None) -> Head:
        self._check()
        each = (stop - start) // len(self._dataset.classnames)
        self._say("fitting", f"Fitting a head on {each} image{'s' if each > 1 else ''} of each class")
        # Imported late, as scikit-learn is, which brings it.
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, user_api="blas"):
            return builder.fit(start, stop, n_test)


def _step_back() -> None:
    """Let this thread have the processor only where nobody else wants it."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
