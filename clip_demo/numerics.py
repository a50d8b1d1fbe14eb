"""Numerical functions that zero-shot prediction and the linear probe share."""

import numpy as np

from .errors import OptionError


def normalize(features: np.ndarray) -> np.ndarray:
    """Return the features, shape (..., d), scaled to length 1."""
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along the last axis: float64, 0 to 1, summing to 1."""
    logits = np.asarray(logits, dtype=np.float64)
    # Without subtracting the largest, exp overflows on the logits of an overconfident head.
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the `k` highest scores, shape (n,), highest first; ties keep their order."""
    # Only a stable sort gives ties the same order on every machine.
    return np.argsort(-scores, kind="stable")[:k]


def check_top_k(top_k: int) -> int:
    """Return `top_k` as an int, or raise an OptionError where it is not a whole number of at least 1."""
    number = isinstance(top_k, (int, float, np.integer)) and not isinstance(top_k, bool)
    if not number or top_k != top_k // 1 or top_k < 1:
        raise OptionError(
            f"top_k: {top_k!r} is not allowed; use a whole number of at least 1.",
            page="Type how many classes to show: a whole number of at least 1.",
        )
    return int(top_k)
