"""Confusion matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..numerics import best


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix in which the classes of a group are neighbours.

    Attributes
    ----------
    names : tuple of str
        Of the rows and of the columns.
    groups : tuple of str
        Coarse class of each row; empty where the classes have none.
    classes : tuple of int
        Class of each row: a position in the class list, or among the coarse classes.
    counts : tuple of tuple of int
        Numbers of images: a row per true class, a column per predicted class.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]


def count_pairs(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the confusion matrix as an array: shape (n_classes, n_classes), int, a row per true class."""
    pairs = np.bincount(true * n_classes + predicted, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def confusion(
    counts: np.ndarray, names: Sequence[str], coarse_names: Sequence[str], coarse_of: Sequence[int]
) -> Confusion:
    """Return the confusion matrix of all classes, sorted by coarse class where they have one."""
    order = np.argsort(coarse_of, kind="stable") if coarse_names else np.arange(len(names))
    return Confusion(
        tuple(names[i] for i in order),
        tuple(coarse_names[coarse_of[i]] for i in order) if coarse_names else (),
        tuple(order.tolist()),
        tuple(map(tuple, counts[np.ix_(order, order)].tolist())),
    )


def coarse_confusion(counts: np.ndarray, coarse_names: Sequence[str], coarse_of: Sequence[int]) -> Confusion:
    """Return the confusion matrix of the coarse classes."""
    member = np.equal.outer(np.arange(len(coarse_names)), coarse_of).astype(counts.dtype)  # (n_coarse, n_classes)
    names = tuple(coarse_names)
    summed = member @ counts @ member.T
    return Confusion(names, names, tuple(range(len(names))), tuple(map(tuple, summed.tolist())))


def confused_with(counts: np.ndarray, true: int, names: Sequence[str], most: int = 3) -> tuple[tuple[str, int], ...]:
    """Return the most frequent wrong predictions for a class, with their numbers; the earlier of equals first."""
    wrong = counts[true].copy()
    wrong[true] = 0
    return tuple((names[i], int(wrong[i])) for i in best(wrong, most) if wrong[i])
