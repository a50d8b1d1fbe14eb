"""How fast a job encodes."""

from __future__ import annotations

import time

__all__ = ["Pace"]


class Pace:
    """Measures batches.

    Attributes
    ----------
    images_per_second : float or None
        Of late; None before the second batch.
    """

    def __init__(self):
        self.images_per_second: float | None = None
        self._last: float | None = None

    def took(self, n: int) -> None:
        """Take note of a batch of `n` images."""
        now = time.monotonic()
        if self._last is not None:
            speed = n / max(now - self._last, 1e-9)
            before = self.images_per_second
            self.images_per_second = speed if before is None else 0.9 * before + 0.1 * speed
        self._last = now

    def rest(self) -> None:
        """Do not count the time until the next batch: something else is done."""
        self._last = None
