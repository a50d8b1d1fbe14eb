"""Accuracy over a whole test set."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import OptionError
from .significance import Difference

__all__ = ["Evaluation", "evaluate", "places", "shares"]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy of the zero-shot classifier over labelled images.

    Attributes
    ----------
    top1, top5 : float
        Share of images whose true class is first, or among the first five; 0 to 1.
    per_class : tuple of float
        `top1` of every class, in the order of the class list.
    n : int
        Number of images.
    difference : Difference or None
        Against a baseline's wording, on the same images; None where none was given.
    probe_top1 : float or None
        Share of the images that the linear probe gets right; None where no head was fitted.
    """

    top1: float
    top5: float
    per_class: tuple[float, ...]
    n: int
    difference: Difference | None = None
    probe_top1: float | None = None

    def to_dict(self) -> dict:
        """Return the JSON form that the command line and the endpoint share."""
        return {**asdict(self), "per_class": list(self.per_class)}


def evaluate(
    place: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    difference: Difference | None = None,
    probe_top1: float | None = None,
) -> Evaluation:
    """Return the accuracy of a zero-shot classifier.

    Parameters
    ----------
    place : numpy.ndarray, shape (n,), int
        The place of the true class, see `places`.
    labels : numpy.ndarray, shape (n,), int
        True classes, below `n_classes`.
    n_classes : int
        How many classes there are.
    difference, probe_top1
        See `Evaluation`.
    """
    per_class = tuple(shares(place == 0, labels, n_classes).tolist())
    return Evaluation(
        float((place == 0).mean()), float((place < 5).mean()), per_class, len(labels), difference, probe_top1
    )


def places(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the place of the true class among all, 0 for the first.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n, n_classes)
        Cosines, or anything else that orders the classes of an image.
    labels : numpy.ndarray, shape (n,), int
        Columns of `scores`.

    Returns
    -------
    numpy.ndarray, shape (n,), int

    Raises
    ------
    OptionError
        When a label is no column.
    """
    if labels.max() >= scores.shape[1]:
        raise OptionError(f"classnames: {scores.shape[1]} came; a whole test set needs a name for each of its classes.")
    # How many are better, or as good and earlier in the list, as `clip_demo.numerics.best` would sort them.
    true = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    # Not "better" but "no less or equal": what is no number is never right.
    return (~(scores <= true) | ((scores == true) & earlier)).sum(axis=1)


def shares(hits: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the share of hits of every class, shape (n_classes,), float64; 0 for a class without images."""
    counts = np.bincount(labels, minlength=n_classes)
    return np.bincount(labels, weights=hits, minlength=n_classes) / np.maximum(counts, 1)
