"""Heat maps over the cells of an image: what a score would lose without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics import best
from .linear_classifier import Score

COVER_TEST = "cover test"


@dataclass(frozen=True)
class Effect:
    """The score, and the probability of its first class, 0 to 1, of an image that is covered or not."""

    score: float
    probability: float


@dataclass(frozen=True)
class MapCheck:
    """A heat map's check in numbers: the hottest fifth of the cells covered, and a random fifth.

    Attributes
    ----------
    covered, cells : int
        How many cells were covered, and how many there are.
    before, hottest, random : Effect
        With nothing covered, with the hottest fifth, and with a random one.
    """

    covered: int
    cells: int
    before: Effect
    hottest: Effect
    random: Effect

    @property
    def better_than_random(self) -> bool:
        """Whether the hottest cells cost the score more than random ones."""
        return self.hottest.score < self.random.score


@dataclass(frozen=True, eq=False)
class HeatMap:
    """How much each cell of the model's input matters for a score.

    Attributes
    ----------
    method : {"cover test", "Grad-ECLIP", "HiResCAM"}
    first, second : str
        The score is the logit of `first` minus that of `second`; for the linear probe it is the logit of `first`, and
        `second` is "".
    score : float
        Of the whole image.
    values : numpy.ndarray, shape (rows, columns), float64
        Cover test: how much the score drops without the cell, negative where it rises. Otherwise at least 0, and only
        their ratios mean something.
    check : MapCheck or None
        None until it is asked for.
    """

    method: str
    first: str
    second: str
    score: float
    values: np.ndarray
    check: MapCheck | None


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Heat maps of both methods for one image.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (resolution, resolution, 3), uint8
        The model's input, which the cells divide.
    zero_shot : HeatMap
    probe : HeatMap or None
        None without a head for this model and dataset.
    """

    pixels: np.ndarray
    zero_shot: HeatMap
    probe: HeatMap | None


def resample(values: np.ndarray, side: int) -> np.ndarray:
    """Return a map on a grid of `side` cells a side: of each new cell, the mean over its area."""

    def overlaps(n: int) -> np.ndarray:
        """Return how much of each new cell lies in each old one, shape (side, n); rows sum to 1."""
        new, old = np.arange(side)[:, None] / side, np.arange(n) / n
        return side * np.clip(np.minimum(new + 1 / side, old + 1 / n) - np.maximum(new, old), 0, None)

    return overlaps(values.shape[0]) @ values @ overlaps(values.shape[1]).T


def hottest_fifth(values: np.ndarray) -> np.ndarray:
    """Return a mask of the hottest fifth of a map's cells; the earlier ones of equals."""
    return _mask(best(values.ravel(), _fifth(values.size)), values.shape)


def random_fifth(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return a mask of a random fifth of the cells."""
    cells = np.random.default_rng(seed).permutation(shape[0] * shape[1])
    return _mask(cells[: _fifth(len(cells))], shape)


def single_cells(side: int) -> np.ndarray:
    """Return the masks of each cell alone, shape (side * side, side, side), bool, row by row."""
    return np.eye(side * side, dtype=bool).reshape(-1, side, side)


def check_of(score: Score, cells: int, features: np.ndarray) -> MapCheck:
    """Return the check of a map.

    Parameters
    ----------
    score : Score
    cells : int
        How many there are.
    features : numpy.ndarray, shape (3, d)
        With nothing covered, with the hottest fifth and with a random one; not normalised.
    """
    effects = map(Effect, score.of(features).tolist(), score.probability(features).tolist())
    return MapCheck(_fifth(cells), cells, *effects)


def _fifth(cells: int) -> int:
    return max(1, round(cells / 5))


def _mask(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape[0] * shape[1], dtype=bool)
    mask[cells] = True
    return mask.reshape(shape)
