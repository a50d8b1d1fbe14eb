"""CIFAR-100, read and downloaded by torchvision."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DatasetError
from ..progress import Progress
from .base import Dataset
from .cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF

HOME_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder that holds ``cifar-100-python``: `root`, else ``$CLIP_DEMO_DATA``, else ``~/.cache``."""
    return Path(root or os.environ.get("CLIP_DEMO_DATA") or Path.home() / ".cache").expanduser()


class Cifar100(Dataset):
    """CIFAR-100 (Krizhevsky 2009): 32×32 images, read by `torchvision.datasets.CIFAR100`, which verifies MD5 sums.

    Parameters
    ----------
    root : path, optional
        See `data_root`.
    """

    name = "cifar100"
    title = "CIFAR-100"
    classnames = CIFAR100_CLASSNAMES
    coarse_names = CIFAR100_COARSE_NAMES
    coarse_of = CIFAR100_COARSE_OF
    sizes = {"train": 50_000, "test": 10_000}
    download_bytes = 169_001_437
    file_bytes = {"train": 155_249_918, "test": 31_049_707, "meta": 1_473}

    def __init__(self, root: str | Path | None = None):
        self.root = data_root(root)
        self._folder = self.root / "cifar-100-python"
        self._splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._downloading = False

    def available(self) -> bool:
        """Whether the images are in memory, or all files have their full size."""
        return bool(self._splits) or (
            not self._downloading
            and all(
                (self._folder / name).is_file() and (self._folder / name).stat().st_size == size
                for name, size in self.file_bytes.items()
            )
        )

    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split; see `Dataset.labels`."""
        return self._split(split)[1]

    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split; see `Dataset.images`."""
        return [Image.fromarray(each) for each in self.pixels(indices, split)]

    def pixels(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> np.ndarray:
        """Return some images of a split as one array, shape (n, 32, 32, 3), uint8."""
        return self._split(split)[0][np.asarray(indices)]

    def _split(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            if split not in self._splits:
                self._splits[split] = self._read(split)
            return self._splits[split]

    def _read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.available():
            raise DatasetError(f"dataset: {self.title} is not on disk. {self._instructions()}")
        # Imported here because torchvision imports torch, and a web server should answer before that is loaded.
        from torchvision.datasets import CIFAR100

        try:
            data = CIFAR100(self.root, train=split == "train", download=False)
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"dataset: {self.title} in {self.root} is damaged ({error}); delete the folder {self._folder}. "
                f"{self._instructions()}"
            ) from error
        return data.data, np.asarray(data.targets, dtype=np.int64)

    def download(self, progress: Progress | None = None) -> None:
        """Download, verify and unpack the archive; see `Dataset.download`."""
        from torchvision.datasets import CIFAR100

        done = threading.Event()
        if progress:
            threading.Thread(target=self._watch, args=(progress, done), name="watch-cifar100", daemon=True).start()
        self._downloading = True
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            CIFAR100(self.root, train=False, download=True)
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"dataset: {self.title} cannot be downloaded ({error}). {self._instructions()}"
            ) from error
        finally:
            self._downloading = False
            done.set()

    def _watch(self, progress: Progress, done: threading.Event) -> None:
        # torchvision shows its progress only in a terminal; the size of the archive so far is the progress, too.
        archive = self.root / "cifar-100-python.tar.gz"
        while not done.wait(0.2):
            if archive.exists():
                progress(self.title, archive.stat().st_size, self.download_bytes)

    def _instructions(self) -> str:
        return (
            f"Fetch it with `python -m clip_demo download cifar100`, or unpack the python version from {HOME_PAGE} to "
            f"{self._folder}, or give the folder that holds cifar-100-python with --data-root. "
            "Shapes-100 and your own images work without it."
        )
