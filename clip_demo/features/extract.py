"""Images in, features out, batch by batch; the next batch is made ready while one is encoded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..models.encoder import Encoder, Report

__all__ = ["Encode", "batched", "encode_split", "encode_directly"]

# Encodes some images of a split, given by their indices: yields features, shape (a few, d), in the order given.
Encode = Callable[[Dataset, str, np.ndarray], Iterator[np.ndarray]]

BATCH = 128
FEW = 32
_AHEAD = 2  # batches made ready beyond the one that is encoded


def encode_directly(encoder: Encoder) -> Encode:
    """Return an `Encode` that takes the encoder for itself."""

    def encode(dataset: Dataset, split: str, indices: np.ndarray) -> Iterator[np.ndarray]:
        def ready(part: np.ndarray) -> list:
            return [encoder.preprocess(Image.fromarray(each)) for each in dataset.pixels(part, split)]

        # Half of the cores: on a CPU the encoder wants them too, and on a GPU one would be too slow for it.
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), thread_name_prefix="preprocess") as pool:
            waiting = deque()
            for start in range(0, len(indices), BATCH):
                waiting.append(pool.submit(ready, indices[start : start + BATCH]))
                if len(waiting) > _AHEAD:
                    yield encoder.encode_pixels(waiting.popleft().result())
            while waiting:
                yield encoder.encode_pixels(waiting.popleft().result())

    return encode


def batched(encode_images: Callable[[Sequence[Image.Image]], np.ndarray]) -> Encode:
    """Return an `Encode` that hands on few images at a time, such as to `Features.of_job`."""

    def encode(dataset: Dataset, split: str, indices: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(indices), FEW):
            pixels = dataset.pixels(indices[start : start + FEW], split)
            yield encode_images([Image.fromarray(each) for each in pixels])

    return encode


def encode_split(encode: Encode, dataset: Dataset, split: str, progress: Report | None = None) -> np.ndarray:
    """Return the features of all images of a split: shape (n, d), float32, not normalised."""
    size, done, parts = dataset.sizes[split], 0, []
    for rows in encode(dataset, split, np.arange(size)):
        parts.append(rows)
        done += len(rows)
        if progress:
            progress(f"{split} features", done, size)
    return np.concatenate(parts)
