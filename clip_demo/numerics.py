"""Three small functions that zero-shot prediction and the linear probe share."""

import numpy as np

__all__ = ["best", "normalize", "softmax"]


def normalize(features: np.ndarray) -> np.ndarray:
    """Return the features, shape (..., d), scaled to length 1."""
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along the last axis: float64, 0 to 1, they sum to 1."""
    logits = np.asarray(logits, dtype=np.float64)
    # Without its largest value taken off, exp overflows for the logits of an overconfident head.
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the `k` highest scores, shape (n,), highest first; ties in the order given."""
    # Only a stable sort puts ties in one order on every machine.
    return np.argsort(-scores, kind="stable")[:k]
