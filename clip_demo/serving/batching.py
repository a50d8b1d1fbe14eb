"""What several threads ask for at the same time, computed together and remembered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .encoder_queue import EncoderQueue

__all__ = ["MicroBatcher"]

PATIENCE = 0.1  # of a batch's own time


@dataclass(frozen=True)
class _Request:
    items: Mapping[Hashable, Any]
    result: Future = field(default_factory=Future)


class MicroBatcher:
    """Rows of numbers by key, in a bounded memory that forgets the least recently used.

    Parameters
    ----------
    compute : callable
        EncoderQueue a list of items into rows, shape (n, d).
    turns : EncoderQueue
        Where it is called.
    memory : int
        How many rows are remembered.
    batch : int
        How many items are computed in one call, where more are not asked for at once by one thread.
    """

    def __init__(self, compute: Callable[[list], np.ndarray], turns: EncoderQueue, *, memory: int, batch: int):
        self._compute, self._turns = compute, turns
        self._limit, self._batch = memory, batch
        self._lock = threading.Lock()
        self._rows: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._waiting: deque[_Request] = deque()
        self._last = 1, 0.0  # how many requests the last batch answered, and its seconds

    def remembered(self, keys: Sequence[Hashable]) -> dict[Hashable, np.ndarray]:
        """Return the rows that are in memory, by key; never waits for the encoder."""
        with self._lock:
            found = {key: self._rows[key] for key in keys if key in self._rows}
            for key in found:
                self._rows.move_to_end(key)
            return found

    def rows(self, items: Mapping[Hashable, Any]) -> dict[Hashable, np.ndarray]:
        """Return a row for each item, by key; computed together with what others are waiting for."""
        request = _Request(items)
        with self._lock:
            self._waiting.append(request)
            if len(self._waiting) == 1:  # the others wait for the same turn
                self._turns.queue(self._serve)
        return request.result.result()

    def _serve(self) -> None:
        """Compute for those who have waited longest."""
        self._gather()
        with self._lock:
            requests, size = [], 0
            while self._waiting and (not requests or size + len(self._waiting[0].items) <= self._batch):
                requests.append(self._waiting.popleft())
                size += len(requests[-1].items)
            if self._waiting:
                self._turns.queue(self._serve)
        start = time.monotonic()
        self._answer_all(requests)
        self._last = len(requests), time.monotonic() - start

    def _gather(self) -> None:
        """Those who were answered together come back one by one: wait a little for half of them."""
        size, seconds = self._last
        end = time.monotonic() + PATIENCE * seconds
        while 2 * len(self._waiting) < size and time.monotonic() < end:
            time.sleep(0.002)

    def _answer_all(self, requests: list[_Request]) -> None:
        try:
            self._answer(requests)
        except Exception as error:
            # One request's mistake, such as a prompt too long, is nobody else's.
            if len(requests) == 1:
                requests[0].result.set_exception(error)
                return
            for request in requests:
                try:
                    self._answer([request])
                except Exception as own:
                    request.result.set_exception(own)

    def _answer(self, requests: list[_Request]) -> None:
        items = {key: item for request in requests for key, item in request.items.items()}
        rows = self.remembered(list(items))
        missing = [key for key in items if key not in rows]
        if missing:
            rows.update(zip(missing, self._compute([items[key] for key in missing]), strict=True))
            self._remember({key: rows[key] for key in missing})
        for request in requests:
            request.result.set_result({key: rows[key] for key in request.items})

    def _remember(self, rows: Mapping[Hashable, np.ndarray]) -> None:
        with self._lock:
            self._rows.update(rows)
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)
