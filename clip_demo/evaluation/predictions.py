"""What one wording makes of every picture: one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .accuracy import places
from ..zero_shot.classifier import cosines_of
from .labelled_images import LabelledPictures
from ..zero_shot.prompt_set import Wording

__all__ = ["Answers", "answer"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Zero-shot prediction for all pictures of a test set.

    Attributes
    ----------
    wording : Wording
    cosines : numpy.ndarray, shape (n, n_classes), float32
    place : numpy.ndarray, shape (n,), int
        The place of the true class, 0 for the first.
    predicted : numpy.ndarray, shape (n,), int
        The class that comes first; of equals the earlier.
    """

    wording: Wording
    cosines: np.ndarray
    place: np.ndarray
    predicted: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """Whether each picture is right, shape (n,), bool."""
        return self.place == 0


def answer(wording: Wording, weights: np.ndarray, pictures: LabelledPictures) -> Answers:
    """Hold a wording's classifier, shape (n_classes, d), against all pictures."""
    cosines = cosines_of(pictures.features, weights)
    return Answers(wording, cosines, places(cosines, pictures.labels), cosines.argmax(axis=1))
