"""Two classifiers on the same images: their difference, and whether it may be noise."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True)
class Difference:
    """Accuracy of a new classifier minus that of an old one, on the same images.

    Attributes
    ----------
    top1 : float
        Difference of the top-1 accuracies, -1 to 1.
    low, high : float
        95 % interval of `top1`, see `score_interval`.
    p_value : float
        See `mcnemar_p_value`.
    gained, lost : int
        Numbers of images that became correct, and that became wrong.
    """

    top1: float
    low: float
    high: float
    p_value: float
    gained: int
    lost: int

    @property
    def significant(self) -> bool:
        """Whether McNemar's exact test rejects equal accuracies at the 5 % level."""
        return self.p_value < 0.05


def paired_difference(new: np.ndarray, old: np.ndarray) -> Difference:
    """Compare two classifiers.

    Parameters
    ----------
    new, old : numpy.ndarray, shape (n,), bool
        Whether each image is classified correctly.
    """
    gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
    low, high = score_interval(gained, lost, len(new))
    return Difference((gained - lost) / len(new), low, high, mcnemar_p_value(gained, lost), gained, lost)


def mcnemar_p_value(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test; 1 where nothing changed."""
    from scipy.stats import binomtest

    # If both classifiers were equally good, a changed image would be gained or lost with equal probability.
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def score_interval(gained: int, lost: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval for the difference of two paired proportions.

    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17, 891-908; recommended by Fagerland, Lydersen and Laake (2014), ibid. 33,
    2850-2875. It holds the differences that a score test does not reject, stays within -1 and 1, and has a width
    even where nothing changed.
    """
    from scipy.optimize import bisect

    z = NormalDist().inv_cdf(0.5 + level / 2)
    change = (gained - lost) / n
    low = bisect(lambda delta: _score(gained, lost, n, delta) - z, -1, change) if change > -1 else -1.0
    high = bisect(lambda delta: _score(gained, lost, n, delta) + z, change, 1) if change < 1 else 1.0
    return low, high


def _score(gained: int, lost: int, n: int, delta: float) -> float:
    """Return how many standard errors the observed difference lies above `delta`."""
    # The most likely share of lost images if the difference were delta: the root of a quadratic (Tango 1998).
    b = (2 * n - gained + lost) * delta - gained - lost
    root = math.sqrt(max(0.0, b * b + 8 * n * lost * delta * (1 - delta)))
    share = (root - b) / (4 * n)
    variance = n * (2 * share + delta * (1 - delta))
    above = gained - lost - n * delta
    if variance <= 0 or above == 0:
        return math.copysign(math.inf, above) if above else 0.0
    return above / math.sqrt(variance)


def wilson_interval(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927), which has a width even where none or all are correct."""
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    centre, half = correct + z2 / 2, math.sqrt(z2 * (correct * (n - correct) / n + z2 / 4))
    return (centre - half) / (n + z2), (centre + half) / (n + z2)
