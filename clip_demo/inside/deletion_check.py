"""The deletion check: on many test images, the hottest fifth of a heat map covered, and a random fifth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .heat_map import MapCheck


@dataclass(frozen=True)
class DeletionRow:
    """The check of one kind of map, over all images.

    Attributes
    ----------
    method : str
        See `clip_demo.inside.heat_map.HeatMap`.
    predictor : {"zero-shot", "linear probe"}
    n : int
        Number of images.
    probability : float
        Mean probability of the first class with nothing covered, 0 to 1.
    hottest, random : float
        The same with the hottest fifth and with a random fifth covered.
    better : float
        Share of the images whose score drops more with the hottest fifth, 0 to 1.
    drop : float
        Mean of the score after the random cover minus that after the hottest one; above 0 the map is better.
    low, high : float
        95% confidence interval of `drop`.
    """

    method: str
    predictor: str
    n: int
    probability: float
    hottest: float
    random: float
    better: float
    drop: float
    low: float
    high: float


def deletion_row(method: str, predictor: str, checks: Sequence[MapCheck]) -> DeletionRow:
    """Return the check of one kind of map over the checks of at least two images."""
    drops = np.array([each.random.score - each.hottest.score for each in checks])
    before, hottest, random = (
        float(np.mean([getattr(each, name).probability for each in checks])) for name in ("before", "hottest", "random")
    )
    drop, half = float(drops.mean()), float(1.96 * drops.std(ddof=1) / len(drops) ** 0.5)
    better = float(np.mean([each.better_than_random for each in checks]))
    return DeletionRow(method, predictor, len(checks), before, hottest, random, better, drop, drop - half, drop + half)
