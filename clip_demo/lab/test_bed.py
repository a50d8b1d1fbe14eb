"""What stays the same while one varies the wording: pictures, labels, and what the probe says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import HeadError
from ..images import ImageSet
from ..numerics import normalize
from ..probe import Head
from ..stored import TestFeatures

__all__ = ["Probed", "TestBed", "make_test_bed", "probed"]


@dataclass(frozen=True, eq=False)
class Probed:
    """A head's answers to all test pictures.

    Attributes
    ----------
    head : Head
    predicted : numpy.ndarray, shape (n,), int64
        The most probable class; of two as probable the earlier of the head.
    confidence : numpy.ndarray, shape (n,), float64
        Its probability.
    hit : numpy.ndarray, shape (n,), bool
        Whether it is right.
    """

    head: Head
    predicted: np.ndarray
    confidence: np.ndarray
    hit: np.ndarray


@dataclass(frozen=True, eq=False)
class TestBed:
    """A model's view of a test set.

    Attributes
    ----------
    key : tuple of str
        The model's SHA-256 and the image set's name.
    names : tuple of str
        The image set's own class names.
    coarse_names : tuple of str
        The groups of classes.
    coarse_of : tuple of int
        The group of each class.
    features : numpy.ndarray, shape (n, d), float32
        L2-normalised.
    labels : numpy.ndarray, shape (n,), int64
    probe : Probed or None
        None where no head was fitted.
    """

    __test__ = False  # pytest takes every name that begins with Test for a test

    key: tuple[str, str]
    names: tuple[str, ...]
    coarse_names: tuple[str, ...]
    coarse_of: tuple[int, ...]
    features: np.ndarray
    labels: np.ndarray
    probe: Probed | None


def make_test_bed(model_sha256: str, image_set: ImageSet, test: TestFeatures, head: Head | None) -> TestBed:
    """Prepare a model's test features for any number of wordings."""
    return TestBed(
        key=(model_sha256, image_set.name),
        names=tuple(image_set.classnames),
        coarse_names=tuple(image_set.coarse_names),
        coarse_of=tuple(image_set.coarse_of),
        features=normalize(test.features),
        labels=test.labels,
        probe=None if head is None else probed(head, image_set, test),
    )


def probed(head: Head, image_set: ImageSet, test: TestFeatures) -> Probed:
    """Return what a head says to all test pictures.

    Raises
    ------
    HeadError
        When it knows a class that the image set has not.
    """
    place = {name: i for i, name in enumerate(image_set.classnames)}
    strange = [name for name in head.classes_ if name not in place]
    if strange:
        raise HeadError(f"head: its class {strange[0]!r} is none of {image_set.title}; fit one for this image set.")
    probabilities = head.predict_proba(test.features)  # (n, n_classes of the head)
    best = probabilities.argmax(axis=1)
    predicted = np.array([place[name] for name in head.classes_])[best]
    return Probed(head, predicted, probabilities.max(axis=1), predicted == test.labels)
