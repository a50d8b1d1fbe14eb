"""Datasets that torchvision downloads and checks: one more is one more row of `TORCHVISION`."""

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import DatasetError
from ..paths import is_readable
from ..progress import Progress
from ..switches import failed_sentence, is_offline
from . import openai_classes as names
from . import openai_templates as templates
from .base import Dataset
from .cifar100 import data_roots
from .listing import first_fifth

# Arguments of torchvision's class, one or several for a split. Several are joined, in this order.
Options = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """A dataset of torchvision.

    Attributes
    ----------
    title : str
    kind : str
        Its class in ``torchvision.datasets``.
    marker : str
        A file or folder below the root that is there after a download.
    train, test : tuple of dict
        Arguments of the class for each split; the same for both where torchvision has no splits: then a fifth of each
        class is the test split, see `clip_demo.datasets.listing`.
    sizes : tuple of int
        Numbers of training and test images.
    classnames, templates : tuple of str
        From openai/CLIP's ``data/prompts.md``.
    same_names : bool
        Whether torchvision has the same names, but for spaces and case, so that they are compared.
    """

    title: str
    kind: str
    marker: str
    train: Options
    test: Options
    sizes: tuple[int, int]
    classnames: tuple[str, ...]
    templates: tuple[str, ...]
    same_names: bool = True


_TRAIN, _VAL, _TEST = {"split": "train"}, {"split": "val"}, {"split": "test"}
TORCHVISION = {
    "cifar10": Row(
        "CIFAR-10", "CIFAR10", "cifar-10-batches-py/batches.meta", ({"train": True},), ({"train": False},),
        (50_000, 10_000), names.CIFAR10_CLASSNAMES, templates.CIFAR10_TEMPLATES,
    ),
    "stl10": Row(
        "STL-10", "STL10", "stl10_binary/class_names.txt", (_TRAIN,), (_TEST,),
        (5_000, 8_000), names.STL10_CLASSNAMES, templates.STL10_TEMPLATES,
    ),
    "pets": Row(
        "Oxford-IIIT Pets", "OxfordIIITPet", "oxford-iiit-pet/annotations/test.txt", ({"split": "trainval"},), (_TEST,),
        (3_680, 3_669), names.PETS_CLASSNAMES, templates.PETS_TEMPLATES,
    ),
    "food101": Row(
        "Food-101", "Food101", "food-101/meta/test.json", (_TRAIN,), (_TEST,),
        (75_750, 25_250), names.FOOD101_CLASSNAMES, templates.FOOD101_TEMPLATES,
    ),
    "dtd": Row(
        "Describable Textures", "DTD", "dtd/dtd/labels/test1.txt", (_TRAIN, _VAL), (_TEST,),
        (3_760, 1_880), names.DTD_CLASSNAMES, templates.DTD_TEMPLATES,
    ),
    "eurosat": Row(
        "EuroSAT", "EuroSAT", "eurosat/2750", ({},), ({},),
        (21_600, 5_400), names.EUROSAT_CLASSNAMES, templates.EUROSAT_TEMPLATES, same_names=False,
    ),
    "flowers102": Row(
        "Flowers-102", "Flowers102", "flowers-102/setid.mat", (_TRAIN, _VAL), (_TEST,),
        (2_040, 6_149), names.FLOWERS102_CLASSNAMES, templates.FLOWERS102_TEMPLATES, same_names=False,
    ),
}  # fmt: skip


