"""Features, labels and probe predictions of a test set, which all prompt sets share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..datasets.base import Dataset
from ..errors import HeadError
from ..features.feature_store import TestFeatures
from ..linear_probe.head import Head
from ..numerics import SCORES, blocks, normalize


@dataclass(frozen=True, eq=False)
class ProbePredictions:
    """A head's predictions for all images of a test set.

    Attributes
    ----------
    head : Head
    predicted : numpy.ndarray, shape (n,), int
        The most probable class, a position in the dataset's class names; the head's first of equals.
    confidence : numpy.ndarray, shape (n,), float64
        The probability of that class.
    """

    head: Head
    predicted: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """All images of a test set.

    Attributes
    ----------
    dataset : Dataset
    features : numpy.ndarray, shape (n, d), float32
        L2-normalised.
    labels : numpy.ndarray, shape (n,), int
        Positions in the dataset's class names.
    logit_scale : float
        The model's own.
    probe : ProbePredictions or None
        None without a head for this model and dataset.
    """

    dataset: Dataset
    features: np.ndarray
    labels: np.ndarray
    logit_scale: float
    probe: ProbePredictions | None

    @classmethod
    def of(cls, test: TestFeatures, dataset: Dataset, logit_scale: float, head: Head | None) -> LabelledImages:
        """Normalise the features of a test set, and predict its classes with the head."""
        probe = None if head is None else _predict(head, test.features, dataset)
        return cls(dataset, normalize(test.features), test.labels, logit_scale, probe)

    @property
    def probe_correct(self) -> np.ndarray | None:
        """Whether the head classifies each image correctly, shape (n,), bool; None without a head."""
        return None if self.probe is None else self.probe.predicted == self.labels


def _predict(head: Head, features: np.ndarray, dataset: Dataset) -> ProbePredictions:
    unknown = set(head.classes_) - set(dataset.classnames)
    if unknown:
        raise HeadError(
            f"head: its class {min(unknown)!r} is not a class of {dataset.title}; fit it again with "
            f"`python -m clip_demo fit-probe --dataset {dataset.argument}`."
        )
    position = np.array([dataset.classnames.index(name) for name in head.classes_])
    predicted, confidence = np.empty(len(features), dtype=position.dtype), np.empty(len(features))
    for part in blocks(len(features), SCORES):
        probabilities = head.predict_proba(features[part])
        predicted[part], confidence[part] = position[probabilities.argmax(axis=1)], probabilities.max(axis=1)
    return ProbePredictions(head, predicted, confidence)
