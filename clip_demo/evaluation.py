"""Accuracy over a whole test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import OptionError
from .numerics import normalize

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy of the zero-shot classifier over labelled pictures.

    Attributes
    ----------
    top1, top5 : float
        Share of pictures whose true class is first, or among the first five; 0 to 1.
    per_class : tuple of float
        `top1` of every class, in the order of the class list.
    n : int
        Number of pictures.
    """

    top1: float
    top5: float
    per_class: tuple[float, ...]
    n: int


def evaluate(weights: np.ndarray, features: np.ndarray, labels: np.ndarray) -> Evaluation:
    """Hold a zero-shot classifier against true labels.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
        As `clip_demo.zero_shot.class_features` gives them.
    features : numpy.ndarray, shape (n, d)
        Image features, normalised or not.
    labels : numpy.ndarray, shape (n,), int
        Rows of `weights`.

    Raises
    ------
    OptionError
        When a label is no row of `weights`.
    """
    if labels.max() >= len(weights):
        raise OptionError(f"classnames: {len(weights)} came; a whole test set needs a name for each of its classes.")
    cosines = normalize(features) @ weights.T  # (n, n_classes)
    # The place of the true class: how many are better, or as good and earlier in the list, as `best` would sort them.
    true = np.take_along_axis(cosines, labels[:, None], axis=1)
    earlier = np.arange(len(weights)) < labels[:, None]
    place = ((cosines > true) | ((cosines == true) & earlier)).sum(axis=1)
    hit = place == 0
    per_class = tuple(float(hit[labels == i].mean()) if (labels == i).any() else 0.0 for i in range(len(weights)))
    return Evaluation(float(hit.mean()), float((place < 5).mean()), per_class, len(labels))
