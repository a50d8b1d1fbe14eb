"""Features of prompts and pictures, each computed once and then remembered."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from PIL import Image

from .encoder import Encoder
from .numerics import normalize
from .prompts import MAX_PROMPTS

__all__ = ["Features"]

# 512 float32 numbers are 2 kB, so the prompts take at most about 40 MB and the pictures 2 MB.
MAX_PICTURES = 1_000
CHUNK = 256


class Features:
    """An encoder with a bounded memory, safe to use from several threads.

    Prompts are remembered one by one, so that editing one class of a hundred encodes one prompt. One lock is
    held while the encoder works: two forward passes at once would only fight for the same cores.
    """

    def __init__(self, encoder: Encoder):
        self._encoder = encoder
        self._lock = threading.Lock()
        self._prompts: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._pictures: OrderedDict[Hashable, np.ndarray] = OrderedDict()

    def of_prompts(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the text features: shape (n, d), float32, L2-normalised."""

        def encode(missing: list[str]) -> np.ndarray:
            return normalize(self._encoder.encode_texts(missing))

        parts = []
        for start in range(0, len(prompts), CHUNK):
            # The lock is free between chunks: a large ensemble lets the others through.
            with self._lock:
                parts.append(_recall(self._prompts, MAX_PROMPTS, prompts[start : start + CHUNK], encode))
        return np.concatenate(parts)

    def of_picture(self, picture: Image.Image) -> np.ndarray:
        """Return the image features of one RGB picture: shape (d,), float32, not normalised."""
        # The pixels themselves are the key, so the same picture is recognised however it came.
        key = (picture.size, hashlib.sha256(picture.tobytes()).digest())
        with self._lock:
            return _recall(self._pictures, MAX_PICTURES, [key], lambda _: self._encoder.encode_images([picture]))[0]


def _recall(
    memory: OrderedDict[Hashable, np.ndarray], limit: int, keys: Sequence[Hashable], compute: Callable
) -> np.ndarray:
    """Return a row a key, computing in one call those that `memory` lacks, then forget the oldest beyond `limit`."""
    missing = [key for key in dict.fromkeys(keys) if key not in memory]
    if missing:
        memory.update(zip(missing, compute(missing), strict=True))
    for key in keys:
        memory.move_to_end(key)
    rows = np.stack([memory[key] for key in keys])
    while len(memory) > limit:
        memory.popitem(last=False)
    return rows
