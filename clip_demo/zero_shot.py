"""Zero-shot prediction: a classifier made of text features (Radford et al. 2021, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .features import Features
from .numerics import best, normalize, softmax
from .prompts import prompts_for
from .results import ZeroShotScore

__all__ = ["class_features", "cosines_of", "ensemble", "prompt_features", "zero_shot_scores"]


def class_features(
    features: Features,
    classnames: Sequence[str],
    templates: Sequence[str],
    spaces: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the weights of the zero-shot classifier: the `ensemble` of the `prompt_features`.

    Returns
    -------
    numpy.ndarray, shape (n_classes, d), float32
        L2-normalised rows.
    """
    return ensemble(prompt_features(features, classnames, templates, spaces, progress))


def prompt_features(
    features: Features,
    classnames: Sequence[str],
    templates: Sequence[str],
    spaces: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the text features of every class in every template.

    Parameters
    ----------
    features : Features
    classnames, templates : sequence of str
    spaces : bool
        Whether underscores of class names become spaces.
    progress : callable, optional
        See `clip_demo.features.Features.of_prompts`.

    Returns
    -------
    numpy.ndarray, shape (n_classes, n_templates, d), float32
        L2-normalised rows.
    """
    prompts = prompts_for(classnames, templates, spaces)
    flat = features.of_prompts([prompt for row in prompts for prompt in row], progress)
    return flat.reshape(len(classnames), len(templates), -1)


def ensemble(prompts: np.ndarray) -> np.ndarray:
    """Average the features of a class's prompts and normalise again (Radford et al. 2021, section 3.1.4).

    Parameters
    ----------
    prompts : numpy.ndarray, shape (n_classes, n_templates, d)
        L2-normalised rows.

    Returns
    -------
    numpy.ndarray, shape (n_classes, d), float32
        L2-normalised rows.
    """
    return normalize(prompts.mean(axis=1))


def cosines_of(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return the cosine of every picture with every class, shape (..., n_classes).

    Classes with the same weights have the same cosine, to the last bit.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
        L2-normalised rows.
    features : numpy.ndarray, shape (..., d)
        Image features, normalised or not.
    """
    # A matrix product rounds equal rows differently, by where they stand: ties would then be broken by chance.
    _, first, which = np.unique(weights, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(weights):
        return normalize(features) @ weights.T
    return (normalize(features) @ weights[first].T)[..., which.reshape(-1)]


def zero_shot_scores(
    weights: np.ndarray, picture: np.ndarray, logit_scale: float, classnames: Sequence[str], top_k: int
) -> tuple[ZeroShotScore, ...]:
    """Return the best classes, most probable first.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
        As `class_features` gives them.
    picture : numpy.ndarray, shape (d,)
        Image features, normalised or not.
    logit_scale : float
        What cosines are multiplied by before the softmax.
    classnames : sequence of str
        A name a row of `weights`.
    top_k : int
        How many to return.
    """
    cosines = cosines_of(weights, picture)
    probabilities = softmax(logit_scale * cosines)
    # Sorted by cosine: probabilities that underflow to 0 would otherwise be ties.
    return tuple(ZeroShotScore(classnames[i], float(probabilities[i]), float(cosines[i])) for i in best(cosines, top_k))
