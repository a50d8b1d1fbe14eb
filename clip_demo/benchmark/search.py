"""Time of a search in the features of a test set, in memory and memory-mapped."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from ..features.nearest import cosines, lengths, ranking
from ..numerics import normalize
from ..progress import Progress
from .report import Fact
from .sections import Settings

DIMENSIONS, IN_MEMORY, MAPPED = 512, 10_000, 1_000_000


def measure(settings: Settings, progress: Progress) -> list[Fact]:
    """Rank random features by their cosine with random queries; the mapped ones take two gigabytes of disk."""
    rng = np.random.default_rng(0)
    small = rng.standard_normal((IN_MEMORY, DIMENSIONS), dtype=np.float32)
    rows = [Fact(f"search in {IN_MEMORY:,} images", _milliseconds(small, settings.rounds), "ms", "below 20")]
    progress("searches", 1, 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.npy"
        mapped = np.lib.format.open_memmap(path, "w+", np.float32, (MAPPED, DIMENSIONS))
        for start in range(0, MAPPED, IN_MEMORY):
            mapped[start : start + IN_MEMORY] = np.roll(small, start // IN_MEMORY, axis=1)
        mapped.flush()
        opened = np.load(path, mmap_mode="r")
        milliseconds = _milliseconds(opened, settings.rounds)
    progress("searches", 2, 2)
    return [*rows, Fact(f"search in {MAPPED:,} images, memory-mapped", milliseconds, "ms", "below 1000")]


def _milliseconds(features: np.ndarray, rounds: int) -> float:
    norms, seconds = lengths(features), []  # computed once for a test set
    for number in range(rounds):
        query = normalize(np.asarray(features[number]) + 1)
        seconds.append(_seconds(lambda query=query: ranking(cosines(features, norms, query))))
    return 1000 * median(seconds)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
