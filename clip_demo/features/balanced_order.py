"""A class-balanced order of images: one of every class, then a second of every class, and so on."""

import numpy as np

from ..datasets.drawing import mix
from ..numerics import ranks_within_class

SEED = 0


def balanced_order(labels: np.ndarray, seed: int = SEED, ids: np.ndarray | None = None) -> np.ndarray:
    """Return all positions in an order in which every prefix is approximately class-balanced.

    Parameters
    ----------
    labels : numpy.ndarray, shape (n,), int
    seed : int
    ids : numpy.ndarray, shape (n,), int, optional
        What identifies each image; default its position. When one is left out, the order up to it stays. The order
        depends on nothing else: it is the same on every machine and with every version of numpy.

    Returns
    -------
    numpy.ndarray, shape (n,), int64
        Where all classes are equally frequent, every run of `n_classes` positions has one of each. A rarer class is
        used up earlier: the first ``sum(min(count, k))`` positions have at most `k` of each class.
    """
    ids = np.arange(len(labels)) if ids is None else ids
    shuffled = np.argsort(mix(ids.astype(np.uint64) ^ mix(np.array([seed], dtype=np.uint64))))
    grouped = shuffled[np.argsort(labels[shuffled], kind="stable")]  # class by class, each in shuffled order
    return grouped[np.lexsort((labels[grouped], ranks_within_class(labels[grouped])))]
