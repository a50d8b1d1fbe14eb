"""The probe that begins from the words: class weights from prompts, moved towards the mean of photos as they come.

The weights of class c with n_c photos are

    w_c = (1 - β_c) (t_c - t̄) + β_c (m_c - m̄),    β_c = n_c / (n_c + n₀),

with t_c the text features of the class and m_c the mean of its photos' features, both L2-normalised, and t̄ and m̄ their
means over the classes. The logits are logit scale × w_c·f for L2-normalised image features f.

Subtracting the means matters: cosines between two images are far larger than those between an image and a text, so
otherwise a class with one photo would win against every class that has only a name. m̄ is the mean over the classes with
photos. While there is only one such class, its photos cannot tell it from others, and β is 0.

CLAP (Silva-Rodríguez et al., CVPR 2024, arXiv 2312.12730) starts from the zero-shot weights; SS-Text (Silva-Rodríguez
et al. 2025, arXiv 2506.17500) moves them without training, by an amount that depends on the photos of a class. Here n₀
is the one of `N0` under which each photo, predicted from all others, is the most likely.
"""

from __future__ import annotations

import numpy as np

# Number of photos of a class from which they weigh as much as its name.
N0 = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def class_means(photos: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the normalised mean of each class's photos; zeros for a class without photos.

    Parameters
    ----------
    photos : numpy.ndarray, shape (n, d)
        L2-normalised.
    labels : numpy.ndarray, shape (n,), int

    Returns
    -------
    numpy.ndarray, shape (n_classes, d)
    """
    return _unit(_sums(photos, labels, n_classes))


def text_and_photo_weights(text: np.ndarray, photos: np.ndarray, labels: np.ndarray, n0: float) -> np.ndarray:
    """Return the class weights; see this module.

    Parameters
    ----------
    text : numpy.ndarray, shape (n_classes, d)
        Text features of the classes, L2-normalised.
    photos : numpy.ndarray, shape (n, d)
        Image features, L2-normalised.
    labels : numpy.ndarray, shape (n,), int
        Class of each photo.
    n0 : float
        Above 0.

    Returns
    -------
    numpy.ndarray, shape (n_classes, d)
        Not normalised.
    """
    counts = np.bincount(labels, minlength=len(text))
    has = counts > 0
    means = class_means(photos, labels, len(text))
    if has.any():
        means[has] -= means[has].mean(axis=0)
    beta = _beta(counts, n0)[:, None]
    return (1 - beta) * (text - text.mean(axis=0)) + beta * means


def choose_n0(text: np.ndarray, photos: np.ndarray, labels: np.ndarray, logit_scale: float) -> float:
    """Return the n₀ of `N0` with the largest leave-one-out likelihood of the photos; the largest n₀ of equals.

    See `text_and_photo_weights` for the arguments.
    """
    left_out = _leave_one_out(text, photos, labels)
    totals = np.array([_log_likelihood(logit_scale * _blend(*left_out, n0), labels) for n0 in N0])
    return N0[int(np.flatnonzero(totals == totals.max())[-1])]


def leave_one_out_scores(
    text: np.ndarray, photos: np.ndarray, labels: np.ndarray, n0: float, logit_scale: float
) -> np.ndarray:
    """Return the logits of each photo under the weights made without it: shape (n, n_classes).

    Equal to making the weights n times.
    """
    return logit_scale * _blend(*_leave_one_out(text, photos, labels), n0)


def _leave_one_out(
    text: np.ndarray, photos: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each photo what the others say, whatever n₀ is; all of shape (n, n_classes).

    A photo's absence changes only the mean of its own class.

    Returns
    -------
    counts : numpy.ndarray, int
        Numbers of the other photos of each class.
    named, similar : numpy.ndarray
        Products of the photo with ``t - t̄`` and ``m - m̄``.
    """
    n, k = len(photos), len(text)
    row, counts = np.arange(n), np.tile(np.bincount(labels, minlength=k), (n, 1))  # (n, k)
    counts[row, labels] -= 1
    sums = _sums(photos, labels, k)
    similar = photos @ _unit(sums).T  # (n, k)
    similar[row, labels] = np.einsum("nd,nd->n", photos, _unit(sums[labels] - photos))
    has = counts > 0
    mean = np.where(has, similar, 0).sum(axis=1) / np.maximum(has.sum(axis=1), 1)
    return counts, photos @ (text - text.mean(axis=0)).T, np.where(has, similar - mean[:, None], 0)


def _blend(counts: np.ndarray, named: np.ndarray, similar: np.ndarray, n0: float) -> np.ndarray:
    beta = _beta(counts, n0)
    return (1 - beta) * named + beta * similar


def _beta(counts: np.ndarray, n0: float) -> np.ndarray:
    """Return the weight of the photos, 0 to 1, for numbers of photos of shape (..., n_classes)."""
    comparable = (counts > 0).sum(axis=-1, keepdims=True) > 1
    return np.where(comparable, counts / (counts + n0), 0)


def _log_likelihood(logits: np.ndarray, labels: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    # Not the logarithm of a softmax, which may be 0.
    return float((shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1))).sum())


def _sums(photos: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    sums = np.zeros((n_classes, photos.shape[1]))
    np.add.at(sums, labels, photos.astype(np.float64))
    return sums


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return the rows at length 1, and zeros where a row is zero up to rounding."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, rows / np.maximum(lengths, 1e-9), 0)
