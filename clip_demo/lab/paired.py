"""Whether two wordings differ by more than chance, on the same pictures."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ..evaluation import Difference

__all__ = ["mcnemar", "paired_difference", "tango_interval"]

# The 97.5th percentile of the normal distribution.
_Z = 1.959963984540054
# Halvings of an interval of at most 2: as fine as float64 can tell.
_HALVINGS = 60


def paired_difference(hit: np.ndarray, baseline: np.ndarray) -> Difference:
    """Compare two classifiers on the same pictures.

    Parameters
    ----------
    hit, baseline : numpy.ndarray, shape (n,), bool
        Which pictures each gets right.

    Returns
    -------
    Difference
        With `tango_interval` and the p-value of `mcnemar`.
    """
    gained, lost = int((hit & ~baseline).sum()), int((baseline & ~hit).sum())
    low, high = tango_interval(gained, lost, len(hit))
    return Difference((gained - lost) / len(hit), low, high, mcnemar(gained, lost), gained, lost)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    Were both classifiers as good, each picture on which they differ would be a fair coin (McNemar 1947, in its exact
    binomial form). The sum is done in whole numbers, so that only the result is rounded.
    """
    n = gained + lost
    ways = term = 1  # of the n pictures, none on the rarer side
    for k in range(min(gained, lost)):
        term = term * (n - k) // (k + 1)
        ways += term
    # Both tails; where the sides are even they meet in the middle.
    return min(1.0, 2 * ways / 2**n)


def tango_interval(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a paired difference of two proportions.

    It holds every difference that a score test does not reject (Tango 1998, "Equivalence test and confidence interval
    for the difference in proportions for the paired-sample design", Statistics in Medicine 17, 891-908). So it leaves
    zero out just where McNemar's test without a correction rejects it, stays within -1 and 1, and has a width where
    no picture changed.
    """
    difference = (gained - lost) / n

    def bound(inside: float, outside: float, z: float) -> float:
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            score = _score(gained, lost, n, middle)
            inside, outside = (middle, outside) if abs(score) < z else (inside, middle)
        return inside

    return bound(difference, -1.0, _Z), bound(difference, 1.0, _Z)


def _score(gained: int, lost: int, n: int, difference: float) -> float:
    """Return by how many standard errors the counts are off, were `difference` the true one."""
    # The likeliest share of lost pictures under that difference: the larger root of a q^2 + b q + c = 0.
    a = 2 * n
    b = (2 * n - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1 - difference))
    off = gained - lost - n * difference
    if variance <= 0:
        return 0.0 if off == 0 else float("inf")
    return off / sqrt(variance)