class TorchvisionDataset(Dataset):
    """A dataset of `TORCHVISION`, which torchvision reads; images that are files are opened when they are needed.

    Parameters
    ----------
    name : str
    root : path, optional
        See `clip_demo.datasets.cifar100.data_roots`.
    """

    def __init__(self, name: str, root: str | Path | None = None):
        row = TORCHVISION[name]
        self.name, self.title, self._row = name, row.title, row
        self.classnames, self.templates = row.classnames, row.templates
        self.sizes = dict(zip(("train", "test"), row.sizes, strict=True))
        roots = data_roots(root)
        self.root = next((each for each in roots if is_readable(each / row.marker)), roots[0])
        self.folder = self.root / Path(row.marker).parts[0]
        self._opened: dict[str, tuple[list[Any], np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()
        self._downloading = False

    def available(self) -> bool:
        """Whether it was opened, or what a download ends with is there."""
        return bool(self._opened) or (not self._downloading and os.path.exists(self.root / self._row.marker))

    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split; see `Dataset.labels`."""
        return self._open(split)[1]

    def ids(self, split: str = "test") -> np.ndarray:
        """Return the positions of the images that there are; see `Dataset.ids`."""
        return np.arange(len(self.labels(split)))

    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split; see `Dataset.images`."""
        parts, _, positions = self._open(split)
        starts = np.cumsum([0, *(len(part) for part in parts)])
        chosen = positions[np.asarray(indices, dtype=np.int64)]
        which = np.searchsorted(starts, chosen, side="right") - 1
        try:
            return [parts[w][int(i - starts[w])][0].convert("RGB") for w, i in zip(which.tolist(), chosen, strict=True)]
        except OSError as error:
            raise self._damaged(error) from error

    def sources(self) -> list[str]:
        """Return where it is, and who downloads it; see `Dataset.sources`."""
        found = [f"on disk    {self.folder}"] if self.available() else []
        return [*found, f"torchvision.datasets.{self._row.kind} downloads it to {self.root}"]

    def download(self, progress: Progress | None = None, given: Path | None = None) -> None:
        """Let torchvision download and check it; see `Dataset.download`.

        torchvision says nothing of how far it is.
        """
        if given is not None:
            raise DatasetError(
                f"dataset: {self.title} is downloaded by torchvision; unpack your copy to {self.folder}, or give the "
                "folder above with --data-root."
            )
        self._downloading = True
        try:
            if is_offline() and not os.path.exists(self.root / self._row.marker):
                raise OSError("downloads are switched off")
            self.root.mkdir(parents=True, exist_ok=True)
            for options in (*self._row.train, *self._row.test):
                self._by_torchvision(options, download=True)
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"dataset: {self.title} cannot be downloaded ({error}). Try again, or unpack it to {self.folder}.",
                page=failed_sentence(self.title),
                private=True,
            ) from error
        finally:
            self._downloading = False

    def _by_torchvision(self, options: dict[str, Any], download: bool = False) -> Any:
        import torchvision.datasets  # imports torch, and a web server should answer before that is loaded

        return getattr(torchvision.datasets, self._row.kind)(self.root, download=download, **options)

    def _open(self, split: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
        """Return torchvision's datasets, the labels, and the positions of the images in the joined datasets."""
        with self._lock:
            if split not in self._opened:
                self._opened[split] = self._read(split)
            return self._opened[split]

    def _read(self, split: str) -> tuple[list[Any], np.ndarray, np.ndarray]:
        if not self.available():
            raise DatasetError(
                f"dataset: {self.title} is not on disk. Fetch it with `python -m clip_demo download {self.name}`, or "
                f"unpack it to {self.folder}.",
                page=f"{self.title} is not on this machine yet. Download it on the Explore tab.",
                private=True,
            )
        row = self._row
        try:
            parts = [self._by_torchvision(options) for options in (row.train if split == "train" else row.test)]
            self._check_names(parts[0])
        except (RuntimeError, OSError, ValueError) as error:
            raise self._damaged(error) from error
        labels = np.concatenate([_labels_of(part) for part in parts])
        positions = np.arange(len(labels))
        if row.train == row.test:
            is_test = first_fifth(["/".join(Path(path).parts[-2:]) for path, _ in parts[0].samples], labels)
            positions = np.flatnonzero(is_test if split == "test" else ~is_test)
        self.sizes = {**self.sizes, split: len(positions)}
        return parts, labels[positions], positions

    def _check_names(self, part: Any) -> None:
        found = list(getattr(part, "classes", self.classnames))
        if len(found) != len(self.classnames):
            raise ValueError(f"it has {len(found)} classes instead of {len(self.classnames)}")
        if self._row.same_names and list(map(_letters, found)) != list(map(_letters, self.classnames)):
            raise ValueError("its classes have other names")

    def _damaged(self, error: Exception) -> DatasetError:
        return DatasetError(
            f"dataset: {self.title} in {self.root} is damaged or incomplete ({error}); delete {self.folder} and fetch "
            f"it again with `python -m clip_demo download {self.name}`.",
            page=f"The files of {self.title} are damaged. Choose another dataset.",
            private=True,
        )


def _labels_of(data: Any) -> np.ndarray:
    # The datasets of files have no public name for their labels, and reading them one by one would open each image.
    labels = next(getattr(data, name) for name in ("targets", "labels", "_labels") if hasattr(data, name))
    return np.asarray(labels, dtype=np.int64)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())
