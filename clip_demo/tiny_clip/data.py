"""The training images: cache, shuffling, augmentation, and resizing to the model's input."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..artifacts import atomic_write
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import SHAPES, Shapes100
from .captions import SEEN_LABELS

# Mean and standard deviation of openai-clip's `_transform`, for values from 0 to 255.
_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).mul(255).view(3, 1, 1)
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).mul(255).view(3, 1, 1)


@dataclass(frozen=True)
class TrainingSet:
    """Images with their labels in the caption groups.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (n, 32, 32, 3), uint8
    targets : dict of str to numpy.ndarray, shape (n,), int64
        Labels by the name of the caption group.
    shift : int
        Maximum random shift in pixels.
    """

    pixels: np.ndarray
    targets: dict[str, np.ndarray]
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


def cifar100_set(root: str | Path | None) -> TrainingSet:
    """Return CIFAR-100's training images."""
    dataset = Cifar100(root)
    labels = dataset.labels("train")
    targets = {"fine": labels, "coarse": np.array(dataset.coarse_of)[labels]}
    return TrainingSet(dataset.pixels(np.arange(len(labels)), "train"), targets, shift=3)


def shapes100_set(cache: Path, offset: int) -> TrainingSet:
    """Return the training images of Shapes-100's training classes.

    Parameters
    ----------
    cache : Path
        Folder where the drawn images are cached (150 MB).
    offset : int
        Label of the first of these classes in the group ``"fine"``.
    """
    labels = Shapes100().labels("train")
    seen = np.flatnonzero(np.isin(labels, SEEN_LABELS))
    labels = labels[seen]
    targets = {
        "fine": offset + np.searchsorted(SEEN_LABELS, labels),
        "colour": labels // len(SHAPES),
        "shape": labels % len(SHAPES),
    }
    return TrainingSet(_drawn(cache)[seen], targets, shift=2)


def _drawn(cache: Path) -> np.ndarray:
    """Return all training images of Shapes-100, drawn once and cached, shape (n, 32, 32, 3), uint8."""
    path = cache / "shapes100-train.npy"
    if not path.exists():
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, Shapes100().pixels(np.arange(Shapes100.sizes["train"]), "train"))
    return np.load(path, allow_pickle=False)


def resize(pixels: np.ndarray, side: int) -> torch.Tensor:
    """Apply openai-clip's ``_transform(side)`` to a whole batch of square images.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (n, h, h, 3), uint8
    side : int

    Returns
    -------
    torch.Tensor, shape (n, 3, side, side), float32
        In channels-last memory format, normalised with CLIP's mean and standard deviation.
    """
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)  # a channels-last view
    if x.shape[-1] != side:
        # On uint8 with antialias, torch rounds as Pillow does: they differ by at most one grey level.
        x = F.interpolate(x, size=(side, side), mode="bicubic", antialias=True)
    return ((x.float() - _MEAN) / _STD).contiguous(memory_format=torch.channels_last)
