"""Calibration: how well a classifier's confidence matches its accuracy."""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError

BINS = 15  # as in Guo et al. 2017
MAX_LOGIT_SCALE = 10_000


@dataclass(frozen=True)
class Bin:
    """The images whose confidence is above `low` and at most `high`.

    Attributes
    ----------
    low, high : float
        0 to 1.
    confidence, accuracy : float or None
        Means over the images; None without images.
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
        Of equal width, from 0 to 1.
    ece : float
        Expected calibration error: the mean gap between confidence and accuracy, weighted by images, 0 to 1.
    mean_confidence, accuracy : float
        Over all images.
    """

    bins: tuple[Bin, ...]
    ece: float
    mean_confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, correct: np.ndarray) -> Reliability:
    """Return the reliability diagram with 15 bins (Guo et al. 2017, "On calibration of modern neural networks").

    Parameters
    ----------
    confidence : numpy.ndarray, shape (n,), float64
        Probability of the predicted class.
    correct : numpy.ndarray, shape (n,), bool
        Whether that class is the true one.
    """
    edges = np.linspace(0, 1, BINS + 1)
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")  # an edge belongs to the bin below it
    n = np.bincount(bin_of, minlength=BINS)
    # Sums instead of means: a bin's gap times its share of the images then needs no division by an empty bin.
    confidences = np.bincount(bin_of, weights=confidence, minlength=BINS)
    corrects = np.bincount(bin_of, weights=correct, minlength=BINS)
    bins = tuple(
        Bin(
            float(edges[i]),
            float(edges[i + 1]),
            float(confidences[i] / n[i]) if n[i] else None,
            float(corrects[i] / n[i]) if n[i] else None,
            int(n[i]),
        )
        for i in range(BINS)
    )
    ece = float(np.abs(confidences - corrects).sum() / len(correct))
    return Reliability(bins, ece, float(confidence.mean()), float(correct.mean()))


def logit_scale_or(own: float, logit_scale: float | None) -> float:
    """Return `logit_scale` as a float, or the model's `own` where it is None; raise an OptionError if not allowed."""
    if logit_scale is None:
        return own
    number = isinstance(logit_scale, (int, float, np.integer, np.floating)) and not isinstance(logit_scale, bool)
    if not number or not math.isfinite(logit_scale) or not 0 < logit_scale <= MAX_LOGIT_SCALE:
        raise OptionError(
            f"logit_scale: {logit_scale!r} is not allowed; use a number above 0 and at most {MAX_LOGIT_SCALE:,}, "
            "such as 100, the scale of OpenAI's models.",
            page=f"Choose a logit scale above 0 and at most {MAX_LOGIT_SCALE:,}, such as 100.",
        )
    return float(logit_scale)
