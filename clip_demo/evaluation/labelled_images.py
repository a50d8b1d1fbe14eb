"""The pictures of a test set as one model sees them: what stays the same for every wording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import HeadError
from ..datasets.base import ImageSet
from ..numerics import normalize
from ..linear_probe.head import Head
from ..features.feature_store import TestFeatures

__all__ = ["LabelledPictures", "ProbeAnswers"]


@dataclass(frozen=True, eq=False)
class ProbeAnswers:
    """What a head says of every picture.

    Attributes
    ----------
    head : Head
        Whose answers these are.
    predicted : numpy.ndarray, shape (n,), int
        The most probable class, a position in the image set's class names; of equals the head's first.
    confidence : numpy.ndarray, shape (n,), float64
        Its probability.
    """

    head: Head
    predicted: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """All pictures of a test set.

    Attributes
    ----------
    image_set : ImageSet
        Where they are from.
    features : numpy.ndarray, shape (n, d), float32
        L2-normalised.
    labels : numpy.ndarray, shape (n,), int
        Positions in the image set's class names.
    logit_scale : float
        The model's own.
    probe : ProbeAnswers or None
        None where no head was fitted on this model and image set.
    """

    image_set: ImageSet
    features: np.ndarray
    labels: np.ndarray
    logit_scale: float
    probe: ProbeAnswers | None

    @classmethod
    def of(cls, test: TestFeatures, image_set: ImageSet, logit_scale: float, head: Head | None) -> LabelledPictures:
        """Ask the head about all pictures, and normalise their features."""
        probe = None if head is None else _ask(head, test.features, image_set)
        return cls(image_set, normalize(test.features), test.labels, logit_scale, probe)

    @property
    def probe_hits(self) -> np.ndarray | None:
        """Whether the head is right, shape (n,), bool; None without one."""
        return None if self.probe is None else self.probe.predicted == self.labels


def _ask(head: Head, features: np.ndarray, image_set: ImageSet) -> ProbeAnswers:
    strange = set(head.classes_) - set(image_set.classnames)
    if strange:
        raise HeadError(
            f"head: its class {min(strange)!r} is none of {image_set.title}; make it again with "
            f"`python -m clip_demo fit-probe --images {image_set.name}`."
        )
    probabilities = head.predict_proba(features)
    first = probabilities.argmax(axis=1)
    position = np.array([image_set.classnames.index(name) for name in head.classes_])
    return ProbeAnswers(head, position[first], probabilities[np.arange(len(first)), first])
