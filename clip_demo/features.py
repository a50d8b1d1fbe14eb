"""Features of prompts and pictures, each computed once and then remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from PIL import Image

from .batches import Batches
from .encoder import Encoder
from .numerics import normalize
from .prompts import MAX_PROMPTS
from .turns import JOB, Turns

__all__ = ["Features"]

# 512 float32 numbers are 2 kB, so the prompts take at most about 40 MB and the pictures 2 MB.
MAX_PICTURES = 1_000
# What one turn of the encoder takes: larger is hardly faster on a CPU, and keeps the next visitor waiting.
PICTURES, PROMPTS = 32, 128


class Features:
    """An encoder with a bounded memory, safe to use from several threads; what they ask for at once is one batch.

    Prompts are remembered one by one, so that editing one class of a hundred encodes one prompt.

    Parameters
    ----------
    encoder : Encoder
    turns : Turns, optional
        Whom to wait for; models that share it do not run at the same time.
    """

    def __init__(self, encoder: Encoder, turns: Turns | None = None):
        self._encoder = encoder
        self._turns = turns or Turns()
        self._prompts = Batches(self._encode_prompts, self._turns, memory=MAX_PROMPTS, batch=PROMPTS)
        self._pictures = Batches(encoder.encode_pixels, self._turns, memory=MAX_PICTURES, batch=PICTURES)

    def of_prompts(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the text features: shape (n, d), float32, L2-normalised."""
        rows = self._prompts.remembered(prompts)
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in rows]
        for start in range(0, len(missing), PROMPTS):
            # The encoder is free between turns: a large ensemble lets the others through.
            part = missing[start : start + PROMPTS]
            rows.update(self._prompts.rows(dict(zip(part, part, strict=True))))
        return np.stack([rows[prompt] for prompt in prompts])

    def _encode_prompts(self, prompts: list[str]) -> np.ndarray:
        return normalize(self._encoder.encode_texts(prompts))

    def of_picture(self, key: Hashable, read: Callable[[], Image.Image]) -> np.ndarray:
        """Return the image features of one picture: shape (d,), float32, not normalised.

        Parameters
        ----------
        key : hashable
            What the picture is known by: the same key is the same picture.
        read : callable
            Returns it as RGB; called only where its features are not remembered.
        """
        rows = self._pictures.remembered([key])
        if not rows:
            # Made ready here, beside the encoder, which is busy with somebody else's.
            rows = self._pictures.rows({key: self._encoder.preprocess(read())})
        return rows[key]

    def of_job(
        self, pictures: Sequence[Image.Image], took: Callable[[float], None] = lambda seconds: None
    ) -> np.ndarray:
        """Return the image features of a background job's pictures: shape (n, d), float32, not normalised.

        Not remembered, and encoded when no visitor waits; give few at a time, so that the next one need not wait long.

        Parameters
        ----------
        pictures : sequence of PIL.Image.Image
        took : callable, optional
            Called with the seconds of the turn alone, without those that visitors took before it.
        """
        pixels = [self._encoder.preprocess(picture) for picture in pictures]

        def encode() -> np.ndarray:
            begin = time.monotonic()
            rows = self._encoder.encode_pixels(pixels)
            took(time.monotonic() - begin)
            return rows

        return self._turns.run(encode, JOB)
