"""Datasets behind one interface, and the reading of a user's image.

``imageset.py`` is the interface, ``cifar100.py`` and ``shapes100.py`` are the two sets, ``image.py`` reads what
a user brings.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import DatasetError
from ..models.image_input import MAX_PIXELS, image_key, read_image
from .base import Dataset
from .cifar100 import Cifar100, data_root
from .shapes100 import UNSEEN_CLASSNAMES, Shapes100

__all__ = [
    "CIFAR100",
    "DATASETS",
    "MAX_PIXELS",
    "SHAPES100",
    "UNSEEN_CLASSNAMES",
    "Cifar100",
    "Dataset",
    "Shapes100",
    "data_root",
    "open_datasets",
    "image_key",
    "read_image",
    "resolve_dataset",
]

CIFAR100, SHAPES100 = DATASETS = (Cifar100.name, Shapes100.name)


def open_datasets(root: str | Path | None = None) -> dict[str, Dataset]:
    """Make every dataset; nothing is read or downloaded yet.

    Parameters
    ----------
    root : path, optional
        Where CIFAR-100 lies or will be downloaded to; see `data_root`.

    Raises
    ------
    DatasetError
        When `root` is given and is no folder: most likely a typo.
    """
    if root is not None and not Path(root).expanduser().is_dir():
        raise DatasetError(f"data_root: {str(root)!r} is not a folder; make it, or give the one with cifar-100-python.")
    return {Cifar100.name: Cifar100(root), Shapes100.name: Shapes100()}


def resolve_dataset(datasets: dict[str, Dataset], name: str | None) -> Dataset:
    """Return an dataset by name; without a name CIFAR-100 where it is on disk, else Shapes-100.

    Raises
    ------
    DatasetError
        When the name is unknown.
    """
    if name is None:
        return next((each for each in datasets.values() if each.available()), next(iter(datasets.values())))
    if not isinstance(name, str) or name not in datasets:
        raise DatasetError(f"images: {name!r} is unknown; use one of {', '.join(map(repr, datasets))}.")
    return datasets[name]
