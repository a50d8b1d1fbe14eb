"""The word vectors that the token embedding of the built-in model consists of."""

from pathlib import Path

import numpy as np

from .data import load_packed

_LENGTH = 0.3  # of an embedding; openai-clip draws its rows with about 0.02 per component, 0.16 at width 64


def token_embedding(folder: Path, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return GloVe's vectors of the words that are one token of CLIP, reduced to the width of the text encoder.

    The vectors are centred, projected on their main components and scaled to one length, so that words keep their
    nearest words.

    Parameters
    ----------
    folder : Path
        Holds ``glove-clip-words.npz``.
    width : int

    Returns
    -------
    tokens : numpy.ndarray, shape (n,), int64
        Numbers of the tokens, ascending.
    embedding : numpy.ndarray, shape (n, width), float32
    """
    packed = load_packed(folder, "glove-clip-words")
    order = np.argsort(packed["token"])
    vectors = packed["vector"][order].astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(axis=0)
    _, components = np.linalg.eigh(vectors.T @ vectors)  # eigenvalues ascending
    reduced = vectors @ components[:, ::-1][:, :width]
    reduced *= _LENGTH / np.linalg.norm(reduced, axis=1, keepdims=True)
    return packed["token"][order].astype(np.int64), reduced.astype(np.float32)
