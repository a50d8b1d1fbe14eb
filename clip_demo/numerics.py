"""Numerical functions that zero-shot prediction and the linear probe share."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from .errors import OptionError

ROWS = 8_192  # of features in a block: 16 MB of 512 numbers
SCORES = 65_536  # rows of scores in a block: with 1,000 classes in double precision, half a gigabyte
_blas_lock = threading.Lock()
_blas_users = 0
_blas_before = ExitStack()


def normalize(features: np.ndarray) -> np.ndarray:
    """Return the features, shape (..., d), scaled to length 1."""
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def blocks(n: int, size: int) -> Iterator[slice]:
    """Yield slices that divide n rows into blocks, of which one at a time is in memory."""
    for start in range(0, n, size):
        yield slice(start, start + size)


def row_norms(features: np.ndarray) -> np.ndarray:
    """Return the lengths of the rows, shape (n,), float32, of features of any number."""
    norms = np.empty(len(features), dtype=np.float32)
    for part in blocks(len(features), ROWS):
        norms[part] = np.linalg.norm(features[part], axis=1)
    return norms


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


def ranks_within_class(labels: np.ndarray) -> np.ndarray:
    """Return how many earlier ones have the same label, for each of the labels: shape (n,), int64."""
    grouped = np.argsort(labels, kind="stable")
    ordered, ranks = labels[grouped], np.empty(len(labels), dtype=np.int64)
    ranks[grouped] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return ranks


def check_top_k(top_k: int) -> int:
    """Return `top_k` as an int, or raise an OptionError where it is not a whole number of at least 1."""
    number = isinstance(top_k, (int, float, np.integer)) and not isinstance(top_k, bool)
    if not number or top_k != top_k // 1 or top_k < 1:
        raise OptionError(
            f"top_k: {top_k!r} is not allowed; use a whole number of at least 1.",
            page="Type how many classes to show: a whole number of at least 1.",
        )
    return int(top_k)


@contextmanager
def blas_threads(n: int | None) -> Iterator[None]:
    """Let BLAS use `n` threads; None for as many as before. The last of several callers restores what the first found.

    The number is the whole process's. If each caller restored what it found itself, of two that overlap the one that
    ends last would restore the other's number, for good.
    """
    from threadpoolctl import ThreadpoolController  # a dependency of scikit-learn, imported as late

    global _blas_users
    with _blas_lock:
        limit = ThreadpoolController().select(user_api="blas").limit(limits=n)
        if not _blas_users:
            _blas_before.callback(limit.restore_original_limits)
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if not _blas_users:
                _blas_before.close()
