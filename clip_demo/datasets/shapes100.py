"""Shapes-100: an dataset that needs no download, drawn from an index by code.

It has CIFAR-100's form: 100 fine classes (10 colours × 10 shapes), 20 coarse ones (colour temperature × shape),
50,000 training and 10,000 test images of 32×32. The class is the largest shape, in front; smaller shapes of
other colours, patterned backgrounds, light and noise make it no trivial problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import OptionError
from .base import Dataset
from .drawing import INSIDE, TURNS, Dice, coverage, mix, pixel_noise, rotation, value_noise

__all__ = ["COLOURS", "SHAPES", "UNSEEN_CLASSNAMES", "Shapes100"]

# Warm colours first, cool ones after; far enough apart to survive the light (0.7 to 1.2) and the noise.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 28, 34),
    "orange": (250, 130, 10),
    "yellow": (245, 222, 40),
    "pink": (250, 150, 190),
    "brown": (116, 66, 30),
    "green": (36, 158, 58),
    "cyan": (60, 212, 222),
    "blue": (38, 72, 216),
    "purple": (134, 44, 172),
    "white": (246, 246, 246),
}
SHAPES: tuple[str, ...] = tuple(INSIDE)
_WARM = 5  # the first five colours

# Never in a caption that the built-in model is trained on. Two permutations of the shapes that never meet, so
# that every colour and every shape stands in exactly two of the twenty names.
UNSEEN_CLASSNAMES: tuple[str, ...] = tuple(
    f"{colour} {SHAPES[shape]}" for c, colour in enumerate(COLOURS) for shape in ((3 * c + 1) % 10, (7 * c + 4) % 10)
)

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)
_SPLIT_KEYS = {"train": 0x5368617065733130, "test": 0x30546573745F5345}
_CONTRAST = 210  # least sum of the three channel differences between the main shape and a background colour
_BATCH = 64  # drawn at a time, so that the planes stay in the processor's cache
_DISTRACTORS = 3
_MOST_TILT = TURNS // 10


@dataclass(frozen=True)
class _Layer:
    """One shape in each of n images, in units of the image's side."""

    kinds: np.ndarray  # (n,) int64, positions in SHAPES
    colours: np.ndarray  # (n, 3) float32, 0 to 255
    x: np.ndarray  # (n,) float64
    y: np.ndarray
    radius: np.ndarray
    turns: np.ndarray  # (n,) int64
    there: np.ndarray  # (n,) bool


