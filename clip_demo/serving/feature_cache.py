"""Features of prompts and images, each computed once and then remembered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

import numpy as np
from PIL import Image

from ..models.encoder import Encoder, Report
from ..numerics import normalize
from ..zero_shot.prompts import MAX_PROMPTS
from .batching import MicroBatcher
from .encoder_queue import JOB, EncoderQueue

__all__ = ["Features"]

# 512 float32 numbers are 2 kB, so the prompts take at most about 40 MB and the images 2 MB.
MAX_IMAGES = 1_000
MAX_CLASSES = 20_000  # of all remembered class lists together: another 40 MB at most
# What one turn of the encoder takes: larger is hardly faster on a CPU, and keeps the next visitor waiting. Of a class
# of thirty, half are encoded while the others' answers and next questions are under way.
IMAGES, PROMPTS = 16, 128
MAX_CHARACTERS = (
    8_000  # of what one thread asks for in a turn: a hundred and more short prompts, or two dozen of the longest
)
# What a background job may take: how long it may keep a visitor waiting, in seconds, and how many images it may hold.
JOB_TURN, JOB_IMAGES = 0.2, 32


class Features:
    """An encoder with a bounded memory, safe to use from several threads; what they ask for at once is one batch.

    Prompts are remembered one by one, so that editing one class of a hundred encodes one prompt.

    Parameters
    ----------
    encoder : Encoder
    turns : EncoderQueue, optional
        Whom to wait for; models that share it do not run at the same time.
    """

    def __init__(self, encoder: Encoder, turns: EncoderQueue | None = None):
        self._encoder = encoder
        self._turns = turns or EncoderQueue()
        self._job_batch = 1
        self._lock = threading.Lock()
        self._classes: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._prompts = MicroBatcher(self._encode_prompts, self._turns, memory=MAX_PROMPTS, batch=PROMPTS)
        self._images = MicroBatcher(encoder.encode_pixels, self._turns, memory=MAX_IMAGES, batch=IMAGES)

    def of_prompts(self, prompts: Sequence[str], progress: Report | None = None) -> np.ndarray:
        """Return the text features: shape (n, d), float32, L2-normalised.

        `progress` is told after each turn how many of the prompts that are not remembered are done; what it raises
        ends the work, and what is done stays remembered.
        """
        rows = self._prompts.remembered(prompts)
        # In the alphabet's order, because what prompts begin with in common is computed once for all in a turn.
        missing = sorted({prompt for prompt in prompts if prompt not in rows})
        done = 0
        for part in _turns_of(missing):
            # The encoder is free between turns: a large ensemble lets the others through.
            rows.update(self._prompts.rows(dict(zip(part, part, strict=True))))
            done += len(part)
            if progress:
                progress("prompts", done, len(missing))
        return np.stack([rows[prompt] for prompt in prompts])

    def _encode_prompts(self, prompts: list[str]) -> np.ndarray:
        return normalize(self._encoder.encode_texts(prompts))

    def of_classes(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what `make` returns, remembered by `key` for the next image: the weights of a class list."""
        with self._lock:
            if key in self._classes:
                self._classes.move_to_end(key)
                return self._classes[key]
        weights = make()
        with self._lock:
            self._classes[key] = weights
            while sum(map(len, self._classes.values())) > MAX_CLASSES:
                self._classes.popitem(last=False)
        return weights

    def image_features(self, key: Hashable, read: Callable[[], Image.Image]) -> np.ndarray:
        """Return the image features of one image: shape (d,), float32, not normalised.

        Parameters
        ----------
        key : hashable
            What the image is known by: the same key is the same image.
        read : callable
            Returns it as RGB; called only where its features are not remembered.
        """
        rows = self._images.remembered([key])
        if not rows:
            # Made ready here, beside the encoder, which is busy with somebody else's.
            rows = self._images.rows({key: self._encoder.preprocess(read())})
        return rows[key]

    def of_job(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return the image features of a background job's images: shape (n, d), float32, not normalised.

        Not remembered. They are encoded when no visitor waits, and few at a time, so that the next one need not wait
        long.
        """
        rows, start = [], 0
        while start < len(images):
            pixels = [self._encoder.preprocess(each) for each in images[start : start + self._job_batch]]
            rows.append(self._turns.run(partial(self._encode_for_job, pixels), JOB))
            start += len(pixels)
        return np.concatenate(rows)

    def _encode_for_job(self, pixels: list) -> np.ndarray:
        start = time.perf_counter()
        rows = self._encoder.encode_pixels(pixels)
        pace = len(pixels) / (time.perf_counter() - start)  # images a second
        self._job_batch = int(min(max(pace * JOB_TURN, 1), 2 * self._job_batch, JOB_IMAGES))
        return rows


def _turns_of(prompts: list[str]) -> Iterator[list[str]]:
    """Divide prompts into what the encoder takes in one turn: many short ones or few long ones."""
    turn, letters = [], 0
    for prompt in prompts:
        if turn and (len(turn) == PROMPTS or letters + len(prompt) > MAX_CHARACTERS):
            yield turn
            turn, letters = [], 0
        turn.append(prompt)
        letters += len(prompt)
    if turn:
        yield turn
