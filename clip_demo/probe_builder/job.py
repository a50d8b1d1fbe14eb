"""Long work in a thread: how far it is, how fast, and how to end it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..encoder import Report
from ..errors import Cancelled, ClipDemoError
from ..results import BuildStatus

__all__ = ["Job"]


class Job:
    """The building of heads and a curve for one model and one image set, in the background.

    Parameters
    ----------
    title : str
        What is built, for people.
    work : callable
        Does it; is given a `Report` to call, by whose exception it is ended.
    sizes : dict of str to int
        How many pictures there are to encode in each split.
    """

    def __init__(self, title: str, work: Callable[[Report], None], sizes: dict[str, int]):
        self.title, self._work, self._sizes = title, work, sizes
        self._stop = threading.Event()
        self._done = dict.fromkeys(sizes, 0)
        self._began = 0.0, 0  # when, and with how many done, the encoding at hand began
        self._rate: float | None = None
        self._state, self._what = "waiting", "waiting for the model"
        threading.Thread(target=self._run, name="build", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._state in ("waiting", "encoding", "fitting")

    def cancel(self) -> None:
        """End it after the batch, or the fit, that is at hand; what was made stays on disk."""
        self._stop.set()
        if self.running:
            self._what = "stopping after what is at hand"

    @property
    def status(self) -> BuildStatus:
        """How far it is."""
        done, total = sum(self._done.values()), sum(self._sizes.values())
        rate = self._rate if self._state == "encoding" else None
        return BuildStatus(
            state=self._state,
            message=f"{self.title}: {self._what}.",
            done=done,
            total=total,
            images_per_second=rate,
            seconds_left=(total - done) / rate if rate else None,
        )

    def _run(self) -> None:
        try:
            with _modestly():
                self._work(self._report)
            self._state, self._what = "done", "done"
        except Cancelled:
            self._state, self._what = "stopped", "stopped; what was made is kept, and the next start goes on from it"
        except ClipDemoError as error:
            self._state, self._what = "failed", str(error).rstrip(".")
        except Exception as error:  # A thread's exception reaches nobody otherwise.
            self._state, self._what = "failed", f"{type(error).__name__}: {error}"

    def _report(self, what: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled("build: it was stopped.")
        before, self._what, split = self._what, what, what.partition(" ")[0]
        if split not in self._sizes:
            self._state = "fitting" if split == "fitting" else "waiting"
            return
        self._state = "encoding"
        self._done[split] = max(done, self._done[split])
        now = time.monotonic()
        # What a split has when it begins came from the disk: the pace is that of what follows.
        if what != before:
            self._began = now, done
        elif done > self._began[1]:
            self._rate = (done - self._began[1]) / (now - self._began[0])


@contextmanager
def _modestly() -> Iterator[None]:
    """Leave the processor to visitors: one thread for linear algebra, and on Linux the last in the queue."""
    from threadpoolctl import threadpool_limits  # scikit-learn brings it

    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
    with threadpool_limits(1, user_api="blas"):
        yield
