"""The training images: cache, shuffling, augmentation, and resizing to the model's input."""

import io
import pickle
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from ..artifacts import atomic_write
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import Shapes100
from .captions import SEEN_LABELS, Kind
from .taxonomy import Taxonomy

# Mean and standard deviation of openai-clip's `_transform`, for values from 0 to 255.
_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).mul(255).view(3, 1, 1)
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).mul(255).view(3, 1, 1)


@cache
def _mean_and_std(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    return _MEAN.to(device), _STD.to(device)


@dataclass(frozen=True)
class TrainingSet:
    """Images with their kinds.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (n, 32, 32, 3), uint8
    kinds : numpy.ndarray, shape (n,), int64
        For each image a position in `kind_list`.
    kind_list : list of Kind
    shift : int
        Maximum random shift in pixels.
    """

    pixels: np.ndarray
    kinds: np.ndarray
    kind_list: list[Kind]
    shift: int

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return images, shifted and flipped horizontally at random, shape (n, 32, 32, 3), uint8."""
        n, pad, side = len(indices), self.shift, self.pixels.shape[1]
        padded = np.pad(self.pixels[indices], ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
        shifts = rng.integers(0, 2 * pad + 1, (n, 2))
        flips = rng.integers(0, 2, n)
        out = np.empty_like(self.pixels[indices])
        for i, (dy, dx) in enumerate(shifts):
            image = padded[i, dy : dy + side, dx : dx + side]
            out[i] = image[:, ::-1] if flips[i] else image
        return out


class Shuffled:
    """An endless sequence of indices: permutations of 0 to n - 1 that depend only on the seed and the epoch.

    There is no state between calls, so a resumed run sees the same images as an uninterrupted one.
    """

    def __init__(self, n: int, seed: tuple[int, ...]):
        self._n, self._seed = n, seed
        self._orders: dict[int, np.ndarray] = {}

    def take(self, start: int, count: int) -> np.ndarray:
        """Return elements start to start + count - 1 of the sequence, shape (count,), int64."""
        return np.array([self._order(k // self._n)[k % self._n] for k in range(start, start + count)], dtype=np.int64)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders = {k: order for k, order in self._orders.items() if k == epoch - 1}
            self._orders[epoch] = np.random.default_rng((*self._seed, epoch)).permutation(self._n)
        return self._orders[epoch]


def load_packed(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return the arrays of ``cifar10-train``, ``tinyimagenet32-val`` and so on."""
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as packed:
        return {key: packed[key] for key in packed.files}


def cifar100_nouns(root: str | Path | None, split: str = "train") -> list[tuple[str, str]]:
    """Return class and noun of each image of CIFAR-100; the name of an image's file begins with the noun."""
    dataset = Cifar100(root)
    labels = dataset.labels(split)  # torchvision has now verified the files' MD5 sums
    with (dataset.root / "cifar-100-python" / split).open("rb") as file:
        names = pickle.load(file, encoding="latin1")["filenames"]
    nouns = [re.sub(r"(_s_\d+|\d+)\.png$", "", re.sub(r"^manual2?-", "", name)) for name in names]
    return [(dataset.classnames[label], noun) for label, noun in zip(labels, nouns, strict=True)]


def cifar10_nouns(packed: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Return class and noun of each image of CIFAR-10."""
    names, keywords = packed["classnames"], packed["keywords"]
    return [
        (str(names[label]), str(keywords[noun]))
        for label, noun in zip(packed["labels"], packed["keyword"], strict=True)
    ]


def noun_set(taxonomy: Taxonomy, dataset: str, pixels: np.ndarray, nouns: list[tuple[str, str]]) -> TrainingSet:
    """Return the images of CIFAR-10 or CIFAR-100, without those of kept-out nouns."""
    used = [k for k, (name, noun) in enumerate(nouns) if not taxonomy.noun_is_kept_out(dataset, name, noun)]
    kinds = [
        Kind(dataset, name, (taxonomy.nouns[dataset][name][noun], taxonomy.classes[dataset][name]))
        for name, noun in (nouns[k] for k in used)
    ]
    return _training_set(pixels[used], kinds, shift=3)


def synset_set(taxonomy: Taxonomy, packed: dict[str, np.ndarray]) -> TrainingSet:
    """Return the images of Tiny-ImageNet's classes that are not kept out."""
    names = [str(each) for each in packed["names"]]
    concepts = [taxonomy.classes["tinyimagenet"][each] for each in names]
    used = [k for k, label in enumerate(packed["labels"]) if not taxonomy.is_kept_out(concepts[label])]
    labels = packed["labels"][used]
    kinds = [Kind("tinyimagenet", names[label], (concepts[label], concepts[label])) for label in labels]
    return _training_set(packed["images"][used], kinds, shift=3)


def shapes100_set(cache: Path) -> TrainingSet:
    """Return the training images of Shapes-100's training classes.

    Parameters
    ----------
    cache : Path
        Folder where the drawn images are cached (150 MB).
    """
    labels = Shapes100().labels("train")
    seen = np.flatnonzero(np.isin(labels, SEEN_LABELS))
    kinds = [Kind(Shapes100.name, Shapes100.classnames[label], None) for label in labels[seen]]
    return _training_set(_drawn(cache)[seen], kinds, shift=2)


def _training_set(pixels: np.ndarray, kinds: list[Kind], shift: int) -> TrainingSet:
    kind_list = list(dict.fromkeys(kinds))
    number = {kind: k for k, kind in enumerate(kind_list)}
    return TrainingSet(pixels, np.array([number[kind] for kind in kinds]), kind_list, shift)


def recompress(pixels: np.ndarray) -> np.ndarray:
    """Return images after one turn through lossy WebP, as CIFAR-10's training images were stored.

    If only one dataset were stored without loss, the traces of the compression would tell the datasets apart. A model
    that was trained that way took a third of the sharp test images of cars for trucks, which only CIFAR-100 has in
    that quality, and named 86 % instead of 91 % of CIFAR-10's test images right.
    """
    out = np.empty_like(pixels)
    for row, image in zip(out, pixels, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "WEBP", quality=92)
        row[:] = np.asarray(Image.open(file).convert("RGB"))
    return out


def load_sets(root: str | Path | None, folder: Path, cache: Path) -> dict[str, TrainingSet]:
    """Return all training sets by the name of their dataset.

    Parameters
    ----------
    root : path or None
        Folder that holds ``cifar-100-python``.
    folder : Path
        Folder of CIFAR-10 and Tiny-ImageNet at 32×32 pixels.
    cache : Path
        See `shapes100_set`.
    """
    taxonomy = Taxonomy()
    cifar100 = recompress(Cifar100(root).pixels(np.arange(50_000), "train"))
    cifar10 = load_packed(folder, "cifar10-train")
    return {
        "cifar100": noun_set(taxonomy, "cifar100", cifar100, cifar100_nouns(root)),
        "tinyimagenet": synset_set(taxonomy, load_packed(folder, "tinyimagenet32-train")),
        "cifar10": noun_set(taxonomy, "cifar10", cifar10["images"], cifar10_nouns(cifar10)),
        "shapes100": shapes100_set(cache),
    }


def sharpen(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Add the difference to a 3×3 mean, times an amount, shape (n, 1, 1, 1); a negative one softens.

    A visitor's photo is sharper than an image of 32×32 pixels that was scaled up. Trained on both, the model takes them
    alike.
    """
    return images + amount * (images - F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False))


def _drawn(cache: Path) -> np.ndarray:
    """Return all training images of Shapes-100, drawn once and cached, shape (n, 32, 32, 3), uint8."""
    path = cache / "shapes100-train.npy"
    if not path.exists():
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, Shapes100().pixels(np.arange(Shapes100.sizes["train"]), "train"))
    return np.load(path, allow_pickle=False)


def resize(pixels: np.ndarray | torch.Tensor, side: int) -> torch.Tensor:
    """Apply openai-clip's ``_transform(side)`` to a whole batch of square images.

    Parameters
    ----------
    pixels : numpy.ndarray or torch.Tensor, shape (n, h, h, 3), uint8
    side : int

    Returns
    -------
    torch.Tensor, shape (n, 3, side, side), float32
        In channels-last memory format, normalised with CLIP's mean and standard deviation.
    """
    if isinstance(pixels, np.ndarray):
        pixels = torch.from_numpy(np.ascontiguousarray(pixels))
    x = pixels.permute(0, 3, 1, 2)  # a channels-last view
    if x.shape[-1] != side:
        # On uint8 with antialias, torch rounds as Pillow does: they differ by at most one grey level. On a GPU it only
        # takes floats.
        x = F.interpolate(x.float() if x.is_cuda else x, size=(side, side), mode="bicubic", antialias=True)
        x = x.round().clamp(0, 255) if x.is_cuda else x
    mean, std = _mean_and_std(x.device)
    return ((x.float() - mean) / std).contiguous(memory_format=torch.channels_last)
