"""Heat maps over the cells of an image: what a score would lose without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
    method : {"cover test", "Grad-ECLIP", "Grad-CAM"}
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
