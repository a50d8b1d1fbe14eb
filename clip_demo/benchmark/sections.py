"""What can be measured, by name."""

from __future__ import annotations

from .concurrency import measure_users
from .image import measure_image
from .loading import measure_loading
from .memory import measure_memory
from .report import Comparison, Fact, Progress
from .startup import measure_start
from .text import measure_text

__all__ = ["SECTIONS", "measure"]

# Those that measure each way some rounds, in turn; the two others do not.
_BY_ROUNDS = {"loading": measure_loading, "start": measure_start, "text": measure_text, "image": measure_image}
SECTIONS = (*_BY_ROUNDS, "users", "memory")


def measure(
    section: str, *, rounds: int, users: int, duration: float, progress: Progress
) -> list[Comparison] | list[Fact] | list[Comparison | Fact]:
    """Measure one thing.

    Parameters
    ----------
    section : str
        One of `SECTIONS`.
    rounds : int
        How often each way is measured.
    users : int
        How many clients ask at the same time.
    duration : float
        Seconds for which they ask.
    progress : callable
        See `clip_demo.bench.report.Progress`.
    """
    if section in _BY_ROUNDS:
        return _BY_ROUNDS[section](rounds, progress)
    return measure_users(users, duration, progress) if section == "users" else measure_memory(progress)
