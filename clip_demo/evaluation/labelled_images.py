"""The images of a test set as one model sees them: what stays the same for every wording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..datasets.base import Dataset
from ..errors import HeadError
from ..features.feature_store import TestFeatures
from ..linear_probe.head import Head
from ..numerics import normalize

__all__ = ["LabelledImages", "ProbeAnswers"]


@dataclass(frozen=True, eq=False)
class ProbeAnswers:
    """What a head says of every image.

    Attributes
    ----------
    head : Head
        Whose answers these are.
    predicted : numpy.ndarray, shape (n,), int
        The most probable class, a position in the dataset's class names; of equals the head's first.
    confidence : numpy.ndarray, shape (n,), float64
        Its probability.
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
        Where they are from.
    features : numpy.ndarray, shape (n, d), float32
        L2-normalised.
    labels : numpy.ndarray, shape (n,), int
        Positions in the dataset's class names.
    logit_scale : float
        The model's own.
    probe : ProbeAnswers or None
        None where no head was fitted on this model and dataset.
    """

    dataset: Dataset
    features: np.ndarray
    labels: np.ndarray
    logit_scale: float
    probe: ProbeAnswers | None

    @classmethod
    def of(cls, test: TestFeatures, dataset: Dataset, logit_scale: float, head: Head | None) -> LabelledImages:
        """Ask the head about all images, and normalise their features."""
        probe = None if head is None else _ask(head, test.features, dataset)
        return cls(dataset, normalize(test.features), test.labels, logit_scale, probe)

    @property
    def probe_hits(self) -> np.ndarray | None:
        """Whether the head is right, shape (n,), bool; None without one."""
        return None if self.probe is None else self.probe.predicted == self.labels


def _ask(head: Head, features: np.ndarray, dataset: Dataset) -> ProbeAnswers:
    strange = set(head.classes_) - set(dataset.classnames)
    if strange:
        raise HeadError(
            f"head: its class {min(strange)!r} is none of {dataset.title}; make it again with "
            f"`python -m clip_demo fit-probe --dataset {dataset.name}`."
        )
    probabilities = head.predict_proba(features)
    first = probabilities.argmax(axis=1)
    position = np.array([dataset.classnames.index(name) for name in head.classes_])
    return ProbeAnswers(head, position[first], probabilities[np.arange(len(first)), first])
