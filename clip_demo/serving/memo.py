"""A bounded cache that computes each missing value once, even when several threads ask at the same time."""

import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

from ..progress import Progress

T = TypeVar("T")
POLL = 0.5  # seconds between two progress calls while waiting for another thread


class Memo(Generic[T]):
    """The least recently used values are dropped.

    Parameters
    ----------
    maxsize : int
        How many values are kept, or how large they are together.
    getsizeof : callable, optional
        Returns the size of a value; default 1.

    Attributes
    ----------
    pending : set
        Keys whose values are being computed.
    """

    def __init__(self, maxsize: int, getsizeof: Callable[[T], int] | None = None):
        self._values: LRUCache[Hashable, T] = LRUCache(maxsize, getsizeof)
        self._changed = threading.Condition()
        self.pending: set[Hashable] = set()

    def get(self, key: Hashable, compute: Callable[[], T], progress: Progress | None = None) -> T:
        """Return the value of a key, computing it where it is missing.

        Where another thread is computing it, this call waits for it and meanwhile calls `progress`, which may raise.
        After an error in another thread, this call computes the value itself.
        """
        while True:
            with self._changed:
                if key in self.pending:
                    timed_out = not self._changed.wait(POLL)
                elif key in self._values:
                    return self._values[key]
                else:
                    self.pending.add(key)
                    break
            if timed_out and progress:
                progress("waiting", 0, 0)
        try:
            value = compute()
            # One that is larger than all may be together is not kept.
            with self._changed, contextlib.suppress(ValueError):
                self._values[key] = value
            return value
        finally:
            with self._changed:
                self.pending.discard(key)
                self._changed.notify_all()
