"""The zero-shot classifier, made of text features (Radford et al. 2021, section 3.1.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..numerics import best, normalize, softmax
from .prompt_set import PromptSet


@dataclass(frozen=True)
class ZeroShotScore:
    """Zero-shot prediction's score of one class.

    Attributes
    ----------
    label : str
        The class name as it was given.
    probability : float
        Softmax over the class list of logit scale × cosine, 0 to 1.
    cosine : float
        Cosine between the image features and the class's text features, -1 to 1.
    """

    label: str
    probability: float
    cosine: float


def class_weights(encode: Callable[[Sequence[str]], np.ndarray], prompts: PromptSet) -> np.ndarray:
    """Return the weights of the zero-shot classifier.

    The normalised features of a class's prompts are averaged over the templates and normalised again
    (Radford et al. 2021, section 3.1.4).

    Parameters
    ----------
    encode : callable
        Turns n prompts into text features, shape (n, d), L2-normalised.
    prompts : PromptSet

    Returns
    -------
    numpy.ndarray, shape (n_classes, d), float32
        L2-normalised rows.
    """
    features = encode([prompt for row in prompts.prompts for prompt in row])
    return normalize(features.reshape(len(prompts.classnames), len(prompts.templates), -1).mean(axis=1))


def cosine_similarity(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the cosine of every image with every class; equal classes have bitwise equal cosines.

    Parameters
    ----------
    images : numpy.ndarray, shape (..., d)
        Image features, L2-normalised.
    weights : numpy.ndarray, shape (n_classes, d)
        See `class_weights`.

    Returns
    -------
    numpy.ndarray, shape (..., n_classes)
    """
    # A matrix product may round equal rows differently, depending on their positions, and so break ties at random.
    # Rows are compared as bytes, which is faster than 512 numbers, and exact for rows computed in the same way.
    rows = np.frombuffer(weights.tobytes(), dtype=np.dtype((np.void, weights[0].nbytes)))
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    if len(first) == len(weights):
        return images @ weights.T
    return (images @ weights[first].T)[..., inverse.reshape(-1)]


def zero_shot_scores(
    weights: np.ndarray,
    image: np.ndarray,
    logit_scale: float,
    classnames: Sequence[str],
    top_k: int,
    others: np.ndarray | None = None,
) -> tuple[ZeroShotScore, ...]:
    """Return the `top_k` most probable classes, the most probable first.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
        See `class_weights`.
    image : numpy.ndarray, shape (d,)
        Image features, normalised or not.
    logit_scale : float
        Factor of the cosines in the softmax.
    classnames : sequence of str
        One name for each row of `weights`.
    top_k : int
    others : numpy.ndarray, shape (n, d), optional
        Weights of more words that count in the softmax and are not returned; see
        `clip_demo.zero_shot.none_of_these`.
    """
    image = normalize(image)
    cosines = cosine_similarity(image, weights)
    probabilities = softmax(logit_scale * (cosines if others is None else np.concatenate([cosines, image @ others.T])))
    # Sorted by cosine, because probabilities that underflow to 0 would be ties.
    return tuple(ZeroShotScore(classnames[i], float(probabilities[i]), float(cosines[i])) for i in best(cosines, top_k))
