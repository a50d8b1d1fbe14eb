"""Out-of-distribution detection: how well a score tells images of hidden classes from those of the known ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..errors import HeadError, OptionError
from ..linear_probe.head import Head
from ..numerics import softmax
from ..zero_shot.none_of_these import NegativeLabels, cut_of, neglabel_scores, threshold_of
from .labelled_images import LabelledImages

RESAMPLES = 10_000
HIDDEN = 20  # classes


@dataclass(frozen=True)
class Detection:
    """How well one score detects images of hidden classes.

    Attributes
    ----------
    auroc : float
        Probability that an image of a known class has a higher score than one of a hidden class, ties counting half.
    auroc_low, auroc_high : float
        Its 95 % interval; see `auroc_interval`.
    fpr95 : float
        Share of the images of hidden classes that pass for known at the threshold that 95 % of the known images reach.
    fpr95_low, fpr95_high : float
        Its 95 % interval; see `fpr95_interval`.
    """

    auroc: float
    auroc_low: float
    auroc_high: float
    fpr95: float
    fpr95_low: float
    fpr95_high: float


@dataclass(frozen=True)
class HiddenClasses:
    """A test set with some classes hidden from the class list.

    Attributes
    ----------
    hidden : tuple of str
        Their names.
    n_known, n_hidden : int
        Numbers of images.
    nouns : int
        Number of negative labels, none of which names a class of the dataset.
    neglabel, mcm, msp : Detection
        By NegLabel's score, by MCM's, and by the largest softmax probability at the model's own logit scale.
    probe : Detection or None
        By the linear probe's largest probability, without the weights of the hidden classes; None without a head.
    known_won, hidden_won : float
        Share of the images of known and of hidden classes of which Explore would say "None of these".
    """

    hidden: tuple[str, ...]
    n_known: int
    n_hidden: int
    nouns: int
    neglabel: Detection
    mcm: Detection
    msp: Detection
    probe: Detection | None
    known_won: float
    hidden_won: float


def choose_hidden(n_classes: int, hidden: int = HIDDEN, seed: int = 0) -> np.ndarray:
    """Return the sorted positions of `hidden` classes drawn at random.

    Raises
    ------
    OptionError
        Unless at least 1 class can be hidden and 2 stay known, or where the seed is not a whole number from 0.
    """
    if n_classes < 3:
        raise OptionError(
            f"hidden: {n_classes} classes have test images; at least 3 are needed, one to hide and two to keep.",
            page="At least three classes with test images are needed: one to hide, and two that stay on the list.",
        )
    if not _is_whole(hidden) or not 1 <= hidden <= n_classes - 2:
        raise OptionError(
            f"hidden: {hidden!r} is not allowed; use a whole number from 1 to {n_classes - 2}.",
            page=f"Hide from 1 to {n_classes - 2:,} classes.",
        )
    if not _is_whole(seed) or not 0 <= seed < 2**32:
        raise OptionError(f"seed: {seed!r} is not allowed; use a whole number from 0 to 4294967295, such as 0.")
    return np.sort(np.random.default_rng(seed).permutation(n_classes)[:hidden])


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def hidden_classes(
    images: LabelledImages,
    features: np.ndarray,
    cosines: np.ndarray,
    negatives: NegativeLabels,
    hidden: Sequence[int],
) -> HiddenClasses:
    """Measure all scores on the images of a test set.

    Parameters
    ----------
    images : LabelledImages
    features : numpy.ndarray, shape (n, d)
        The same images' features, not normalised: the probe's input.
    cosines : numpy.ndarray, shape (n, n_classes)
        Of the images with all classes.
    negatives : NegativeLabels
        Of the known classes.
    hidden : sequence of int
        Positions of the hidden classes.
    """
    known = np.setdiff1d(np.arange(cosines.shape[1]), hidden)
    is_known = np.isin(images.labels, known)
    listed, others = cosines[:, known], images.features @ negatives.weights.T
    share = neglabel_scores(listed, others, images.logit_scale)
    msp = softmax(images.logit_scale * listed).max(axis=1)
    won = (1 - share) > share * msp  # the shares of the classes are those of the list alone, times the list's share
    names = images.dataset.classnames
    return HiddenClasses(
        hidden=tuple(names[i] for i in hidden),
        n_known=int(is_known.sum()),
        n_hidden=int((~is_known).sum()),
        nouns=len(negatives.nouns),
        neglabel=detection(share, is_known),
        mcm=detection(softmax(listed).max(axis=1), is_known),
        msp=detection(msp, is_known),
        probe=images.probe and detection(_probe_scores(images.probe.head, features, names, hidden), is_known),
        known_won=float(won[is_known].mean()),
        hidden_won=float(won[~is_known].mean()),
    )


def _probe_scores(head: Head, features: np.ndarray, names: Sequence[str], hidden: Sequence[int]) -> np.ndarray:
    gone = {names[i] for i in hidden}
    kept = [i for i, name in enumerate(head.classes_) if name not in gone]
    if not kept:
        raise HeadError("head: it knows none of the classes that are not hidden; hide others.")
    rest = Head(head.coef[kept], head.intercept[kept], tuple(head.classes_[i] for i in kept), head.provenance)
    return rest.predict_proba(features).max(axis=1)


def detection(scores: np.ndarray, is_known: np.ndarray) -> Detection:
    """Return how well scores, higher for known images, detect the others; both arguments have shape (n,)."""
    known, unknown = scores[is_known], scores[~is_known]
    auroc, low, high = auroc_interval(known, unknown)
    fpr95 = float((unknown >= threshold_of(known)).mean())
    return Detection(auroc, low, high, fpr95, *fpr95_interval(known, unknown))


def auroc_interval(known: np.ndarray, unknown: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the area under the ROC curve, and its interval by DeLong's variance.

    DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44, 837-845; by ranks as in Sun and Xu (2014), IEEE Signal Processing Letters 21.
    """
    from scipy.stats import rankdata

    m, n = len(known), len(unknown)
    ranks = rankdata(np.concatenate([known, unknown]))
    above = (ranks[:m] - rankdata(known)) / n  # of each known image: the share of unknown ones that it is above
    below = 1 - (ranks[m:] - rankdata(unknown)) / m
    auroc = float(above.mean())
    variance = sum(each.var(ddof=1) / len(each) for each in (above, below) if len(each) > 1)
    margin = NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(variance)
    return auroc, max(0.0, auroc - margin), min(1.0, auroc + margin)


def fpr95_interval(known: np.ndarray, unknown: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of the bootstrap that draws known and unknown images apart, with a fixed seed.

    A resample is not sorted for each draw. The threshold is an order statistic of the known images, whose position in a
    resample of sorted values follows a beta distribution; the number of unknown images above it is binomial.
    """
    rng, m, n = np.random.default_rng(0), len(known), len(unknown)
    place = cut_of(m)
    positions = (m * rng.beta(place + 1, m - place, RESAMPLES)).astype(int)
    thresholds = np.sort(known)[np.minimum(positions, m - 1)]
    passing = 1 - np.searchsorted(np.sort(unknown), thresholds) / n
    low, high = np.quantile(rng.binomial(n, passing) / n, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
