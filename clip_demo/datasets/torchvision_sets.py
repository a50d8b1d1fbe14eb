"""The datasets of `clip_demo.datasets.torchvision_table`, read by torchvision."""

import os
import re
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image

from ..download import DownloadError, describe, fetch, match
from ..errors import DatasetError, page_message_of
from ..paths import is_readable
from ..progress import Progress
from ..switches import failed_sentence, is_offline
from .base import Dataset
from .cifar100 import data_roots
from .listing import first_fifth
from .torchvision_table import TORCHVISION


class TorchvisionDataset(Dataset):
    """A dataset of `TORCHVISION`, which torchvision reads; images that are files are opened when they are needed.

    Parameters
    ----------
    name : str
    root : path, optional
        See `clip_demo.datasets.cifar100.data_roots`.
    """

    def __init__(self, name: str, root: str | Path | None = None):
        row = TORCHVISION[name]
        self.name, self.title, self._row = name, row.title, row
        self.classnames, self.templates = row.classnames, row.templates
        self.coarse_names, self.coarse_of = row.groups, row.group_of
        self.sizes = dict(zip(("train", "test"), row.sizes, strict=True))
        self.download_bytes = sum(file.size or 0 for file in row.files) or None
        roots = data_roots(root)
        self.root = next((each for each in roots if self._is_in(each / row.base)), roots[0])
        self._base = self.root / row.base
        self.folder = self._base if row.base else self._base / row.unpacked[0]
        self._opened: dict[str, tuple[list[Any], np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._downloading = False

    def available(self) -> bool:
        """Whether all that a download unpacks is there."""
        return not self._downloading and self._is_in(self._base)

    def _is_in(self, base: Path) -> bool:
        return all(is_readable(base / name) for name in self._row.unpacked)

    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split; see `Dataset.labels`."""
        return self._open(split)[1]

    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split; see `Dataset.images`."""
        parts, _, positions = self._open(split)
        starts = np.cumsum([0, *(len(part) for part in parts)])
        chosen = positions[np.asarray(indices, dtype=np.int64)]
        which = np.searchsorted(starts, chosen, side="right") - 1
        try:
            return [parts[w][int(i - starts[w])][0].convert("RGB") for w, i in zip(which.tolist(), chosen, strict=True)]
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
            raise self._damaged(error) from error

    def sources(self) -> list[str]:
        """Return a line for each place where it was found and for each address; see `Dataset.sources`."""
        unpacked = [f"on disk    {self.folder}"] if self._is_in(self._base) else []
        return unpacked + describe(self._row.files, self._base)

    def download(self, progress: Progress | None = None, given: Path | None = None) -> None:
        """Download and verify what torchvision would, and unpack it; see `Dataset.download`."""
        self._downloading = True
        try:
            if not self._is_intact():
                self._unpack(self._take(given) if given else self._fetch(progress))
        except (DownloadError, RuntimeError, OSError) as error:
            failed = "cannot be taken from there" if given else "cannot be downloaded"
            step = "Unpack" if is_offline() else "Try again, or unpack"
            raise DatasetError(
                f"dataset: {self.title} {failed} ({error}). {step} your copy so that "
                f"{self._base / self._row.unpacked[0]} is there.",
                page=page_message_of(error, failed_sentence(self.title)),
                private=True,
            ) from error
        finally:
            self._downloading = False

    def _fetch(self, progress: Progress | None) -> list[Path]:
        found, before = [], 0
        for file in self._row.files:

            def receive(done: int, total: int, before: int = before) -> None:
                whole = self.download_bytes or total
                if progress:
                    progress(self.title, min(before + done, whole), whole)

            found.append(fetch([file], self._base, receive)[0])
            before += file.size or 0
        return found

    def _take(self, given: Path) -> list[Path]:
        found = []
        for file in self._row.files:
            path, _ = match([file], given) or (None, None)
            if path is None:
                raise DownloadError(f"{given} has no file with the MD5 {file.md5} of {file.name}")
            found.append(path)
        return found

    def _unpack(self, paths: Sequence[Path]) -> None:
        """Unpack the files beside their place, and move them there when all are complete."""
        from torchvision.datasets.utils import extract_archive

        self._base.mkdir(parents=True, exist_ok=True)
        new = self._base / f".{self.name}-unpacking"
        with FileLock(f"{new}.lock"):
            if self._is_intact():  # another process unpacked it meanwhile
                return
            shutil.rmtree(new, ignore_errors=True)  # of a process that was killed
            try:
                for file, path in zip(self._row.files, paths, strict=True):
                    new.mkdir(exist_ok=True)
                    if file.name in self._row.unpacked:
                        shutil.copyfile(path, new / file.name)
                        continue
                    # The archive's kind is known by the name, and a given file may have another.
                    archive = path if path.name == file.name else Path(shutil.copyfile(path, new / file.name))
                    extract_archive(archive, new)
                for name in self._row.unpacked:
                    if (self._base / name).is_dir():  # damaged, or of fewer images
                        shutil.rmtree(self._base / name)
                    os.replace(new / name, self._base / name)
            finally:
                shutil.rmtree(new, ignore_errors=True)

    def _is_intact(self) -> bool:
        try:
            return self._is_in(self._base) and bool([self._read(split) for split in self.sizes])
        except DatasetError:
            return False

    def _open(self, split: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """Return torchvision's datasets, the labels, and the positions of the images in the joined datasets."""
        with self._lock:
            if split not in self._opened:
                if not self.available():
                    raise DatasetError(
                        f"dataset: {self.title} is not on disk. Fetch it with `python -m clip_demo download "
                        f"{self.name}`, or give the folder that holds {self.folder.name} with --data-root.",
                        page=f"{self.title} is not on this machine yet. Download it on the Explore tab.",
                        private=True,
                    )
                self._opened[split] = self._read(split)
            return self._opened[split]

    def _read(self, split: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
        import torchvision.datasets  # imports torch, and a web server should answer before that is loaded

        row = self._row
        try:
            kind = getattr(torchvision.datasets, row.kind)
            parts = [kind(self.root, **options) for options in (row.train if split == "train" else row.test)]
            self._check_names(parts[0])
            labels = np.concatenate([_labels_of(part) for part in parts])
            positions = np.arange(len(labels))
            if row.train == row.test:
                is_test = first_fifth(["/".join(Path(path).parts[-2:]) for path, _ in parts[0].samples], labels)
                positions = np.flatnonzero(is_test if split == "test" else ~is_test)
            if len(positions) != self.sizes[split]:
                raise ValueError(f"it has {len(positions):,} {split} images instead of {self.sizes[split]:,}")
            missing = next((path for part in parts for path in _paths_of(part) if not os.path.isfile(path)), None)
            if missing:
                raise ValueError(f"{missing} is missing")
        except (RuntimeError, OSError, ValueError, LookupError) as error:  # what torchvision raises for other files
            raise self._damaged(error) from error
        return parts, labels[positions], positions

    def _check_names(self, part: Any) -> None:
        found = list(getattr(part, "classes", self.classnames))
        if len(found) != len(self.classnames):
            raise ValueError(f"it has {len(found)} classes instead of {len(self.classnames)}")
        if self._row.same_names and list(map(_letters, found)) != list(map(_letters, self.classnames)):
            raise ValueError("its classes have other names")

    def _damaged(self, error: Exception) -> DatasetError:
        return DatasetError(
            f"dataset: {self.title} in {self.root} is damaged or incomplete ({error}); delete "
            f"{self._base / self._row.unpacked[0]} and fetch it again with `python -m clip_demo download {self.name}`.",
            page=f"The files of {self.title} are damaged. Download them again with “python -m clip_demo download "
            f"{self.name}”, or choose another dataset.",
            private=True,
        )


# The datasets of files have no public names for these, and reading them one by one would open each image.
def _labels_of(data: Any) -> np.ndarray:
    labels = next(getattr(data, name) for name in ("targets", "labels", "_labels") if hasattr(data, name))
    return np.asarray(labels, dtype=np.int64)


def _paths_of(data: Any) -> list[str | Path]:
    samples = [path for path, _ in getattr(data, "samples", ())]
    return next((getattr(data, name) for name in ("_image_files", "_images") if hasattr(data, name)), samples)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
