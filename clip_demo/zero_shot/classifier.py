"""Zero-shot prediction: a classifier made of text features (Radford et al. 2021, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..models.encoder import Report
from ..numerics import best, normalize, softmax
from ..serving.feature_cache import Features
from .classifier import ZeroShotScore
from .prompts import prompts_for

__all__ = ["class_features", "cosines_of", "zero_shot_scores"]


def class_features(
    features: Features,
    classnames: Sequence[str],
    templates: Sequence[str],
    replace_underscores: bool = False,
    progress: Report | None = None,
) -> np.ndarray:
    """Return the weights of the zero-shot classifier.

    The normalised features of a class's prompts are averaged over the templates and normalised again
    (Radford et al. 2021, section 3.1.4). For `progress` see `Features.of_prompts`.

    Returns
    -------
    numpy.ndarray, shape (n_classes, d), float32
        L2-normalised rows.
    """

    def make() -> np.ndarray:
        prompts = prompts_for(classnames, templates, replace_underscores)
        flat = features.of_prompts([prompt for row in prompts for prompt in row], progress)
        return normalize(flat.reshape(len(classnames), len(templates), -1).mean(axis=1))

    return features.of_classes((tuple(classnames), tuple(templates), replace_underscores), make)


def cosines_of(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the cosine of every image with every class; equal classes have equal cosines, to the last bit.

    Parameters
    ----------
    images : numpy.ndarray, shape (..., d)
        Image features, L2-normalised.
    weights : numpy.ndarray, shape (n_classes, d)
        As `class_features` gives them.

    Returns
    -------
    numpy.ndarray, shape (..., n_classes)
    """
    # A matrix product may round equal rows differently, by where they stand; chance would then break their ties.
    first, place = _distinct(weights.shape, weights.tobytes())
    if len(first) == len(weights):
        return images @ weights.T
    return (images @ weights[first].T)[..., place]


def _distinct(shape: tuple[int, int], rows: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return where each different row first stands, and for every row which of those it is."""
    # As bytes: quicker to compare than 512 numbers, and the same here, where equal means computed in the same way.
    keys = np.frombuffer(rows, dtype=np.dtype((np.void, len(rows) // shape[0])))
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return first, place.reshape(-1)


def zero_shot_scores(
    weights: np.ndarray, image: np.ndarray, logit_scale: float, classnames: Sequence[str], top_k: int
) -> tuple[ZeroShotScore, ...]:
    """Return the best classes, most probable first.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
        As `class_features` gives them.
    image : numpy.ndarray, shape (d,)
        Image features, normalised or not.
    logit_scale : float
        What cosines are multiplied by before the softmax.
    classnames : sequence of str
        A name a row of `weights`.
    top_k : int
        How many to return.
    """
    cosines = cosines_of(normalize(image), weights)
    probabilities = softmax(logit_scale * cosines)
    # Sorted by cosine: probabilities that underflow to 0 would otherwise be ties.
    return tuple(ZeroShotScore(classnames[i], float(probabilities[i]), float(cosines[i])) for i in best(cosines, top_k))
