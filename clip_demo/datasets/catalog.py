"""The datasets that can be chosen by name."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import DatasetError
from ..paths import expanded, is_readable
from .base import Dataset
from .cifar100 import Cifar100
from .folder import FolderDataset, is_path
from .shapes100 import Shapes100
from .torchvision_sets import TorchvisionDataset
from .torchvision_table import TORCHVISION

CIFAR100, SHAPES100 = DATASETS = (Cifar100.name, Shapes100.name)  # offered without being named
NAMES = (*DATASETS, *TORCHVISION)

logger = logging.getLogger(__name__)


def open_datasets(root: str | Path | None = None) -> dict[str, Dataset]:
    """Return every dataset by its name; nothing is read or downloaded yet.

    Parameters
    ----------
    root : path, optional
        Folder of CIFAR-100, see `clip_demo.datasets.cifar100.data_roots`.

    Raises
    ------
    DatasetError
        When `root` is given and is not a folder, most likely because of a typo, or may not be read.
    """
    if root is not None and not (is_readable(expanded(root)) and os.path.isdir(expanded(root))):
        raise DatasetError(
            f"data_root: {str(root)!r} is not a folder that can be read; create it, or give the folder that holds "
            "cifar-100-python."
        )
    return {Cifar100.name: Cifar100(root), Shapes100.name: Shapes100()}


def add_dataset(datasets: dict[str, Dataset], given: str | Dataset, root: str | Path | None = None) -> Dataset:
    """Return a dataset that the host names, opening it where it is none of the others.

    Parameters
    ----------
    datasets : dict of str to Dataset
        The dataset is added.
    given : str or Dataset
        A name, one of `clip_demo.datasets.torchvision_table.TORCHVISION`, or the path of a folder or zip; see
        `clip_demo.datasets.folder.FolderDataset`.
    root : path, optional
        As for `open_datasets`.

    Raises
    ------
    DatasetError
        When the name is unknown, or the folder is no dataset.
    """
    if not isinstance(given, Dataset):
        if given in datasets:
            return datasets[given]
        if given in TORCHVISION:
            return datasets.setdefault(given, TorchvisionDataset(given, root))
        if not is_path(given):
            known = ", ".join(map(repr, (*datasets, *TORCHVISION)))
            raise DatasetError(f"dataset: {given!r} is unknown; use one of {known}, or the path of a folder or zip.")
        given = FolderDataset(given)
        while given.name in datasets:  # two folders may have the same name
            given.name += "-2"
    return datasets.setdefault(given.name, given)


def open_chosen(
    root: str | Path | None = None, given: str | Dataset | Sequence[str | Dataset] | None = None
) -> tuple[dict[str, Dataset], str | None]:
    """Return every dataset by its name, also those that the host names, and the name of the first of these.

    A log line says where the folder that was given for CIFAR-100 has none and another dataset is used.
    """
    datasets = open_datasets(root)
    named = [given] if isinstance(given, (str, Dataset)) else given or ()
    if not named:
        warn_where_missing(datasets, root)
    return datasets, next((each.name for each in [add_dataset(datasets, each, root) for each in named]), None)


def resolve_dataset(datasets: Mapping[str, Dataset], name: str | None) -> Dataset:
    """Return a dataset by name; without a name the first that is available, or else the first.

    Raises
    ------
    DatasetError
        When the name is unknown.
    """
    if name is None:
        return next((each for each in datasets.values() if each.available()), next(iter(datasets.values())))
    if not isinstance(name, str) or name not in datasets:
        raise DatasetError(
            f"dataset: {name!r} is unknown; use one of {', '.join(map(repr, datasets))}.",
            page="This dataset is not available here. Choose one from the list.",
        )
    return datasets[name]


def missing_note(datasets: Mapping[str, Dataset], root: str | Path | None = None) -> str:
    """Return a sentence where CIFAR-100 is not in the folder that was given for it, so that another dataset is used.

    Parameters
    ----------
    datasets : dict of str to Dataset
        Opened with `root`.
    root : path, optional
        As given to `open_datasets`; default ``$CLIP_DEMO_DATA``.

    Returns
    -------
    str
        Empty where the folder has CIFAR-100, or none was given.
    """
    given = str(root or os.environ.get("CLIP_DEMO_DATA") or "")
    cifar100 = datasets[CIFAR100]
    if not given or cifar100.available():
        return ""
    source = "data_root" if root else "$CLIP_DEMO_DATA"
    return (
        f"{source}: {given!r} does not hold CIFAR-100, which was looked for in {cifar100.folder}; give the folder that "
        "holds cifar-100-python, or choose the dataset shapes100, which needs no files."
    )


def warn_where_missing(datasets: Mapping[str, Dataset], root: str | Path | None = None) -> None:
    """Log what `missing_note` says, so that the dataset does not change without a word."""
    if note := missing_note(datasets, root):
        logger.warning("%s", note)
