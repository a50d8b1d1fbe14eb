"""Features on disk in shards, so that interrupted work continues where it stopped."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock

from ..artifacts import atomic_write, checksums_of
from ..datasets.base import Dataset
from ..models.encoder import Encoder
from .balanced_order import SEED, balanced_order
from .extract import Extract

logger = logging.getLogger(__name__)

ROWS = 512  # four batches; less than a minute of a large model's work on a slow CPU


class Shards:
    """The features of one model for one split of a dataset, encoded in class-balanced order.

    Shard k holds the images ``order[k * rows : (k + 1) * rows]``. A shard is written as a whole or not at all. One that
    is damaged, or belongs to another model or order, is computed again. Processes that work on the same shards take
    turns, and each uses what the other has computed.

    Parameters
    ----------
    folder : path
        Each model and dataset gets a subfolder.
    encoder : Encoder
    dataset : Dataset
    split : {"train", "test"}
    extract : Extract
        How images are encoded.
    rows : int
        Images per shard.

    Attributes
    ----------
    order : numpy.ndarray, shape (n,), int64
        See `clip_demo.features.balanced_order`.
    features : numpy.ndarray, shape (n, d), float32, or None
        By index, not by `order`. Only the rows ``order[:done]`` are valid.
    done : int
        Number of encoded images.
    """

    def __init__(
        self, folder: str | Path, encoder: Encoder, dataset: Dataset, split: str, extract: Extract, rows: int = ROWS
    ):
        self.order = balanced_order(dataset.labels(split))
        self.features: np.ndarray | None = None
        self.done = 0
        self._warned = False
        self._dataset, self._split, self._extract, self._rows = dataset, split, extract, rows
        name = f"{encoder.name.replace('/', '-')}-{dataset.name}"
        folders = {sha256: Path(folder) / f"{name}-{sha256[:16]}" for sha256 in checksums_of(encoder.sha256)}
        # An interrupted run continues where it stored its shards.
        sha256 = next((each for each, path in folders.items() if path.is_dir()), encoder.sha256)
        self._folder = folders[sha256]
        # "image_set" is the key of all shards so far.
        self._key = {"model_sha256": sha256, "image_set": dataset.name, "split": split, "seed": str(SEED)}

    def encode(self, n: int | None = None, report: Callable[[int], None] = lambda done: None) -> None:
        """Make at least the first `n` images of `order` available in `features`.

        Parameters
        ----------
        n : int, optional
            Default all.
        report : callable, optional
            Called with the number of encoded images after each batch.
        """
        n = len(self.order) if n is None else min(n, len(self.order))
        before = self.done
        self.read_stored(n)
        if self.done > before:
            report(self.done)
        while self.done < n:
            with self._turn():
                stored = self._read(self._next)  # another process may have written it meanwhile
                self._append(self._compute(report) if stored is None else stored)

    def read_stored(self, n: int | None = None) -> int:
        """Read what is on disk of the first `n` images, default all, and return how many images are missing."""
        n = len(self.order) if n is None else n
        while self.done < n and (stored := self._read(self._next)) is not None:
            self._append(stored)
        return max(0, n - self.done)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for other processes; not where the folder cannot be written, where each works for itself."""
        with contextlib.ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if os.access(self._folder, os.W_OK):
                    stack.enter_context(FileLock(self._folder / f"{self._split}.lock"))
            except OSError:
                pass  # `_compute` says it
            yield

    @property
    def _next(self) -> np.ndarray:
        """Indices of the images of the next shard."""
        return self.order[self.done : self.done + self._rows]

    @property
    def _path(self) -> Path:
        """File of the next shard."""
        return self._folder / f"{self._split}-{self.done // self._rows:04d}.npz"

    def _append(self, rows: np.ndarray) -> None:
        if self.features is None:
            self.features = np.empty((len(self.order), rows.shape[1]), dtype=np.float32)
        self.features[self._next] = rows
        self.done += len(rows)

    def _compute(self, report: Callable[[int], None]) -> np.ndarray:
        parts, done = [], self.done
        for rows in self._extract(self._dataset, self._split, self._next):
            parts.append(rows)
            done += len(rows)
            report(done)
        features = np.concatenate(parts).astype(np.float32, copy=False)
        arrays = {"features": features, "indices": self._next, **{k: np.array(v) for k, v in self._key.items()}}
        # Not compressed: features hardly get smaller, and this is faster.
        try:
            with atomic_write(self._path) as temporary, temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
        except OSError as error:  # What was encoded is used nevertheless, and encoded again by the next run.
            if not self._warned:
                logger.warning("features cannot be stored in %s (%s)", self._folder, error)
            self._warned = True
        return features

    def _read(self, indices: np.ndarray) -> np.ndarray | None:
        """Return the next shard from disk; None where it is missing, damaged or belongs to something else."""
        try:
            with np.load(self._path, allow_pickle=False) as stored:
                same = all(str(stored[name]) == value for name, value in self._key.items())
                if not same or not np.array_equal(stored["indices"], indices):
                    return None
                features = stored["features"]
        except Exception:  # A bad zip, npz or field: it has to be computed again.
            return None
        return features if features.dtype == np.float32 and features.shape[:1] == indices.shape else None
