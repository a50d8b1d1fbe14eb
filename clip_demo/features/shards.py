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
from .extract import Extract, damaged_rows

logger = logging.getLogger(__name__)

ROWS = 512  # four batches; less than a minute of a large model's work on a slow CPU


class Shards:
    """The features of one model for one split of a dataset, encoded in class-balanced order.

    Shard k holds the images ``order[k * rows : (k + 1) * rows]``. A shard is written as a whole or not at all. One that
    is damaged, or belongs to another model or order, is computed again. Processes that work on the same shards take
    turns, and each uses what the other has computed. Damaged images are left out of the dataset; the order of those
    before them stays. An `Extract` is asked for one shard at a time, or for all that are missing where it wants all;
    each shard is written as soon as its features are there.

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
    labels : numpy.ndarray, shape (n,), int64
        By index.
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
        self._dataset, self._split, self._extract, self._rows = dataset, split, extract, rows
        self._warned = False
        self._batches: Iterator[tuple[np.ndarray, np.ndarray]] | None = None  # of the running call of `extract`
        self._ahead: dict[int, np.ndarray] = {}  # its features that are in no shard yet, by id
        self._damaged: set[int] = set()  # ids that it could not read, and that are not left out yet
        self._ids = self.order = np.empty(0, dtype=np.int64)
        self.features: np.ndarray | None = None
        self.done = 0
        self._arrange()
        name = f"{encoder.name.replace('/', '-')}-{dataset.key}"
        folders = {sha256: Path(folder) / f"{name}-{sha256[:16]}" for sha256 in checksums_of(encoder.sha256)}
        # An interrupted run continues where it stored its shards.
        sha256 = next((each for each, path in folders.items() if path.is_dir()), encoder.sha256)
        self._folder = folders[sha256]
        # "image_set" is the key of all shards so far.
        self._key = {"model_sha256": sha256, "image_set": dataset.key, "split": split, "seed": str(SEED)}

    def encode(self, n: int | None = None, report: Callable[[int], None] = lambda done: None) -> None:
        """Make at least the first `n` images of `order` available in `features`.

        Parameters
        ----------
        n : int, optional
            Default all.
        report : callable, optional
            Called with the number of encoded images after each batch.
        """
        n = len(self.order) if n is None else n
        before = self.done
        self.read_stored(n)
        if self.done > before:
            report(self.done)
        try:
            while self.done < min(n, len(self.order)):
                with self._turn():
                    self._encode_next(n, report)
                    while self._batches is not None and self.done < min(n, len(self.order)):
                        self._encode_next(n, report)
        finally:
            self._forget_call()

    def _encode_next(self, n: int, report: Callable[[int], None]) -> None:
        stored = self._read()  # another process may have written it meanwhile
        if stored is not None:
            self._forget_call()
        self._append(self._compute(n, report) if stored is None else stored)

    def read_stored(self, n: int | None = None) -> int:
        """Read what is on disk of the first `n` images, default all, and return how many images are missing."""
        n = len(self.order) if n is None else n
        while self.done < min(n, len(self.order)) and (stored := self._read()) is not None:
            self._append(stored)
        return max(0, min(n, len(self.order)) - self.done)

    def _arrange(self) -> None:
        """Take over which images the dataset has now: some may have been left out since the last time."""
        encoded, features = self._ids[self.order[: self.done]], self.features
        rows = None if features is None else features[self.order[: self.done]]
        self._ids, self.labels = self._dataset.ids(self._split), self._dataset.labels(self._split)
        self.order = balanced_order(self.labels, ids=self._ids)
        self.features, self.done = None, 0  # if an encoded one was left out, the shards have to be read again
        if rows is not None and np.array_equal(self._ids[self.order[: len(encoded)]], encoded):
            self._append(rows)

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
        """Ids of the images of the next shard."""
        return self._ids[self.order[self.done : self.done + self._rows]]

    @property
    def _path(self) -> Path:
        """File of the next shard."""
        return self._folder / f"{self._split}-{self.done // self._rows:04d}.npz"

    def _append(self, rows: np.ndarray) -> None:
        """Take over the features of the next images in order."""
        if self.features is None and len(rows):
            self.features = np.empty((len(self.order), rows.shape[1]), dtype=np.float32)
        if len(rows):
            self.features[self.order[self.done : self.done + len(rows)]] = rows
        self.done += len(rows)

    def _compute(self, n: int, report: Callable[[int], None]) -> np.ndarray:
        # Where images turn out to be damaged, others take their places.
        while missing := set(self._next.tolist()) - self._ahead.keys():
            if missing <= self._damaged:
                self._leave_out_damaged()
                continue
            if self._batches is None:
                self._batches = self._call(self._wanted(n))
            ids, rows = next(self._batches, (None, None))
            if ids is None:
                self._end_call()
                continue
            damaged = damaged_rows(rows)
            self._ahead.update(zip(ids[~damaged].tolist(), rows[~damaged], strict=True))
            self._damaged.update(ids[damaged].tolist())
            report(self.done + len(self._ahead))
        rows = [self._ahead.pop(each) for each in self._next.tolist()]
        if not self._wants_all:
            self._end_call()
        return self._write(np.stack(rows)) if rows else np.empty((0, 1), dtype=np.float32)

    def _leave_out_damaged(self) -> None:
        """Leave out what was found so far: arranging a million images anew takes a second."""
        self._dataset.leave_out(np.array(sorted(self._damaged)), self._split)
        self._damaged.clear()
        self._arrange()

    @property
    def _wants_all(self) -> bool:
        return getattr(self._extract, "wants_all", False)

    def _wanted(self, n: int) -> np.ndarray:
        """Return the ids of the images that are missing in the next shard, or in all shards of the first `n` images."""
        stop = -(-n // self._rows) * self._rows if self._wants_all else self.done + self._rows
        ids = self._ids[self.order[self.done : stop]]
        return ids[~np.isin(ids, [*self._ahead, *self._damaged])]

    def _call(self, ids: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the ids and the features of each batch."""
        start = 0
        with contextlib.closing(self._extract(self._dataset, self._split, ids)) as batches:
            for rows in batches:
                yield ids[start : start + len(rows)], rows
                start += len(rows)

    def _forget_call(self) -> None:
        self._end_call()
        self._ahead.clear()
        self._damaged.clear()

    def _end_call(self) -> None:
        if self._batches is not None:
            self._batches.close()
        self._batches = None

    def _write(self, features: np.ndarray) -> np.ndarray:
        features = features.astype(np.float32, copy=False)
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

    def _read(self) -> np.ndarray | None:
        """Return the next shard from disk; None where it is missing, damaged or belongs to something else."""
        ids = self._next
        try:
            with np.load(self._path, allow_pickle=False) as stored:
                same = all(str(stored[name]) == value for name, value in self._key.items())
                if not same or not np.array_equal(stored["indices"], ids):
                    return None
                features = stored["features"]
        except Exception:  # A bad zip, npz or field: it has to be computed again.
            return None
        return features if features.dtype == np.float32 and features.shape[:1] == ids.shape else None
