"""Features on disk in pieces, so that work that is cut off at any point goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock

from ..artifacts import UNFINISHED, write_file
from ..datasets.base import Dataset
from ..models.encoder import Encoder
from .balanced_order import SEED, balanced_order
from .extract import Encode

__all__ = ["Shards"]

ROWS = 512  # four batches; on a slow CPU less than a minute of a large model's work


class Shards:
    """The features of one model for one split of an dataset, encoded in class-balanced order.

    Shard k holds the images ``order[k * rows : (k + 1) * rows]``. A shard is written whole or not at all; one that is
    damaged, or was made for another model or order, is made again. Processes that work on the same shards take turns,
    and each finds what the other has made.

    Parameters
    ----------
    folder : path
        Each model and dataset gets a folder of its own in it.
    encoder : Encoder
    dataset : Dataset
    split : {"train", "test"}
    encode : Encode
        How images are encoded.
    rows : int
        Images in a shard.

    Attributes
    ----------
    order : numpy.ndarray, shape (n,), int64
        See `clip_demo.probe_builder.order.balanced_order`.
    features : numpy.ndarray, shape (n, d), float32, or None
        By index, not by `order`; only those of ``order[:done]`` are meant.
    done : int
        How many images of `order` are encoded.
    """

    def __init__(
        self, folder: str | Path, encoder: Encoder, dataset: Dataset, split: str, encode: Encode, rows: int = ROWS
    ):
        self.order = balanced_order(dataset.labels(split))
        self.features: np.ndarray | None = None
        self.done = 0
        self._dataset, self._split, self._encode, self._rows = dataset, split, encode, rows
        self._folder = Path(folder) / f"{encoder.name.replace('/', '-')}-{dataset.name}-{encoder.sha256[:16]}"
        self._key = {"model_sha256": encoder.sha256, "dataset": dataset.name, "split": split, "seed": str(SEED)}

    def up_to(self, n: int, report: Callable[[int], None] = lambda done: None) -> None:
        """Have the features of the first `n` images of `order`, or of a few more.

        Parameters
        ----------
        n : int
        report : callable, optional
            Called with how many are encoded, after each batch.
        """
        known = self.done
        while self.done < min(n, len(self.order)) and (found := self._read(self._next)) is not None:
            self._take(found)
        if self.done > known:
            report(self.done)
        while self.done < min(n, len(self.order)):
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / f"{self._split}.lock"):
                found = self._read(self._next)  # another process may have made it meanwhile
                self._take(self._make(report) if found is None else found)

    @property
    def _next(self) -> np.ndarray:
        """The indices of the images of the next shard."""
        return self.order[self.done : self.done + self._rows]

    def _take(self, rows: np.ndarray) -> None:
        if self.features is None:
            self.features = np.empty((len(self.order), rows.shape[1]), dtype=np.float32)
        self.features[self._next] = rows
        self.done += len(rows)

    def _path(self) -> Path:
        return self._folder / f"{self._split}-{self.done // self._rows:04d}.npz"

    def _make(self, report: Callable[[int], None]) -> np.ndarray:
        for left in self._folder.glob(f"*{self._split}{UNFINISHED}"):
            left.unlink()  # by a process that was killed: who holds the lock is the only one that writes
        parts, done = [], self.done
        for rows in self._encode(self._dataset, self._split, self._next):
            parts.append(rows)
            done += len(rows)
            report(done)
        features = np.concatenate(parts).astype(np.float32, copy=False)
        arrays = {"features": features, "indices": self._next, **{k: np.array(v) for k, v in self._key.items()}}
        write_file(
            self._path(), lambda file: np.savez(file, allow_pickle=False, **arrays), f"{self._split}{UNFINISHED}"
        )
        return features

    def _read(self, indices: np.ndarray) -> np.ndarray | None:
        """Return the next shard from disk; None where it is absent, damaged or another's."""
        try:
            with np.load(self._path(), allow_pickle=False) as stored:
                same = all(str(stored[name]) == value for name, value in self._key.items())
                if not same or not np.array_equal(stored["indices"], indices):
                    return None
                features = stored["features"]
        except Exception:  # zip, npz and field errors all mean that it has to be made again
            return None
        return features if features.dtype == np.float32 and features.shape[:1] == indices.shape else None
