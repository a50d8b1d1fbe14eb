"""Nearest images: exact search by cosine, also in features that do not fit into memory."""

from collections.abc import Iterator

import numpy as np

_ROWS = 65_536  # of one block: 128 MB of 512 dimensions


def lengths(features: np.ndarray) -> np.ndarray:
    """Return the lengths of the features, shape (n, d): shape (n,), float32. They may be memory-mapped."""
    squares = [np.einsum("nd,nd->n", block, block) for block in blocks(features)]
    return np.sqrt(np.concatenate(squares))


def cosines(features: np.ndarray, norms: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return the cosine of each image with a query: shape (n,), float32.

    Parameters
    ----------
    features : numpy.ndarray, shape (n, d), float32
        Not normalised. They may be memory-mapped: they are read block by block.
    norms : numpy.ndarray, shape (n,)
        Their `lengths`.
    query : numpy.ndarray, shape (d,), float32
        L2-normalised.
    """
    return np.concatenate([block @ query for block in blocks(features)]) / norms


def ranking(scores: np.ndarray) -> np.ndarray:
    """Return the positions of the images, the highest score first and the earlier of equals: shape (n,), int64."""
    return np.argsort(-scores, kind="stable")


def blocks(features: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts of some features, of which one at a time need be in memory."""
    return (features[start : start + _ROWS] for start in range(0, len(features), _ROWS))
