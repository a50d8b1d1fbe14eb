"""The feature cache: features of prompts, class lists and images, each computed once and then remembered."""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from ..features.extract import Extract, in_small_batches
from ..models.encoder import Encoder
from ..numerics import normalize
from ..progress import Progress
from ..zero_shot.classifier import class_weights
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import MAX_PROMPTS
from . import zero_gpu
from .batching import MicroBatcher
from .encoder_queue import JOB, EncoderQueue
from .memo import Memo

T = TypeVar("T")
# 512 numbers in float32 are 2 kB, so prompts take at most about 40 MB, and images 2 MB.
MAX_IMAGES = 1_000
MAX_CLASSES = 20_000  # of all remembered class lists together: another 40 MB at most
# Batch sizes. Larger ones are hardly faster on a CPU, and keep the next visitor waiting. With thirty visitors, half of
# them are served while the others' answers and next requests are on the network.
IMAGES, PROMPTS = 16, 128
MANY = 5_000  # even looking up and sorting so many prompts waits for its turn
MAX_CHARACTERS = 8_000  # in one batch of prompts: more than a hundred short prompts, or two dozen of the longest
# A background job's batches: the longest time that a visitor waits for one, in seconds, and the most images.
JOB_SECONDS, JOB_IMAGES = 0.2, 32


class FeatureCache:
    """An encoder with a bounded cache, safe to use from several threads, whose requests share batches.

    Prompts are remembered one by one: when one class of a hundred is edited, one prompt is encoded.

    Parameters
    ----------
    encoder : Encoder
    queue : EncoderQueue, optional
        Models that share a queue do not run at the same time.
    """

    def __init__(self, encoder: Encoder, queue: EncoderQueue | None = None):
        self._encoder = encoder
        self._queue = EncoderQueue() if queue is None else queue
        self._job_batch = 1
        self._weights: Memo[np.ndarray] = Memo(MAX_CLASSES, len)
        self._prompts = MicroBatcher(
            encoder.encode_texts, self._queue, memory=MAX_PROMPTS, batch=MAX_CHARACTERS, size=_size
        )
        self._images = MicroBatcher(encoder.encode_images, self._queue, memory=MAX_IMAGES, batch=IMAGES)

    def class_weights(self, prompts: PromptSet, progress: Progress | None = None) -> np.ndarray:
        """Return the weights of a prompt set's classifier; see `clip_demo.zero_shot.classifier.class_weights`.

        Raises
        ------
        ClassnamesError
            When the model cannot tell two class names apart.
        """
        encode = partial(self.encode_prompts, progress=progress, check=partial(self.check_distinct, prompts))
        return self._weights.get(prompts, partial(class_weights, encode, prompts), progress)

    def check_distinct(self, prompts: PromptSet) -> None:
        """Raise a ClassnamesError where the model cannot tell two class names apart."""
        prompts.check_distinct(self._encoder.tokens)

    def encode_prompts(
        self, prompts: Sequence[str], progress: Progress | None = None, check: Callable[[], None] = lambda: None
    ) -> np.ndarray:
        """Return text features: shape (n, d), float32, L2-normalised.

        Before the first of several batches, and after each, `progress` is called with the number of new prompts. Where
        it raises, the work ends, and what is done stays remembered. `check` is called after the first of these calls,
        with which a visitor's request waits for its turn: what it does may be long, too.
        """
        if progress and len(prompts) > MANY:
            progress("prompts", 0, len(prompts))
        rows = self._prompts.remembered(prompts)
        # Sorted, because a prefix that the prompts of a batch share is computed once.
        missing, done = sorted({prompt for prompt in prompts if prompt not in rows}), 0
        batches = list(_batches(missing))
        if progress and len(batches) > 1:
            progress("prompts", 0, len(missing))
        check()
        for batch in batches:
            # Between two batches the encoder is free for others.
            rows.update(self._prompts.rows(dict(zip(batch, batch, strict=True))))
            done += len(batch)
            if progress:
                progress("prompts", done, len(missing))
        return normalize(np.stack([rows[prompt] for prompt in prompts]))

    def encode_image(self, key: Hashable, read: Callable[[], Image.Image]) -> np.ndarray:
        """Return the features of one image: shape (d,), float32, not normalised.

        Parameters
        ----------
        key : hashable
            Identifies the image.
        read : callable
            Returns the image in RGB. Called only where its features are not remembered.
        """
        rows = self._images.remembered([key])
        if not rows:
            # Preprocessed in this thread, while the encoder is busy with other images.
            rows = self._images.rows({key: self._encoder.preprocess(read())})
        return rows[key]

    @property
    def extract(self) -> Extract:
        """How a background job encodes images of a dataset: a few at a time when no visitor waits, or on ZeroGPU."""
        return zero_gpu.whole_sets(self._encoder, in_small_batches(self._encoder.preprocess, self.encode_in_background))

    def encode_in_background(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return the features of a background job's preprocessed images: shape (n, d), float32, not normalised.

        They are not remembered, and encoded a few at a time when no visitor waits.
        """
        return np.concatenate(list(self.in_background(self._encoder.encode_images, inputs)))

    def in_background(
        self,
        encode: Callable[[Sequence[T]], np.ndarray],
        items: Sequence,
        prepare: Callable[[Sequence], Sequence[T]] = list,
    ) -> Iterator[np.ndarray]:
        """Yield ``encode(prepare(items))`` in pieces, a few items at a time when no visitor waits.

        Parameters
        ----------
        encode : callable
            Called in the encoder's thread. An item takes it about as long as an image.
        items : sequence
        prepare : callable
            Called in this thread, while the encoder is free for others.
        """
        start = 0
        while start < len(items):
            prepared = prepare(items[start : start + self._job_batch])
            yield self._queue.run(partial(self._encode_piece, encode, prepared), JOB)
            start += len(prepared)

    def run(self, work: Callable[[], T]) -> T:
        """Return what a short call of the encoder returns for a visitor who waits."""
        return self._queue.run(work)

    def wait_for_visitors(self) -> None:
        """Return as soon as no visitor waits for the encoder, for background work that needs the same cores."""
        self._queue.run(lambda: None, JOB)

    def _encode_piece(self, encode: Callable[[Sequence[T]], np.ndarray], prepared: Sequence[T]) -> np.ndarray:
        start = time.perf_counter()
        rows = encode(prepared)
        items_per_second = len(prepared) / (time.perf_counter() - start)
        self._job_batch = int(min(max(items_per_second * JOB_SECONDS, 1), 2 * self._job_batch, JOB_IMAGES))
        return rows


def _size(prompt: str) -> float:
    """Return the share of a prompt in `MAX_CHARACTERS`, of which a batch of `PROMPTS` short prompts takes all."""
    return max(len(prompt), MAX_CHARACTERS / PROMPTS)


def _batches(prompts: list[str]) -> Iterator[list[str]]:
    """Divide prompts into batches of many short ones or few long ones."""
    batch, size = [], 0.0
    for prompt in prompts:
        if batch and size + _size(prompt) > MAX_CHARACTERS:
            yield batch
            batch, size = [], 0.0
        batch.append(prompt)
        size += _size(prompt)
    if batch:
        yield batch
