"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..numerics import best

__all__ = ["Confusion", "coarse_confusion", "confused_with", "confusion", "count_pairs"]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix whose classes of one group stand together.

    Attributes
    ----------
    names : tuple of str
        Of the rows, and of the columns.
    groups : tuple of str
        The coarse class of each row.
    classes : tuple of int
        What each row is: a position in the class list, or among the coarse classes.
    counts : tuple of tuple of int
        Numbers of images: a row a true class, a column what it was taken for.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]


def count_pairs(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return how often each class was taken for each: shape (n_classes, n_classes), int, a row a true class."""
    pairs = np.bincount(true * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def confusion(
    counts: np.ndarray, names: Sequence[str], coarse_names: Sequence[str], coarse_of: Sequence[int]
) -> Confusion:
    """Put the classes of each coarse class together, otherwise in the order of the class list."""
    order = np.argsort(coarse_of, kind="stable")
    return Confusion(
        tuple(names[i] for i in order),
        tuple(coarse_names[coarse_of[i]] for i in order),
        tuple(order.tolist()),
        tuple(map(tuple, counts[np.ix_(order, order)].tolist())),
    )


def coarse_confusion(counts: np.ndarray, coarse_names: Sequence[str], coarse_of: Sequence[int]) -> Confusion:
    """Add up the classes of each coarse class."""
    member = np.equal.outer(np.arange(len(coarse_names)), coarse_of).astype(counts.dtype)  # (n_coarse, n_classes)
    added = member @ counts @ member.T
    names = tuple(coarse_names)
    return Confusion(names, names, tuple(range(len(names))), tuple(map(tuple, added.tolist())))


def confused_with(counts: np.ndarray, true: int, names: Sequence[str], most: int = 3) -> tuple[tuple[str, int], ...]:
    """Return what a class is most often wrongly taken for, and how often; of equals the earlier class first."""
    wrong = counts[true].copy()
    wrong[true] = 0
    return tuple((names[i], int(wrong[i])) for i in best(wrong, most) if wrong[i])
