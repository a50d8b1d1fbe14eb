"""Accuracy over a whole test set."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ClassnamesError
from ..numerics import SCORES, blocks
from .significance import Difference


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of zero-shot prediction over labelled images.

    Attributes
    ----------
    top1, top5 : float
        Fraction of images whose true class is first, or among the first five; 0 to 1.
    per_class : tuple of float or None
        `top1` of every class, in the order of the class list; None for a class without images.
    mean_per_class : float
        Mean of `per_class` over the classes with images. Unlike `top1`, it gives a rare class the weight of a frequent
        one.
    balanced : bool
        Whether all classes with images have equally many, so that both are the same.
    n : int
        Number of images.
    difference : Difference or None
        To a baseline, on the same images; None without one.
    probe_top1, probe_mean_per_class : float or None
        The same of the linear probe; None without a head.
    assumption : str
        As in `clip_demo.serving.prediction.Prediction`.
    """

    top1: float
    top5: float
    per_class: tuple[float | None, ...]
    mean_per_class: float
    balanced: bool
    n: int
    difference: Difference | None = None
    probe_top1: float | None = None
    probe_mean_per_class: float | None = None
    assumption: str = ""

    def to_dict(self) -> dict:
        """Return the JSON form that the command line and the endpoint share."""
        plain = {**asdict(self), "per_class": list(self.per_class)}
        return plain if self.assumption else {key: value for key, value in plain.items() if key != "assumption"}


def accuracy(
    rank: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    difference: Difference | None = None,
    probe_correct: np.ndarray | None = None,
    assumption: str = "",
) -> Accuracy:
    """Return the accuracy of zero-shot prediction, and of the linear probe where it is given.

    Parameters
    ----------
    rank : numpy.ndarray, shape (n,), int
        Rank of the true class, see `ranks`.
    labels : numpy.ndarray, shape (n,), int
        True classes.
    n_classes : int
    probe_correct : numpy.ndarray, shape (n,), bool, optional
        Whether the linear probe classifies each image correctly.
    difference, assumption
        See `Accuracy`.
    """
    per_class = per_class_mean(rank == 0, labels, n_classes)
    counts = np.bincount(labels)
    return Accuracy(
        top1=float((rank == 0).mean()),
        top5=float((rank < 5).mean()),
        per_class=per_class,
        mean_per_class=mean_of(per_class),
        balanced=len(set(counts[counts > 0].tolist())) == 1,
        n=len(labels),
        difference=difference,
        probe_top1=None if probe_correct is None else float(probe_correct.mean()),
        probe_mean_per_class=None
        if probe_correct is None
        else mean_of(per_class_mean(probe_correct, labels, n_classes)),
        assumption=assumption,
    )


def ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the rank of the true class of each image, 0 for the first.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n, n_classes)
        Cosines, or anything else that orders the classes. A NaN is never correct.
    labels : numpy.ndarray, shape (n,), int
        Columns of `scores`.

    Returns
    -------
    numpy.ndarray, shape (n,), int

    Raises
    ------
    ClassnamesError
        When a label is not a column.
    """
    if labels.max() >= scores.shape[1]:
        raise ClassnamesError(
            f"classnames: got {scores.shape[1]}; a whole test set needs a name for each of its classes."
        )
    return np.concatenate([_ranks(scores[part], labels[part]) for part in blocks(len(labels), SCORES)])


def _ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    # Counts the classes that are better, or equal and earlier in the list, as `clip_demo.numerics.best` sorts them.
    true = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    # "Not less or equal" instead of "better", because every comparison with NaN is false.
    return (~(scores <= true) | ((scores == true) & earlier)).sum(axis=1)


def per_class_mean(correct: np.ndarray, labels: np.ndarray, n_classes: int) -> tuple[float | None, ...]:
    """Return the accuracy of every class; None for a class without images."""
    counts = np.bincount(labels, minlength=n_classes)
    means = np.bincount(labels, weights=correct, minlength=n_classes) / np.maximum(counts, 1)
    return tuple(mean if n else None for mean, n in zip(means.tolist(), counts.tolist(), strict=True))


def mean_of(per_class: Iterable[float | None]) -> float:
    """Return the mean over the classes with images."""
    return float(np.mean([each for each in per_class if each is not None]))
