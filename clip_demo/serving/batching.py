"""Micro-batching: simultaneous requests of several threads are computed in one call, and cached."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache

from .encoder_queue import EncoderQueue

PATIENCE = 0.1  # how long to wait for more requests, as a fraction of the time of the last batch


@dataclass(frozen=True)
class _Request:
    items: Mapping[Hashable, Any]
    size: float
    rows: Future = field(default_factory=Future)


class MicroBatcher:
    """Computes one row of numbers per key, in batches, with a cache of the most recently used rows.

    Parameters
    ----------
    compute : callable
        Turns a list of items into rows, shape (n, d).
    queue : EncoderQueue
        Where `compute` is called.
    memory : int
        How many rows are remembered.
    batch : float
        The size of the items that are computed in one call, unless a single request has more.
    size : callable, optional
        Returns the size of an item; default 1.
    """

    def __init__(
        self,
        compute: Callable[[list], np.ndarray],
        queue: EncoderQueue,
        *,
        memory: int,
        batch: float,
        size: Callable[[Any], float] = lambda item: 1,
    ):
        self._compute, self._queue, self._batch, self._size = compute, queue, batch, size
        self._lock = threading.Lock()
        self._rows: LRUCache[Hashable, np.ndarray] = LRUCache(memory)
        self._waiting: deque[_Request] = deque()
        self._last = 1, 0.0  # number of requests and seconds of the last batch

    def __len__(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def remembered(self, keys: Sequence[Hashable]) -> dict[Hashable, np.ndarray]:
        """Return the remembered rows by key; never waits for the encoder."""
        with self._lock:
            return {key: self._rows[key] for key in keys if key in self._rows}

    def rows(self, items: Mapping[Hashable, Any]) -> dict[Hashable, np.ndarray]:
        """Return a row for each item by key, computed together with other threads' items."""
        request = _Request(items, sum(map(self._size, items.values())))
        with self._lock:
            self._waiting.append(request)
            if len(self._waiting) == 1:  # requests that arrive later are served by the same call
                self._queue.submit(self._serve)
        return request.rows.result()

    def _serve(self) -> None:
        """Compute the rows of the requests that have waited longest."""
        self._wait_for_more()
        requests, start = self._next_batch(), time.monotonic()
        groups = deque([requests])
        while groups:
            group = groups.popleft()
            items = {key: item for request in group for key, item in request.items.items()}
            rows = self.remembered(list(items))
            missing = [key for key in items if key not in rows]
            try:
                computed = self._compute([items[key] for key in missing]) if missing else ()
                computed = dict(zip(missing, computed, strict=True))
            except BaseException as error:  # after a SystemExit, too, nobody may be left waiting
                # An error, such as a prompt that is too long, is raised only for the request that caused it.
                if len(group) == 1:
                    group[0].rows.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
                groups.extend([request] for request in group if len(group) > 1)
                continue
            self._answer(group, rows, computed)
        self._last = len(requests), time.monotonic() - start

    def _wait_for_more(self) -> None:
        """Wait a little for half as many requests as in the last batch: its clients send their next ones one by one."""
        size, seconds = self._last
        end = time.monotonic() + PATIENCE * seconds
        while 2 * len(self._waiting) < size and time.monotonic() < end:
            time.sleep(0.002)

    def _next_batch(self) -> list[_Request]:
        with self._lock:
            requests, size = [], 0.0
            while self._waiting and (not requests or size + self._waiting[0].size <= self._batch):
                requests.append(self._waiting.popleft())
                size += requests[-1].size
            if self._waiting:
                self._queue.submit(self._serve)
            return requests

    def _answer(self, requests: list[_Request], known: Mapping, computed: Mapping) -> None:
        rows = {**known, **computed}
        with self._lock:
            self._rows.update(computed)
        for request in requests:
            request.rows.set_result({key: rows[key] for key in request.items})
