"""The datasets that can be chosen by name."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import DatasetError
from ..paths import expanded, is_readable
from .base import Dataset
from .cifar100 import Cifar100
from .shapes100 import Shapes100

CIFAR100, SHAPES100 = DATASETS = (Cifar100.name, Shapes100.name)

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
