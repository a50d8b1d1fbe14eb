"""The order in which pictures are encoded: some of every class first."""

from __future__ import annotations

import numpy as np

__all__ = ["SEED", "balanced_order"]

SEED = 0


def balanced_order(labels: np.ndarray, seed: int = SEED) -> np.ndarray:
    """Return all positions: first one of every class, then a second one of every class, and so on.

    So the beginning of the order is a balanced sample at any length, and a probe can be fitted long before all
    pictures are encoded.

    Parameters
    ----------
    labels : numpy.ndarray, shape (n,), int
    seed : int
        Which pictures of a class come first.

    Returns
    -------
    numpy.ndarray, shape (n,), int64
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.int64)  # the how-manieth of its class a picture is
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = np.arange(len(members))
    return np.lexsort((labels, rank))