class Shapes100(Dataset):
    """Images of a coloured shape; nothing is stored, so every method is at hand at once."""

    name = "shapes100"
    title = "Shapes-100"
    classnames = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
    coarse_names = tuple(
        f"{warmth} {shape}{'es' if shape.endswith('s') else 's'}" for shape in SHAPES for warmth in ("warm", "cool")
    )
    coarse_of = tuple(2 * shape + (colour >= _WARM) for colour in range(len(COLOURS)) for shape in range(len(SHAPES)))

    def available(self) -> bool:
        """Return True: there is nothing to fetch."""
        return True

    def labels(self, split: str = "test") -> np.ndarray:
        """Labels of a split: every class equally often, shuffled.

        Returns
        -------
        numpy.ndarray, shape (n,), int64
            Positions in `classnames`.
        """
        return _labels(split).copy()

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
        return self.draw(indices, split)

    def draw(self, indices: Sequence[int] | np.ndarray, split: str = "test", size: int = 32) -> np.ndarray:
        """Draw the scenes of a split at any size.

        Parameters
        ----------
        indices : sequence of int, shape (n,)
            Which images; not checked against the range.
        split : {"test", "train"}
        size : int
            Side in pixels. The scene does not depend on it; the grain of the noise does.

        Returns
        -------
        numpy.ndarray, shape (n, size, size, 3), uint8
            RGB, 0 to 255.
        """
        indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        labels = _labels(split)[indices]
        images = np.empty((len(indices), size, size, 3), dtype=np.uint8)
        batch = max(1, _BATCH * 32 * 32 // (size * size))
        for start in range(0, len(indices), batch):
            part = slice(start, start + batch)
            images[part] = _draw(indices[part], labels[part], split, size)
        return images


@lru_cache(maxsize=2)
def _labels(split: str) -> np.ndarray:
    """Return the labels of a split, shape (n,), int64, not to be written to."""
    if split not in _SPLIT_KEYS:
        raise OptionError(f"split: {split!r} is unknown; use one of {', '.join(map(repr, Shapes100.sizes))}.")
    n = Shapes100.sizes[split]
    order = np.argsort(mix(np.arange(n, dtype=np.uint64) ^ np.uint64(_SPLIT_KEYS[split])), kind="stable")
    labels = np.empty(n, dtype=np.int64)
    labels[order] = np.arange(n) % len(Shapes100.classnames)
    return labels


def _draw(indices: np.ndarray, labels: np.ndarray, split: str, size: int) -> np.ndarray:
    """Draw one batch, shape (n, size, size, 3), uint8."""
    keys = mix(mix(indices.astype(np.uint64)) ^ np.uint64(_SPLIT_KEYS[split]))
    dice = Dice(keys)
    main = _main_layer(dice, labels)
    layers = [_distractor(dice, main, labels, k) for k in range(_DISTRACTORS)]
    canvas = _background(dice, main.colours, size)  # (n, size, size, 3) float32
    for layer in [*layers, main]:
        rows = np.flatnonzero(layer.there)
        cover = coverage(layer.kinds[rows], layer.x[rows], layer.y[rows], layer.radius[rows], layer.turns[rows], size)
        cover = cover[..., None]
        canvas[rows] = canvas[rows] * (1 - cover) + layer.colours[rows, None, None, :] * cover
    canvas = canvas * _light(dice, size)[..., None]
    strength = dice.uniform(2, 22).astype(np.float32)
    canvas = canvas + pixel_noise(dice.raw(), size) * strength[:, None, None, None]
    return (np.clip(canvas, 0, 255) + np.float32(0.5)).astype(np.uint8)


def _shade(dice: Dice, colours: np.ndarray) -> np.ndarray:
    """Return palette colours, each channel moved a little, shape (n, 3), float32."""
    moved = np.stack([dice.uniform(-16, 16) for _ in range(3)], axis=1).astype(np.float32)
    return np.clip(_PALETTE[colours] + moved, 0, 255)


def _tilt(dice: Dice) -> np.ndarray:
    """Throw an angle up to a tenth of a turn (36 degrees) to either side, shape (n,), int64: shapes stay upright."""
    return dice.below(2 * _MOST_TILT + 1) - _MOST_TILT


def _main_layer(dice: Dice, labels: np.ndarray) -> _Layer:
    """Throw the shape that the image is named after: large and wholly in the image."""
    radius = dice.uniform(0.28, 0.43)
    reach = 0.5 - 1.1 * radius  # triangles and arrows stick out of the unit disc a little
    return _Layer(
        kinds=labels % len(SHAPES),
        colours=_shade(dice, labels // len(SHAPES)),
        x=0.5 + reach * dice.uniform(-1, 1),
        y=0.5 + reach * dice.uniform(-1, 1),
        radius=radius,
        turns=_tilt(dice),
        there=np.ones(len(labels), dtype=bool),
    )


def _distractor(dice: Dice, main: _Layer, labels: np.ndarray, number: int) -> _Layer:
    """Throw a clearly smaller shape of another colour, anywhere, also across the border."""
    other = (labels // len(SHAPES) + 1 + dice.below(len(COLOURS) - 1)) % len(COLOURS)
    return _Layer(
        kinds=dice.below(len(SHAPES)),
        colours=_shade(dice, other),
        x=dice.uniform(0, 1),
        y=dice.uniform(0, 1),
        radius=main.radius * dice.uniform(0.28, 0.46),
        turns=_tilt(dice),
        there=dice.uniform() < (0.6, 0.4, 0.2)[number],
    )


def _background(dice: Dice, main: np.ndarray, size: int) -> np.ndarray:
    """Paint plain, gradient, stripes, checks or clouds in two colours that the main shape stands out from."""
    n = len(main)
    kind = dice.below(5)
    one, two = _far_colour(dice, main), _far_colour(dice, main)
    cos, sin = rotation(dice.below(TURNS))
    waves = dice.uniform(2, 6).astype(np.float32)
    shift = dice.uniform().astype(np.float32)
    place = ((np.arange(size) + 0.5) / size).astype(np.float32) - np.float32(0.5)
    # (n, size, size): coordinates along and across the pattern's direction
    along = cos[:, None, None] * place + sin[:, None, None] * place[:, None]
    across = cos[:, None, None] * place[:, None] - sin[:, None, None] * place
    blend = np.zeros((n, size, size), dtype=np.float32)  # kind 0, plain: all of `one`
    pick = kind == 1
    blend[pick] = np.clip(along[pick] + np.float32(0.5), 0, 1)
    bands = np.floor(along * waves[:, None, None] + shift[:, None, None])
    pick = kind == 2
    blend[pick] = bands[pick] % 2
    pick = kind == 3
    blend[pick] = (bands[pick] + np.floor(across * waves[:, None, None] + shift[:, None, None])[pick]) % 2
    clouds = dice.raw()
    pick = kind == 4
    blend[pick] = value_noise(clouds[pick], 6, size)
    blend = blend[..., None]
    return one[:, None, None, :] * (1 - blend) + two[:, None, None, :] * blend


def _far_colour(dice: Dice, main: np.ndarray) -> np.ndarray:
    """Return the first of eight thrown colours that stands out from the main one, shape (n, 3), float32."""
    tries = np.stack([[dice.uniform(20, 235) for _ in range(3)] for _ in range(8)]).astype(np.float32)  # (8, 3, n)
    gap = np.abs(tries - main.T)
    gap = gap[:, 0] + gap[:, 1] + gap[:, 2]  # (8, n); spelled out because the order of a sum must not vary
    first = np.where((gap >= _CONTRAST).any(axis=0), (gap >= _CONTRAST).argmax(axis=0), gap.argmax(axis=0))
    return tries[first, :, np.arange(main.shape[0])]


def _light(dice: Dice, size: int) -> np.ndarray:
    """Throw light from a side: a factor for every pixel, shape (n, size, size), float32, 0.7 to 1.2."""
    level = dice.uniform(0.84, 1.06).astype(np.float32)[:, None, None]
    slope = dice.uniform(0, 0.2).astype(np.float32)[:, None, None]
    cos, sin = rotation(dice.below(TURNS))
    place = ((np.arange(size) + 0.5) / size).astype(np.float32) - np.float32(0.5)
    return level + slope * (cos[:, None, None] * place + sin[:, None, None] * place[:, None])
