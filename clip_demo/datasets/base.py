"""The one interface of every dataset."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from PIL import Image

from ..errors import IndexRangeError, OptionError

__all__ = ["Dataset"]


class Dataset(ABC):
    """Labelled 32×32 images in two splits, addressed by an index.

    Attributes
    ----------
    name : str
        What the command line and the address bar call it, such as ``"cifar100"``.
    title : str
        What people call it, such as ``"CIFAR-100"``.
    classnames : tuple of str
        The fine class names; the position is the label.
    coarse_names : tuple of str
        The names of the groups of classes.
    coarse_of : tuple of int
        For every fine class its position in `coarse_names`.
    sizes : dict of str to int
        The number of images in each split: ``{"train": 50000, "test": 10000}``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    classnames: ClassVar[tuple[str, ...]]
    coarse_names: ClassVar[tuple[str, ...]]
    coarse_of: ClassVar[tuple[int, ...]]
    sizes: ClassVar[dict[str, int]] = {"train": 50_000, "test": 10_000}

    @abstractmethod
    def available(self) -> bool:
        """Whether the images can be had at once, without a download."""

    def download(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Fetch the images so that `available` becomes true; nothing to do for a set that is drawn by code.

        Parameters
        ----------
        progress : callable, optional
            Called with the bytes that have come and the bytes in all.

        Raises
        ------
        DatasetError
            When they cannot be fetched; the message says where to put them by hand.
        """
        return None

    @abstractmethod
    def labels(self, split: str = "test") -> np.ndarray:
        """Labels of a split.

        Returns
        -------
        numpy.ndarray, shape (n,), int64
            Positions in `classnames`.
        """

    @abstractmethod
    def pixels(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> np.ndarray:
        """Images of a split as one array.

        Parameters
        ----------
        indices : sequence of int, shape (n,)
            Which images; not checked against the range.
        split : {"test", "train"}

        Returns
        -------
        numpy.ndarray, shape (n, 32, 32, 3), uint8
            RGB, 0 to 255.
        """

    def image(self, index: int, split: str = "test") -> Image.Image:
        """Return one image.

        Returns
        -------
        PIL.Image.Image
            RGB, 32×32.

        Raises
        ------
        IndexRangeError
            When `index` is no whole number from 0 to the size of the split less one.
        """
        index = self.check_index(index, split)
        return Image.fromarray(self.pixels([index], split)[0])

    def label(self, index: int, split: str = "test") -> int:
        """Return the true label of one image, a position in `classnames`."""
        return int(self.labels(split)[self.check_index(index, split)])

    def check_index(self, index: int, split: str = "test") -> int:
        """Return `index` as an int, or say what is allowed."""
        if split not in self.sizes:
            raise OptionError(f"split: {split!r} is unknown; use one of {', '.join(map(repr, self.sizes))}.")
        last = self.sizes[split] - 1
        # A bool is an int to Python and a slider sends 12.0: take whole floats, refuse True and 1.5.
        whole = isinstance(index, (int, float, np.integer)) and not isinstance(index, bool) and index == index // 1
        if not whole or not 0 <= index <= last:
            raise IndexRangeError(
                f"index: {index!r} is not in the {split} split of {self.title}; use a whole number from 0 to {last}."
            )
        return int(index)
