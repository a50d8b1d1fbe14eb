"""One piece of heavy work at a time, visitors' before background jobs'."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["JOB", "VISITOR", "EncoderQueue"]

T = TypeVar("T")
VISITOR, JOB = 0, 1


class EncoderQueue:
    """Runs work in one thread of its own: first what visitors wait for, then jobs; each in the order of asking.

    Two forward passes at once would only fight for the same cores. And it is always the same thread, because torch
    keeps a pool of helpers for every thread that calls it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, Callable, Future]] = []
        self._numbers = itertools.count()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")

    def run(self, work: Callable[[], T], rank: int = VISITOR) -> T:
        """Return what `work` returns, or raise what it raises, when its turn has come; see `queue`."""
        return self.queue(work, rank).result()

    def queue(self, work: Callable[[], T], rank: int = VISITOR) -> Future[T]:
        """Have `work` done when its turn has come.

        Parameters
        ----------
        work : callable
            Short: whoever comes meanwhile waits for its end. Must not call `run` itself.
        rank : int
            `VISITOR` or `JOB`; the lower comes first.
        """
        result: Future[T] = Future()
        with self._lock:
            heapq.heappush(self._waiting, (rank, next(self._numbers), work, result))
        self._thread.submit(self._run_first)
        return result

    def _run_first(self) -> None:
        # As often as something was put in, so nothing is left; but not always what was put in just then.
        with self._lock:
            *_, work, result = heapq.heappop(self._waiting)
        try:
            result.set_result(work())
        except BaseException as error:  # It belongs to whoever asked.
            result.set_exception(error)
