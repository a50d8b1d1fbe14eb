"""Zero-shot prediction for all images of a test set, as one matrix product."""

from dataclasses import dataclass

import numpy as np

from ..zero_shot.classifier import cosine_similarity
from ..zero_shot.prompt_set import PromptSet
from .accuracy import ranks
from .labelled_images import LabelledImages


@dataclass(frozen=True, eq=False)
class Predictions:
    """Zero-shot prediction for all images of a test set.

    Attributes
    ----------
    prompts : PromptSet
    cosines : numpy.ndarray, shape (n, n_classes), float32
    rank : numpy.ndarray, shape (n,), int
        Rank of the true class, 0 for the first.
    predicted : numpy.ndarray, shape (n,), int
        The class with the highest cosine; the earlier of equals.
    """

    prompts: PromptSet
    cosines: np.ndarray
    rank: np.ndarray
    predicted: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether each image is classified correctly, shape (n,), bool."""
        return self.rank == 0


def predict_all(prompts: PromptSet, weights: np.ndarray, images: LabelledImages) -> Predictions:
    """Predict all images with the classifier of a prompt set, shape (n_classes, d)."""
    cosines = cosine_similarity(images.features, weights)
    return Predictions(prompts, cosines, ranks(cosines, images.labels), cosines.argmax(axis=1))
