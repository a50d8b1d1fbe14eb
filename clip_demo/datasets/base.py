"""The interface of a dataset."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import IndexRangeError, OptionError
from ..progress import Progress
from .openai_templates import CIFAR100_TEMPLATES


class Dataset(ABC):
    """Labelled images in two splits, addressed by an index.

    Images may have any size, and there may be any number of them. Classes are at most 1,000, as in a class list.

    Attributes
    ----------
    name : str
        Identifier in the command line and in links, such as ``"cifar100"``.
    title : str
        Name for the user, such as ``"CIFAR-100"``.
    classnames : tuple of str
        The class names; a label is a position in this tuple.
    coarse_names : tuple of str
        Names of the groups of classes; empty where the classes have none.
    coarse_of : tuple of int
        Group of each class, a position in `coarse_names`; empty without groups.
    templates : tuple of str
        Templates that suit the images, as openai/CLIP's ``data/prompts.md`` has them; default those for CIFAR-100.
    sizes : dict of str to int
        Number of images in each split, with the keys ``"train"`` and ``"test"``.
    download_bytes : int or None
        Size of the download; None where there is nothing to download.
    folder : pathlib.Path or None
        Where the files are, or would be after a download; None for a dataset without files.
    """

    name: str
    title: str
    classnames: tuple[str, ...]
    coarse_names: tuple[str, ...] = ()
    coarse_of: tuple[int, ...] = ()
    templates: tuple[str, ...] = CIFAR100_TEMPLATES
    sizes: dict[str, int]
    download_bytes: int | None = None
    folder: Path | None = None

    @property
    def key(self) -> str:
        """Identity in the names of stored files, such as heads and features; of other images it is another."""
        return self.name

    @property
    def files_key(self) -> str:
        """Identity of the files as they are listed, whatever is known of their content: of copies, it is the same."""
        return self.key

    @property
    def argument(self) -> str:
        """What the option ``--dataset`` takes for it."""
        return self.name

    @abstractmethod
    def available(self) -> bool:
        """Whether the images can be read now, without a download."""

    def download(self, progress: Progress | None = None, given: Path | None = None) -> None:
        """Download the images; nothing to do for a dataset that needs no download.

        Parameters
        ----------
        progress : callable, optional
            Called with the dataset's title, the bytes received and the bytes in total.
        given : Path, optional
            A file or folder to take the images from, in place of the network.

        Raises
        ------
        DatasetError
            When the download fails; the message says where to put the files by hand.
        """
        return None

    def sources(self) -> list[str]:
        """Return a line for each place where the dataset was found and for each address; see `clip_demo.download`."""
        return ["drawn by code; needs no file"]

    @abstractmethod
    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split: shape (n,), int64, positions in `classnames`."""

    @abstractmethod
    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split in RGB; `indices` are not checked."""

    def ids(self, split: str = "test") -> np.ndarray:
        """Return what identifies each image of a split, also after others are left out: shape (n,), int64."""
        return np.arange(self.sizes[split])

    def readable_images(self, ids: Sequence[int] | np.ndarray, split: str = "test") -> Iterable[Image.Image | None]:
        """Return some images of a split in RGB, given by their `ids`, and None for those that are damaged."""
        return self.images(ids, split)

    def leave_out(self, ids: np.ndarray, split: str = "test") -> None:
        """Leave out images that are damaged; those that follow them move up by as many indices."""
        raise NotImplementedError

    @property
    def visitor_note(self) -> str:
        """What everybody should know, in a sentence without the names of files."""
        return ""

    def image(self, index: int, split: str = "test") -> Image.Image:
        """Return one image in RGB.

        Raises
        ------
        IndexRangeError
            When `index` is not a whole number from 0 to the size of the split minus one.
        """
        return self.images([self.check_index(index, split)], split)[0]

    def label(self, index: int, split: str = "test") -> int:
        """Return the true label of one image, a position in `classnames`."""
        return int(self.labels(split)[self.check_index(index, split)])

    def check_index(self, index: int, split: str = "test") -> int:
        """Return `index` as an int, or raise an IndexRangeError that says what is allowed."""
        if split not in self.sizes:
            raise OptionError(f"split: {split!r} is unknown; use one of {', '.join(map(repr, self.sizes))}.")
        last = self.sizes[split] - 1
        # A slider sends 12.0, and to Python True is an int: allow whole floats, refuse True and 1.5.
        whole = isinstance(index, (int, float, np.integer)) and not isinstance(index, bool) and index == index // 1
        if not whole or not 0 <= index <= last:
            raise IndexRangeError(
                f"index: {index!r} is not in the {split} split of {self.title}; use a whole number from 0 to {last}.",
                page=f"Type {'an' if whole else 'a whole'} image number from 0 to {last:,}.",
            )
        return int(index)
