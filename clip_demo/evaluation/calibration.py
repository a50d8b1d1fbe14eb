"""How far a predictor's confidence can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError

__all__ = ["BINS", "Bin", "Reliability", "check_logit_scale", "reliability"]

BINS = 15  # as Guo et al. 2017
MAX_LOGIT_SCALE = 10_000


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies above `low` and up to `high`.

    Attributes
    ----------
    low, high : float
        0 to 1.
    confidence, accuracy : float or None
        Mean confidence and share of right answers; None where there is no image.
    n : int
        Number of images.
    """

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    n: int


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes
    ----------
    bins : tuple of Bin
        Of equal width; they cover 0 to 1.
    ece : float
        Expected calibration error: the mean gap between confidence and accuracy, weighted by images, 0 to 1.
    mean_confidence, accuracy : float
        Over all images.
    """

    bins: tuple[Bin, ...]
    ece: float
    mean_confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, hits: np.ndarray) -> Reliability:
    """Sort images into 15 bins by confidence (Guo et al. 2017, "On calibration of modern neural networks").

    Parameters
    ----------
    confidence : numpy.ndarray, shape (n,), float64
        The probability of the class that comes first.
    hits : numpy.ndarray, shape (n,), bool
        Whether that class is the true one.
    """
    edges = np.linspace(0, 1, BINS + 1)
    place = np.searchsorted(edges[1:-1], confidence, side="left")  # an edge belongs to the bin below
    n = np.bincount(place, minlength=BINS)
    # Sums, not means: the gap of a bin times its share of the images needs no division by an empty bin.
    sure = np.bincount(place, weights=confidence, minlength=BINS)
    right = np.bincount(place, weights=hits, minlength=BINS)
    bins = tuple(
        Bin(
            float(edges[i]),
            float(edges[i + 1]),
            float(sure[i] / n[i]) if n[i] else None,
            float(right[i] / n[i]) if n[i] else None,
            int(n[i]),
        )
        for i in range(BINS)
    )
    ece = float(np.abs(sure - right).sum() / len(hits))
    return Reliability(bins, ece, float(confidence.mean()), float(hits.mean()))


def check_logit_scale(logit_scale: float) -> float:
    """Return what cosines are multiplied by, or raise an OptionError."""
    number = isinstance(logit_scale, (int, float)) and not isinstance(logit_scale, bool)
    if not number or not math.isfinite(logit_scale) or not 0 < logit_scale <= MAX_LOGIT_SCALE:
        raise OptionError(
            f"logit_scale: {logit_scale!r} is not allowed; use a number above 0, at most {MAX_LOGIT_SCALE:,}, "
            "such as 100, the scale of OpenAI's models."
        )
    return float(logit_scale)
