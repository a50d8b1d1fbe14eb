"""How fast a job encodes, and how much of it fits into a turn of the encoder."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

__all__ = ["Pace"]

TURN = 0.2  # seconds that a visitor may have to wait for a job's batch
_MOST = 128


class Pace:
    """Measures batches, and says how large the next one may be.

    Attributes
    ----------
    batch : int
        Pictures that take at most about `TURN` seconds.
    images_per_second : float or None
        Of late; None before the second batch.
    """

    def __init__(self):
        self.batch = 1
        self.images_per_second: float | None = None
        self._recent: deque[float] = deque(maxlen=5)
        self._last: float | None = None

    def took(self, n: int, seconds: float) -> None:
        """Take note of a batch of `n` pictures whose turn took so long; the middle one of late sets the next size."""
        self._recent.append(seconds / n)
        self.batch = max(1, min(int(TURN / max(median(self._recent), 1e-9)), 2 * self.batch, _MOST))
        now = time.monotonic()
        if self._last is not None:
            speed = n / max(now - self._last, 1e-9)
            before = self.images_per_second
            self.images_per_second = speed if before is None else 0.9 * before + 0.1 * speed
        self._last = now

    def rest(self) -> None:
        """Do not count the time until the next batch: something else is done."""
        self._last = None
