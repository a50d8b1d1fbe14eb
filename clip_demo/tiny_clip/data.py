"""The images that the built-in model is trained on: cached, shuffled, moved about, brought to its input size."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..datasets.base import Dataset
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import SHAPES, Shapes100
from .captions import SEEN_LABELS

__all__ = ["Shuffled", "TrainingSet", "cifar100_set", "resize", "shapes100_set"]

# openai-clip's `_transform` in numbers of 0 to 255.
_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).mul(255).view(3, 1, 1)
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).mul(255).view(3, 1, 1)


@dataclass(frozen=True)
class TrainingSet:
    """Images with their positions in the caption groups.

    Attributes
    ----------
    pixels : numpy.ndarray, shape (n, 32, 32, 3), uint8
    targets : dict of str to numpy.ndarray, shape (n,), int64
        For each group's name the position of the image's own name in the group.
    shift : int
        By how many pixels at most an image is moved.
    """

    pixels: np.ndarray
    targets: dict[str, np.ndarray]
    shift: int

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return images, moved and mirrored left to right at random, shape (n, 32, 32, 3), uint8."""
        n, pad, side = len(indices), self.shift, self.pixels.shape[1]
        padded = np.pad(self.pixels[indices], ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
        moves = rng.integers(0, 2 * pad + 1, (n, 2))
        flips = rng.integers(0, 2, n)
        out = np.empty_like(self.pixels[indices])
        for i, (dy, dx) in enumerate(moves):
            image = padded[i, dy : dy + side, dx : dx + side]
            out[i] = image[:, ::-1] if flips[i] else image
        return out


class Shuffled:
    """An endless sequence of indices: one permutation after the other, each known from (seed, pass) alone.

    Nothing is kept between calls, so a resumed run goes through the same images as an uninterrupted one.
    """

    def __init__(self, n: int, seed: tuple[int, ...]):
        self._n, self._seed = n, seed
        self._orders: dict[int, np.ndarray] = {}

    def take(self, start: int, count: int) -> np.ndarray:
        """Return the indices at the places start .. start + count - 1, shape (count,), int64."""
        places = np.arange(start, start + count)
        return np.array([self._order(place // self._n)[place % self._n] for place in places], dtype=np.int64)

    def _order(self, number: int) -> np.ndarray:
        if number not in self._orders:
            self._orders = {k: order for k, order in self._orders.items() if k == number - 1}
            self._orders[number] = np.random.default_rng((*self._seed, number)).permutation(self._n)
        return self._orders[number]


def cifar100_set(root: str | Path | None) -> TrainingSet:
    """Return CIFAR-100's 50,000 training images."""
    dataset = Cifar100(root)
    labels = np.asarray(dataset.labels("train"))
    targets = {"fine": labels, "coarse": np.array(dataset.coarse_of)[labels]}
    return TrainingSet(dataset.pixels(np.arange(len(labels)), "train"), targets, shift=3)


def shapes100_set(cache: Path, offset: int) -> TrainingSet:
    """Return the training images of Shapes-100 whose classes may be seen.

    Parameters
    ----------
    cache : Path
        Folder for the drawn images, 150 MB; drawn anew where it is empty.
    offset : int
        Position of the first of these classes in the group ``"fine"``.
    """
    labels = Shapes100().labels("train")
    seen = np.flatnonzero(np.isin(labels, SEEN_LABELS))
    labels = labels[seen]
    targets = {
        "fine": offset + np.searchsorted(SEEN_LABELS, labels),
        "colour": labels // len(SHAPES),
        "shape": labels % len(SHAPES),
    }
    return TrainingSet(drawn(Shapes100(), "train", cache)[seen], targets, shift=2)


def drawn(dataset: Dataset, split: str, cache: Path) -> np.ndarray:
    """Return all images of a split, drawn once and kept in `cache`, shape (n, 32, 32, 3), uint8."""
    path = cache / f"{dataset.name}-{split}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.npy")
        np.save(part, dataset.pixels(np.arange(dataset.sizes[split]), split))
        os.replace(part, path)
    return np.load(path, allow_pickle=False)


def resize(pixels: np.ndarray, side: int) -> torch.Tensor:
    """Do to a whole batch what openai-clip's ``_transform(side)`` does to one square image.

    Parameters
    ----------
    pixels : numpy.ndarray, shape (n, h, h, 3), uint8
    side : int

    Returns
    -------
    torch.Tensor, shape (n, 3, side, side), float32
        In channels-last memory order, normalised with CLIP's mean and deviation.
    """
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)  # a channels-last view
    if x.shape[-1] != side:
        # On uint8 and with antialias torch rounds as Pillow does: at most one grey level apart.
        x = F.interpolate(x, size=(side, side), mode="bicubic", antialias=True)
    return ((x.float() - _MEAN) / _STD).contiguous(memory_format=torch.channels_last)
