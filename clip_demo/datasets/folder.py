"""A folder of images, or a zip of one, as a dataset."""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DatasetError, ImageError
from ..models.image_input import decode_image
from ..paths import cache_folder, expanded, is_readable
from .base import Dataset
from .file_record import FileRecord
from .image_files import open_files
from .listing import LABELS, list_images

logger = logging.getLogger(__name__)
_NAMED = 5  # damaged files in a message


class FolderDataset(Dataset):
    """The images below a folder, one folder a class, as torchvision's ``ImageFolder`` has them, or those in a zip.

    `clip_demo.datasets.listing.list_images` says which images there are. No image is held in memory. Damaged ones are
    found when they are encoded, said, and left out from then on.

    Parameters
    ----------
    path : path
        A folder, a zip, or a ``labels.csv``.

    Raises
    ------
    DatasetError
        When it is no dataset; the message says why.
    """

    def __init__(self, path: str | Path):
        path = expanded(path).absolute()
        if path.name == LABELS:
            path = path.parent
        self.folder, self._files = path, open_files(path)
        self._listing = list_images(self._files)
        self.title = path.stem if path.is_file() else path.name
        self.name = re.sub(r"[^\w.-]+", "-", self.title).strip("-.") or "folder"
        self.classnames, self.coarse_names = self._listing.classnames, self._listing.coarse_names
        self.coarse_of = self._listing.coarse_of
        self._record = FileRecord(cache_folder() / "datasets", self._listing, self.folder)
        self._record.compare(self._files.read)
        self._lock = threading.Lock()
        self._positions = self._readable()
        self._find_readable_start()
        for note in self.notes:
            logger.warning("%s: %s", self.title, note)

    @property
    def key(self) -> str:
        """The name, and a checksum of the relative paths and sizes; another one when a file has changed."""
        return "-".join(filter(None, [self.files_key, self._record.version]))

    @property
    def files_key(self) -> str:
        """The name, and a checksum of the relative paths and sizes; see `Dataset.files_key`."""
        return f"{self.name}-{self._listing.sha256[:16]}"

    @property
    def argument(self) -> str:
        """The name of the folder, without where it is; see `Dataset.argument`."""
        return f"path/to/{self.folder.name}"

    @property
    def sizes(self) -> dict[str, int]:
        """Number of readable images in each split."""
        return {split: len(positions) for split, positions in self._positions.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the host should know: what was left out, a sentence each."""
        damaged = np.flatnonzero(self._record.damaged)
        return (*(f"Left out: {note}." for note in self._listing.notes), *self._damaged_note(damaged))

    @property
    def visitor_note(self) -> str:
        """How many images are damaged; see `Dataset.visitor_note`."""
        n = int(self._record.damaged.sum())
        return f"{_left_out(n)}." if n else ""

    def available(self) -> bool:
        """Whether the folder is still there; where a disk is away, an empty one may be in its place."""
        return is_readable(self.folder) and (self.folder.is_file() or any(self.folder.iterdir()))

    def sources(self) -> list[str]:
        """Return where the images are; see `Dataset.sources`."""
        return [f"on disk    {self.folder}"]

    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split; see `Dataset.labels`."""
        return self._listing.labels[self._positions[split]].astype(np.int64)

    def ids(self, split: str = "test") -> np.ndarray:
        """Return the positions of the images among all files; see `Dataset.ids`."""
        return self._positions[split]

    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split; see `Dataset.images`.

        Raises
        ------
        ImageError
            When one is damaged.
        """
        return [self._image(int(position)) for position in self._positions[split][np.asarray(indices, dtype=np.int64)]]

    def readable_images(self, ids: Sequence[int] | np.ndarray, split: str = "test") -> Iterator[Image.Image | None]:
        """Yield some images, and None for damaged ones, one in memory at a time; see `Dataset.readable_images`."""
        return (self._image_or_none(int(position)) for position in ids)

    def leave_out(self, ids: np.ndarray, split: str = "test") -> None:
        """Leave out damaged images; see `Dataset.leave_out`.

        Raises
        ------
        DatasetError
            When no image would be left, or the folder is not there any more. Nothing is left out then.
        """
        if not self.available():
            raise DatasetError(
                f"dataset: {self.folder} cannot be read any more; restore it, then try again.",
                page=f"The images of {self.title} cannot be read now. Try again later.",
            )
        if len(ids) == self.sizes[split]:
            raise DatasetError(f"dataset: none of the {split} images of {self.title} can be read; save them again.")
        with self._lock:
            self._record.leave_out(ids)
            self._positions = self._readable()
        for note in self._damaged_note(ids):
            logger.warning("%s: %s", self.title, note)

    def path_of(self, index: int, split: str = "test") -> str:
        """Return the relative path of an image."""
        return self._listing.paths[self._positions[split][index]]

    def _find_readable_start(self) -> None:
        """Leave out damaged images before the first good test image, with which the page may open."""
        for number, position in enumerate(self._positions["test"].tolist()):
            if self._image_or_none(position) is not None:
                self._record.leave_out(self._positions["test"][:number])
                self._positions = self._readable()
                return

    def _readable(self) -> dict[str, np.ndarray]:
        readable, is_test = ~self._record.damaged, self._listing.is_test
        return {"train": np.flatnonzero(readable & ~is_test), "test": np.flatnonzero(readable & is_test)}

    def _image(self, position: int) -> Image.Image:
        path = self._listing.paths[position]
        try:
            content = self._files.read(path)
        except (OSError, ValueError) as error:
            self._record.miss(position)
            raise ImageError(
                f"image: {path} of {self.title} cannot be read ({getattr(error, 'strerror', None) or error}); "
                "restore the file, or start again without it.",
                page=f"This image of {self.title} cannot be read any more. Choose another one.",
            ) from error
        self._record.note(position, content)
        try:
            return decode_image(content, path)
        except ImageError as error:
            raise ImageError(str(error), page=f"This image of {self.title} is damaged. Choose another one.") from error

    def _image_or_none(self, position: int) -> Image.Image | None:
        try:
            return self._image(position)
        except ImageError as error:
            logger.info("%s", error)
            return None

    def _damaged_note(self, positions: np.ndarray) -> tuple[str, ...]:
        n = len(positions)
        if not n:
            return ()
        named = ", ".join(self._listing.paths[each] for each in positions[:_NAMED].tolist())
        return (f"{_left_out(n)}: {named}{' …' if n > _NAMED else ''}.",)


def _left_out(n: int) -> str:
    return f"Left out: {n:,} damaged image{'s' * (n > 1)}"


def is_path(name: str) -> bool:
    """Whether a dataset is given as a path, not as a name."""
    return bool(re.search(r"[/\\~]|\.(zip|csv)$", name)) or expanded(name).is_dir()
