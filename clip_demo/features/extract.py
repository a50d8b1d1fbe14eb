"""Feature extraction: the images of a dataset, batch by batch through an encoder."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..models.encoder import Encoder
from ..progress import Progress

# Encodes images of a split, given by their indices: yields features, shape (batch, d), in the order of the indices.
Extract = Callable[[Dataset, str, np.ndarray], Iterator[np.ndarray]]

BATCH = 128
SMALL_BATCH = 32
_AHEAD = 2  # batches preprocessed in advance


def encode_directly(encoder: Encoder) -> Extract:
    """Return an `Extract` that has the encoder for itself; batches are preprocessed while others are encoded."""

    def extract(dataset: Dataset, split: str, indices: np.ndarray) -> Iterator[np.ndarray]:
        def preprocess(part: np.ndarray) -> list:
            return [encoder.preprocess(image) for image in dataset.images(part, split)]

        # Half of the cores: on a CPU the encoder needs cores too, and on a GPU a single core would be too slow for it.
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2), thread_name_prefix="preprocess") as pool:
            pending = deque()
            for start in range(0, len(indices), BATCH):
                pending.append(pool.submit(preprocess, indices[start : start + BATCH]))
                if len(pending) > _AHEAD:
                    yield encoder.encode_images(pending.popleft().result())
            while pending:
                yield encoder.encode_images(pending.popleft().result())

    return extract


def in_small_batches(encode: Callable[[Sequence[Image.Image]], np.ndarray]) -> Extract:
    """Return an `Extract` that passes a few images at a time to `encode`."""

    def extract(dataset: Dataset, split: str, indices: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(indices), SMALL_BATCH):
            yield encode(dataset.images(indices[start : start + SMALL_BATCH], split))

    return extract


def encode_split(extract: Extract, dataset: Dataset, split: str, progress: Progress | None = None) -> np.ndarray:
    """Return the features of all images of a split: shape (n, d), float32, not normalised."""
    size, done, parts = dataset.sizes[split], 0, []
    for rows in extract(dataset, split, np.arange(size)):
        parts.append(rows)
        done += len(rows)
        if progress:
            progress(f"{split} features", done, size)
    return np.concatenate(parts)
