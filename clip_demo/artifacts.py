"""Files that belong to one model and one dataset, found by what is inside them."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Generic, TypeVar

import numpy as np

from .errors import HeadError

__all__ = ["UNFINISHED", "Store", "file_name", "write_file", "write_npz"]

logger = logging.getLogger(__name__)
T = TypeVar("T")
UNFINISHED = ".part"  # how a file's name ends while it is written


class Store(Generic[T]):
    """What was computed for a model and an dataset, from the first folder that has it.

    The checksum inside a file decides and not its name, so that nothing is ever used with another model. A file that
    is damaged is passed over with a warning: it must not take the rest of the page down with it.

    Parameters
    ----------
    folders : sequence of path
        Looked through in this order.
    load : callable
        Returns a file's content, its model's SHA-256 and its dataset, or raises a HeadError.
    suffix : str
        How the files' names end.
    """

    def __init__(self, folders: Sequence[str | Path], load: Callable[[Path], tuple[T, str, str]], suffix: str = ".npz"):
        self.folders = [Path(folder) for folder in folders]
        self._load, self._suffix = load, suffix
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], T] = {}
        self._others: set[tuple[Path, int, tuple[str, str]]] = set()
        self._absent: dict[tuple[str, str], tuple[int, ...]] = {}

    def get(self, model_sha256: str, dataset: str) -> T | None:
        """Return what belongs to just this model and dataset, or None."""
        key = (model_sha256, dataset)
        with self._lock:
            if key not in self._known:
                # A file may be made at any time, so each question looks whether something changed in the folders.
                changed = tuple(folder.stat().st_mtime_ns if folder.is_dir() else 0 for folder in self.folders)
                if self._absent.get(key) == changed:
                    return None
                found = self._find(key)
                if found is None:
                    self._absent[key] = changed
                    return None
                self._known[key] = found
            return self._known[key]

    def remember(self, content: T, model_sha256: str, dataset: str) -> None:
        """Use `content` from now on."""
        with self._lock:
            self._known[model_sha256, dataset] = content

    def _find(self, key: tuple[str, str]) -> T | None:
        for folder in self.folders:
            for path in sorted(folder.glob(f"*-{key[1]}{self._suffix}")):
                # Only what is new is opened.
                version = (path, path.stat().st_mtime_ns, key)
                if version in self._others:
                    continue
                try:
                    content, *found = self._load(path)
                    if tuple(found) == key:
                        return content
                except HeadError as error:
                    logger.warning("%s", error)
                self._others.add(version)
        return None


def file_name(model: str, dataset: str, suffix: str = ".npz") -> str:
    """Return what a `Store`'s file is called: ``ViT-B-32-cifar100.npz`` for ``ViT-B/32`` on ``cifar100``."""
    return f"{model.replace('/', '-')}-{dataset}{suffix}"


def write_npz(folder: str | Path, model: str, dataset: str, /, **arrays: np.ndarray) -> Path:
    """Write arrays as npz without pickle; see `write_file`."""
    path = Path(folder) / file_name(model, dataset)
    return write_file(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def write_file(path: Path, write: Callable[[IO[bytes]], object], unfinished: str = UNFINISHED) -> Path:
    """Write a file whole or not at all; whoever reads at the same time sees the old file or the new one.

    Parameters
    ----------
    path : pathlib.Path
        Where it goes; folders are made.
    write : callable
        Writes the content to an open file.
    unfinished : str
        How the file's name ends until it is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=unfinished, delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name on an empty file
            os.chmod(file.name, 0o644)  # a temporary file is its owner's only
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    return path
