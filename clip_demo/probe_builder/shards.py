"""Features of a split on disk, in parts, so that whatever interrupts their making costs one part at most."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from ..encoder import EncodeImages, Report
from ..images import ImageSet
from ..store import write_arrays
from .order import SEED, balanced_order

__all__ = ["Shards"]

SIZE = 500  # pictures in a shard: half a minute of a ViT-B/32 on two slow cores
BATCH = 128


class Shards:
    """The features of one split, in a class-balanced seeded order; see `balanced_order`.

    A shard is written under another name and then renamed, so one that is there is whole; what it belongs to stands
    inside it. Two processes at once do the work twice, and each leaves the same files.

    Parameters
    ----------
    folder : path
        Where the shards of all models and image sets lie.
    model_sha256 : str
        Checksum of the model.
    image_set : ImageSet
    split : {"train", "test"}
    """

    def __init__(self, folder: str | Path, model_sha256: str, image_set: ImageSet, split: str):
        self._folder = Path(folder) / f"{model_sha256[:16]}-{image_set.name}-{split}"
        self._image_set, self._split = image_set, split
        self._owner = f"{model_sha256} {image_set.name} {split} seed {SEED} by {SIZE}"
        self._parts: dict[int, np.ndarray] = {}

    @cached_property
    def order(self) -> np.ndarray:
        """The positions of the pictures in the split, in the order in which they are encoded: shape (n,)."""
        return balanced_order(self._image_set.labels(self._split))

    def fill(self, encode: EncodeImages, n: int | None = None, progress: Report | None = None) -> None:
        """Make what is missing among the first `n` pictures of the order; default all.

        Parameters
        ----------
        encode : callable
            See `clip_demo.encoder.EncodeImages`; called with at most 128 pictures.
        n : int, optional
        progress : callable, optional
            See `clip_demo.encoder.Report`.
        """
        size = len(self.order)
        end = min(size, n or size)
        for number in range(-(-end // SIZE)):
            if self._part(number) is None:
                self._make(number, encode, progress)
        if progress:
            progress(f"{self._split} features", min(-(-end // SIZE) * SIZE, size), size)

    def _make(self, number: int, encode: EncodeImages, progress: Report | None) -> None:
        indices = self.order[number * SIZE : (number + 1) * SIZE]
        rows = []
        if progress:  # what stands before it is there
            progress(f"{self._split} features", number * SIZE, len(self.order))
        for start in range(0, len(indices), BATCH):
            pixels = self._image_set.pixels(indices[start : start + BATCH], self._split)
            rows.append(encode([Image.fromarray(each) for each in pixels]))
            if progress:
                progress(f"{self._split} features", number * SIZE + min(start + BATCH, len(indices)), len(self.order))
        self._parts[number] = np.concatenate(rows).astype(np.float32)
        arrays = {"features": self._parts[number], "owner": np.array(self._owner)}
        write_arrays(self._path(number), arrays, compress=False)

    def first(self, n: int) -> np.ndarray:
        """Return the features of the first `n` pictures of the order: shape (n, d), float32, not normalised."""
        return np.concatenate([self._part(number) for number in range(-(-n // SIZE))])[:n]

    def all(self) -> np.ndarray:
        """Return the features of all pictures in the split's own order: shape (n, d), float32, not normalised."""
        features = np.empty((len(self.order), self._part(0).shape[1]), np.float32)
        features[self.order] = self.first(len(self.order))
        return features

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.npz"

    def _part(self, number: int) -> np.ndarray | None:
        """Return a shard; None where it is not there, damaged, or another's."""
        if number not in self._parts:
            try:
                with np.load(self._path(number), allow_pickle=False) as data:
                    if str(data["owner"]) == self._owner:
                        self._parts[number] = data["features"]
            except Exception:  # zip, npz and field errors all mean the same: make it again.
                return None
        return self._parts.get(number)
