"""The encoder queue: one forward pass at a time on this machine, those of visitors before those of background jobs."""

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
VISITOR, JOB = 0, 1  # priorities


class EncoderQueue:
    """Runs calls in one thread, ordered by priority and then by arrival.

    Two forward passes at the same time would compete for the same cores. It is always the same thread, because torch
    keeps a pool of helper threads for every thread that calls it.

    Parameters
    ----------
    threads : int
        More than one for a model on other machines.
    """

    def __init__(self, threads: int = 1):
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, Callable, Future]] = []
        self._numbers = itertools.count()
        self._thread = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    def __len__(self) -> int:
        """Return how many calls have not started yet."""
        return len(self._waiting)

    def run(self, work: Callable[[], T], priority: int = VISITOR) -> T:
        """Return what `work` returns, or raise what it raises; see `submit`."""
        return self.submit(work, priority).result()

    def submit(self, work: Callable[[], T], priority: int = VISITOR) -> Future[T]:
        """Add a call to the queue.

        Parameters
        ----------
        work : callable
            Should be short, since all others wait for its end. Must not call `run` itself.
        priority : int
            `VISITOR` or `JOB`.
        """
        result: Future[T] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (priority, next(self._numbers), work, result))
        self._thread.submit(self._run_first)
        return result

    def _run_first(self) -> None:
        # Called once for each call in the queue, but for the most urgent one rather than the one just added.
        with self._lock:
            *_, work, result = heapq.heappop(self._waiting)
        try:
            result.set_result(work())
        except BaseException as error:  # raised again by `run`
            result.set_exception(error)
