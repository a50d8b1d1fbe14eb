"""CIFAR-100 as torchvision reads and downloads it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from .base import Dataset
from .cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF

__all__ = ["Cifar100", "data_root"]

HOME_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder that holds ``cifar-100-python``: `root`, else ``$CLIP_DEMO_DATA``, else ``~/.cache``."""
    return Path(root or os.environ.get("CLIP_DEMO_DATA") or Path.home() / ".cache").expanduser()


class Cifar100(Dataset):
    """CIFAR-100 (Krizhevsky 2009) through `torchvision.datasets.CIFAR100`, which checks every file's MD5 sum.

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
    archive_bytes = 169_001_437
    # A file that is cut short is as good as absent, and looking at its size costs nothing.
    file_bytes = {"train": 155_249_918, "test": 31_049_707, "meta": 1_473}

    def __init__(self, root: str | Path | None = None):
        self.root = data_root(root)
        self._splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._downloading = False

    def available(self) -> bool:
        """Whether all three files are there in full."""
        folder = self.root / "cifar-100-python"
        return not self._downloading and all(
            (folder / name).is_file() and (folder / name).stat().st_size == size
            for name, size in self.file_bytes.items()
        )

    def pixels(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> np.ndarray:
        """Images of a split; see `Dataset.pixels`."""
        return self._split(split)[0][np.asarray(indices)]

    def labels(self, split: str = "test") -> np.ndarray:
        """Labels of a split; see `Dataset.labels`."""
        return self._split(split)[1]

    def _split(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            if split not in self._splits:
                self._splits[split] = self._read(split)
            return self._splits[split]

    def _read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.available():
            raise DatasetError(f"images: {self.title} is not on disk. {self._by_hand()}")
        # Imported late: torchvision brings torch, and a web server should answer before that.
        from torchvision.datasets import CIFAR100

        try:
            data = CIFAR100(self.root, train=split == "train", download=False)
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"images: {self.title} in {self.root} is damaged ({error}); delete the folder "
                f"{self.root / 'cifar-100-python'}. {self._by_hand()}"
            ) from error
        return data.data, np.asarray(data.targets, dtype=np.int64)

    def download(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Let torchvision download, check and unpack the archive; see `Dataset.download`."""
        from torchvision.datasets import CIFAR100

        done = threading.Event()
        if progress:
            threading.Thread(target=self._watch, args=(progress, done), name="watch-cifar100", daemon=True).start()
        self._downloading = True
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            CIFAR100(self.root, train=False, download=True)
        except (RuntimeError, OSError) as error:
            raise DatasetError(f"images: {self.title} cannot be downloaded ({error}). {self._by_hand()}") from error
        finally:
            self._downloading = False
            done.set()

    def _watch(self, progress: Callable[[int, int], None], done: threading.Event) -> None:
        # torchvision reports to a terminal only, but it writes the archive as it comes: its size is the progress.
        archive = self.root / "cifar-100-python.tar.gz"
        while not done.wait(0.2):
            if archive.exists():
                progress(archive.stat().st_size, self.archive_bytes)

    def _by_hand(self) -> str:
        return (
            f"Fetch it with `python -m clip_demo download cifar100` or from {HOME_PAGE} (python version), "
            f"unpacked to {self.root / 'cifar-100-python'}, or name another folder with --data-root. "
            "Shapes-100 and your own images work meanwhile."
        )
