"""The datasets that can be chosen by name."""

from collections.abc import Mapping
from pathlib import Path

from ..errors import DatasetError
from .base import Dataset
from .cifar100 import Cifar100
from .shapes100 import Shapes100

CIFAR100, SHAPES100 = DATASETS = (Cifar100.name, Shapes100.name)


def open_datasets(root: str | Path | None = None) -> dict[str, Dataset]:
    """Return every dataset by its name; nothing is read or downloaded yet.

    Parameters
    ----------
    root : path, optional
        Folder of CIFAR-100, see `clip_demo.datasets.cifar100.data_roots`.

    Raises
    ------
    DatasetError
        When `root` is given and is not a folder, most likely because of a typo.
    """
    if root is not None and not Path(root).expanduser().is_dir():
        raise DatasetError(
            f"data_root: {str(root)!r} is not a folder; create it, or give the folder that holds cifar-100-python."
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
