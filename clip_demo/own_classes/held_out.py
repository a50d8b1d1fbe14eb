"""How good the classifiers are on photos that they did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..evaluation.confusion import count_pairs
from ..evaluation.significance import wilson_interval
from ..numerics import softmax
from ..progress import Progress
from .classifiers import CLASSIFIERS, MIN_CLASSES, Examples, fit

LEAVE_ONE_OUT = 60  # photos; with more, FOLDS parts are left out in turn
FOLDS = 10
EARLY = 3  # photos of a class, below which an accuracy says too little
SHOTS = (1, 2, 4, 8, 16, 32)  # photos of a class that are learned from, on the way to all


@dataclass(frozen=True)
class HeldOutAccuracy:
    """Accuracy of one classifier on photos that it did not learn from.

    Attributes
    ----------
    shots : int or None
        Most photos of a class that it learned from; None for all.
    accuracy, low, high : float
        0 to 1, with the 95 % interval of Wilson.
    """

    shots: int | None
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The classifiers, each photo predicted without it.

    Attributes
    ----------
    curves : dict of str to tuple of HeldOutAccuracy
        By classifier, in increasing order of `HeldOutAccuracy.shots`; all photos last.
    confusion : dict of str to numpy.ndarray, shape (n_classes, n_classes), int
        By classifier: a row per true class.
    predicted : dict of str to numpy.ndarray, shape (n,), int
        By classifier.
    doubt : int
        Position of the photo whose own class is the least probable under the probe that begins from the words.
    """

    curves: dict[str, tuple[HeldOutAccuracy, ...]]
    confusion: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]
    doubt: int


def can_be_tested(examples: Examples) -> bool:
    """Whether at least two classes have a second photo: one to predict while the other is learned from."""
    return bool((np.bincount(examples.labels) >= 2).sum() >= MIN_CLASSES)


def is_early(examples: Examples) -> bool:
    """Whether a class has too few photos to say how good the classifiers are."""
    return bool(np.bincount(examples.labels, minlength=len(examples.classnames)).min() < EARLY)


def folds(labels: np.ndarray) -> np.ndarray:
    """Return the fold of each photo, shape (n,), int: one photo each, or ten folds that share each class evenly."""
    if len(labels) <= LEAVE_ONE_OUT:
        return np.arange(len(labels))
    # In turn, class by class, so that the sizes of the folds differ by at most one.
    fold = np.empty(len(labels), dtype=int)
    fold[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % FOLDS
    return fold


def held_out(examples: Examples, progress: Progress | None = None) -> HeldOut:
    """Predict each photo without it, by all classifiers, and with fewer photos a class on the way.

    Parameters
    ----------
    examples : Examples
        See `can_be_tested`.
    progress : callable, optional
        See `clip_demo.progress.Progress`. Called after each fold, where it may end the work by raising.
    """
    labels, fold = examples.labels, folds(examples.labels)
    most = int(np.bincount(labels).max()) - 1
    steps = [*(n for n in SHOTS if n < most), None]
    curves: dict[str, list[HeldOutAccuracy]] = {name: [] for name in CLASSIFIERS}
    n_folds = len(np.unique(fold))
    for number, shots in enumerate(steps):

        def folds_done(done: int, before: int = number * n_folds) -> None:
            if progress:
                progress("tests", before + done, len(steps) * n_folds)

        own, predicted = _predict(examples, fold, shots, folds_done)
        for name, each in predicted.items():
            correct = int((each == labels).sum())
            curves[name].append(HeldOutAccuracy(shots, correct / len(labels), *wilson_interval(correct, len(labels))))
    confusion = {name: count_pairs(labels, each, len(examples.classnames)) for name, each in predicted.items()}
    return HeldOut({name: tuple(points) for name, points in curves.items()}, confusion, predicted, int(own.argmin()))


def _predict(
    examples: Examples, fold: np.ndarray, shots: int | None, folds_done: Callable[[int], None]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the probability of each photo's own class under the probe that begins from the words, and predictions."""
    labels, own = examples.labels, np.zeros(len(examples.labels))
    predicted = {name: np.zeros(len(labels), dtype=int) for name in CLASSIFIERS}
    for number, k in enumerate(np.unique(fold)):
        out = fold == k
        learned = examples.subset(first_of_each(labels, ~out, shots))
        for name, classifier in fit(learned).items():
            probability = softmax(classifier.logits(examples.photos[out]))
            position = np.array([examples.classnames.index(each) for each in classifier.classnames])
            predicted[name][out] = position[probability.argmax(axis=1)]
            if name == "text_and_photos":
                own[out] = probability[np.arange(out.sum()), labels[out]]
        folds_done(number + 1)
    return own, predicted


def first_of_each(labels: np.ndarray, keep: np.ndarray, shots: int | None) -> np.ndarray:
    """Return the positions of the first `shots` photos of each class among those to keep; None for all of them."""
    positions = np.flatnonzero(keep)
    if shots is None:
        return positions
    return np.sort(np.concatenate([positions[labels[positions] == c][:shots] for c in np.unique(labels)]))
