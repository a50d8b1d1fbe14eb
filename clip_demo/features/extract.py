"""Feature extraction: the images of a dataset, batch by batch through an encoder."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..errors import DatasetError, ModelError
from ..models.encoder import Encoder
from ..progress import Progress

# Encodes images of a split, given by their ids: yields features, shape (batch, d), in the order of the ids. The rows of
# damaged images are NaN; a batch of nothing else has the shape (batch, 1). One with a true attribute `wants_all`
# is best called once, for all images.
Extract = Callable[[Dataset, str, np.ndarray], Iterator[np.ndarray]]

BATCH = 128
SMALL_BATCH = 32
_PIECE = 16  # images that a thread reads and preprocesses at a time
_AHEAD = 2  # batches preprocessed in advance
_ATTEMPTS = 3  # to encode a dataset whose files change meanwhile


def encode_directly(encoder: Encoder) -> Extract:
    """Return an `Extract` that has the encoder for itself; images are preprocessed while others are encoded."""

    def extract(dataset: Dataset, split: str, ids: np.ndarray) -> Iterator[np.ndarray]:
        def preprocess(part: np.ndarray) -> list:
            return preprocessed(encoder.preprocess, dataset, split, part)

        # As many threads as cores: reading photos can take longer than encoding them.
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="preprocess") as pool:
            pending: deque[list[Future]] = deque()
            for start in range(0, len(ids), BATCH):
                batch = ids[start : start + BATCH]
                pieces = [batch[first : first + _PIECE] for first in range(0, len(batch), _PIECE)]
                pending.append([pool.submit(preprocess, piece) for piece in pieces])
                if len(pending) > _AHEAD:
                    yield _encode(encoder.encode_images, pending.popleft())
            while pending:
                yield _encode(encoder.encode_images, pending.popleft())

    return extract


def _encode(encode: Callable[[list], np.ndarray], pieces: list[Future]) -> np.ndarray:
    return encode_readable(encode, [each for piece in pieces for each in piece.result()])


def in_small_batches(preprocess: Callable[[Image.Image], Any], encode: Callable[[list], np.ndarray]) -> Extract:
    """Return an `Extract` that passes a few preprocessed images at a time to `encode`."""

    def extract(dataset: Dataset, split: str, ids: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(ids), SMALL_BATCH):
            yield encode_readable(encode, preprocessed(preprocess, dataset, split, ids[start : start + SMALL_BATCH]))

    return extract


def preprocessed(preprocess: Callable[[Image.Image], Any], dataset: Dataset, split: str, ids: np.ndarray) -> list:
    """Return some images preprocessed, None for damaged ones. A photo that is read when it is needed is not kept."""
    return [image and preprocess(image) for image in dataset.readable_images(ids, split)]


def encode_readable(encode: Callable[[list], np.ndarray], inputs: Sequence) -> np.ndarray:
    """Return the features of inputs of which some are None, in their order; see `Extract`.

    Raises
    ------
    ModelError
        When the model gives NaN, which would count as a damaged image.
    """
    readable = np.array([each is not None for each in inputs])
    rows = encode([each for each in inputs if each is not None]) if readable.any() else np.empty((0, 1), np.float32)
    if damaged_rows(rows).any():
        raise ModelError(
            "model: its features of some images are no numbers; its weights are damaged, so use another checkpoint.",
            page="This model gives no usable numbers. Choose another one.",
        )
    if readable.all():
        return rows
    features = np.full((len(inputs), rows.shape[1]), np.nan, dtype=np.float32)
    features[readable] = rows
    return features


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the batches of an `Extract` as one array, shape (n, d)."""
    d = max(part.shape[1] for part in parts)
    return np.concatenate([np.broadcast_to(part, (len(part), d)) for part in parts])


def damaged_rows(features: np.ndarray) -> np.ndarray:
    """Return which rows belong to damaged images, shape (n,), bool."""
    return np.isnan(features[:, 0])


def encode_split(extract: Extract, dataset: Dataset, split: str, progress: Progress | None = None) -> np.ndarray:
    """Return the features of all images of a split: shape (n, d), float32, not normalised.

    Damaged images are left out of the dataset. What is returned belongs to the images, and the key, that the dataset
    has then: where a file has changed or was left out after it was encoded, all are encoded again.

    Raises
    ------
    DatasetError
        When files change each time.
    """
    for _ in range(_ATTEMPTS):
        key, ids, done, parts = dataset.key, dataset.ids(split), 0, []
        if progress:  # the first batch of large photos takes a while
            progress(f"{split} features", 0, len(ids))
        for rows in extract(dataset, split, ids):
            parts.append(rows)
            done += len(rows)
            if progress:
                progress(f"{split} features", done, len(ids))
        features = joined(parts)
        damaged = damaged_rows(features)
        if damaged.any():
            dataset.leave_out(ids[damaged], split)
        if dataset.key == key and np.array_equal(dataset.ids(split), ids[~damaged]):
            return features[~damaged] if damaged.any() else features
    raise DatasetError(
        f"dataset: files of {dataset.title} change while they are encoded; try again when they are complete.",
        page=f"The images of {dataset.title} are being changed. Try again later.",
    )
