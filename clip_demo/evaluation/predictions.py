"""What one wording makes of every image: one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..zero_shot.classifier import cosines_of
from ..zero_shot.prompt_set import PromptSet
from .accuracy import places
from .labelled_images import LabelledImages

__all__ = ["Answers", "answer"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Zero-shot prediction for all images of a test set.

    Attributes
    ----------
    wording : PromptSet
    cosines : numpy.ndarray, shape (n, n_classes), float32
    place : numpy.ndarray, shape (n,), int
        The place of the true class, 0 for the first.
    predicted : numpy.ndarray, shape (n,), int
        The class that comes first; of equals the earlier.
    """

    wording: PromptSet
    cosines: np.ndarray
    place: np.ndarray
    predicted: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """Whether each image is right, shape (n,), bool."""
        return self.place == 0


def answer(wording: PromptSet, weights: np.ndarray, images: LabelledImages) -> Answers:
    """Hold a wording's classifier, shape (n_classes, d), against all images."""
    cosines = cosines_of(images.features, weights)
    return Answers(wording, cosines, places(cosines, images.labels), cosines.argmax(axis=1))
