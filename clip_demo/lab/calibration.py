"""Whether a classifier is as often right as it is sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Bin", "Reliability", "confidences", "reliability"]

N_BINS = 15  # as Guo et al. 2017 count


@dataclass(frozen=True)
class Bin:
    """Pictures whose answers are about equally sure.

    Attributes
    ----------
    low, high : float
        Their confidence is above `low` and at most `high`; 0 belongs to the first bin.
    confidence, accuracy : float or None
        Mean confidence, and share of right answers; None where there is no picture.
    n : int
        How many pictures.
    """

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    n: int


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram and what it amounts to.

    Attributes
    ----------
    bins : tuple of Bin
        15 of equal width, from 0 to 1.
    ece : float
        Expected calibration error: the mean distance of accuracy and confidence over the bins, each counted by its
        pictures (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3).
    mean_confidence, accuracy : float
        Over all pictures.
    """

    bins: tuple[Bin, ...]
    ece: float
    mean_confidence: float
    accuracy: float


def confidences(cosines: np.ndarray, logit_scale: float) -> np.ndarray:
    """Return the probability of the best class, the largest of the softmax of `logit_scale` × cosine.

    Parameters
    ----------
    cosines : numpy.ndarray, shape (n, n_classes)

    Returns
    -------
    numpy.ndarray, shape (n,), float64
    """
    # Of the softmax only the largest is wanted, which is one over the sum: no matrix is divided.
    below = (cosines - cosines.max(axis=1, keepdims=True)).astype(np.float64)
    return 1 / np.exp(logit_scale * below).sum(axis=1)


def reliability(confidence: np.ndarray, hit: np.ndarray) -> Reliability:
    """Sort answers by how sure they are, and count how many are right.

    Parameters
    ----------
    confidence : numpy.ndarray, shape (n,)
        Probability of each answer, 0 to 1.
    hit : numpy.ndarray, shape (n,), bool
        Which are right.
    """
    edges = np.arange(N_BINS + 1) / N_BINS
    which = np.searchsorted(edges[1:-1], confidence, side="left")  # (n,) above an edge, or on the next one
    counts, sure, right = (
        np.bincount(which, weights, minlength=N_BINS).tolist() for weights in (None, confidence, hit.astype(np.float64))
    )
    bins = tuple(
        Bin(low, high, sure[i] / n if n else None, right[i] / n if n else None, n)
        for i, (low, high, n) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True))
    )
    ece = sum(each.n * abs(each.accuracy - each.confidence) for each in bins if each.n) / len(hit)
    return Reliability(bins, ece, float(confidence.mean()), float(hit.mean()))
