"""Shapes-100: a dataset of coloured shapes that is drawn by code and needs no download.

It has the same structure as CIFAR-100: 100 fine classes (10 colours × 10 shapes), 20 coarse classes (colour
temperature × shape), and 50,000 training and 10,000 test images of 32×32 pixels. The class is that of the largest
shape, in the foreground. Smaller shapes of other colours, patterned backgrounds, light and noise make the task
non-trivial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from ..errors import OptionError
from .base import Dataset
from .drawing import INSIDE, TURNS, KeyedRandom, coverage, mix, pixel_noise, rotation, value_noise

# Warm colours first, then cool ones; far enough apart to stay distinct under the light (0.7 to 1.2) and the noise.
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
_WARM = 5  # number of warm colours

# Classes that the built-in model is not trained on. Two permutations of the shapes without a common pair, so every
# colour and every shape occurs in exactly two of the twenty names.
UNSEEN_CLASSNAMES: tuple[str, ...] = tuple(
    f"{colour} {SHAPES[shape]}" for c, colour in enumerate(COLOURS) for shape in ((3 * c + 1) % 10, (7 * c + 4) % 10)
)

_PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)
_SPLIT_KEYS = {"train": 0x5368617065733130, "test": 0x30546573745F5345}
_CONTRAST = 210  # minimum difference, summed over the channels, of a background colour from the main shape's
_BATCH = 64  # images drawn at once; their arrays fit in the processor's cache
_DISTRACTORS = 3
_MAX_TILT = TURNS // 10


@dataclass(frozen=True)
class _Layer:
    """One shape in each of n images."""

    kinds: np.ndarray  # (n,) int64, positions in SHAPES
    colours: np.ndarray  # (n, 3) float32, 0 to 255
    x: np.ndarray  # (n,) float64, in units of the image's side
    y: np.ndarray  # likewise
    radius: np.ndarray  # likewise
    turns: np.ndarray  # (n,) int64, in units of 1/256 turn
    visible: np.ndarray  # (n,) bool


class Shapes100(Dataset):
    """Images of a coloured shape, drawn when they are requested."""

    name = "shapes100"
    title = "Shapes-100"
    classnames = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
    coarse_names = tuple(
        f"{warmth} {shape}{'es' if shape.endswith('s') else 's'}" for shape in SHAPES for warmth in ("warm", "cool")
    )
    coarse_of = tuple(2 * shape + (colour >= _WARM) for colour in range(len(COLOURS)) for shape in range(len(SHAPES)))
    sizes = {"train": 50_000, "test": 10_000}

    def available(self) -> bool:
        """Return True: there is nothing to download."""
        return True

    def labels(self, split: str = "test") -> np.ndarray:
        """Return the labels of a split, balanced and shuffled; see `Dataset.labels`."""
        return _labels(split).copy()

    def images(self, indices: Sequence[int] | np.ndarray, split: str = "test") -> list[Image.Image]:
        """Return some images of a split; see `Dataset.images`."""
        return [Image.fromarray(each) for each in self.pixels(indices, split)]

    def pixels(self, indices: Sequence[int] | np.ndarray, split: str = "test", size: int = 32) -> np.ndarray:
        """Return some images of a split as one array, drawn at any size.

        Parameters
        ----------
        indices : sequence of int, shape (n,)
            Not checked.
        split : {"test", "train"}
        size : int
            Side in pixels. The scene does not depend on it; only the noise does.

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
    """Return the labels of a split, shape (n,), int64. The array is cached: do not modify it."""
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
    rng = KeyedRandom(keys)
    main = _main_layer(rng, labels)
    layers = [_distractor(rng, main, labels, k) for k in range(_DISTRACTORS)]
    canvas = _background(rng, main.colours, size)  # (n, size, size, 3) float32
    for layer in [*layers, main]:
        rows = np.flatnonzero(layer.visible)
        cover = coverage(layer.kinds[rows], layer.x[rows], layer.y[rows], layer.radius[rows], layer.turns[rows], size)
        cover = cover[..., None]
        canvas[rows] = canvas[rows] * (1 - cover) + layer.colours[rows, None, None, :] * cover
    canvas = canvas * _light(rng, size)[..., None]
    strength = rng.uniform(2, 22).astype(np.float32)
    canvas = canvas + pixel_noise(rng.bits(), size) * strength[:, None, None, None]
    return (np.clip(canvas, 0, 255) + np.float32(0.5)).astype(np.uint8)


def _shade(rng: KeyedRandom, colours: np.ndarray) -> np.ndarray:
    """Return palette colours with every channel shifted at random, shape (n, 3), float32."""
    shift = np.stack([rng.uniform(-16, 16) for _ in range(3)], axis=1).astype(np.float32)
    return np.clip(_PALETTE[colours] + shift, 0, 255)


def _tilt(rng: KeyedRandom) -> np.ndarray:
    """Return random angles within a tenth of a turn (36 degrees), shape (n,), int64; shapes stay roughly upright."""
    return rng.below(2 * _MAX_TILT + 1) - _MAX_TILT


def _main_layer(rng: KeyedRandom, labels: np.ndarray) -> _Layer:
    """Return the shapes that the images are labelled with: large, and completely inside the image."""
    radius = rng.uniform(0.28, 0.43)
    reach = 0.5 - 1.1 * radius  # triangles and arrows extend slightly beyond the unit disc
    return _Layer(
        kinds=labels % len(SHAPES),
        colours=_shade(rng, labels // len(SHAPES)),
        x=0.5 + reach * rng.uniform(-1, 1),
        y=0.5 + reach * rng.uniform(-1, 1),
        radius=radius,
        turns=_tilt(rng),
        visible=np.ones(len(labels), dtype=bool),
    )


def _distractor(rng: KeyedRandom, main: _Layer, labels: np.ndarray, number: int) -> _Layer:
    """Return clearly smaller shapes of other colours at any position, possibly cut off by the border."""
    other = (labels // len(SHAPES) + 1 + rng.below(len(COLOURS) - 1)) % len(COLOURS)
    return _Layer(
        kinds=rng.below(len(SHAPES)),
        colours=_shade(rng, other),
        x=rng.uniform(0, 1),
        y=rng.uniform(0, 1),
        radius=main.radius * rng.uniform(0.28, 0.46),
        turns=_tilt(rng),
        visible=rng.uniform() < (0.6, 0.4, 0.2)[number],
    )


def _background(rng: KeyedRandom, main: np.ndarray, size: int) -> np.ndarray:
    """Return plain, gradient, striped, chequered or cloudy backgrounds that contrast with the main shape."""
    n = len(main)
    kind = rng.below(5)
    first, second = _contrasting_colour(rng, main), _contrasting_colour(rng, main)
    cos, sin = rotation(rng.below(TURNS))
    waves = rng.uniform(2, 6).astype(np.float32)
    shift = rng.uniform().astype(np.float32)
    position = ((np.arange(size) + 0.5) / size).astype(np.float32) - np.float32(0.5)
    # Coordinates along and across the pattern's direction, (n, size, size).
    along = cos[:, None, None] * position + sin[:, None, None] * position[:, None]
    across = cos[:, None, None] * position[:, None] - sin[:, None, None] * position
    blend = np.zeros((n, size, size), dtype=np.float32)  # kind 0: plain, in the first colour
    chosen = kind == 1
    blend[chosen] = np.clip(along[chosen] + np.float32(0.5), 0, 1)
    bands = np.floor(along * waves[:, None, None] + shift[:, None, None])
    chosen = kind == 2
    blend[chosen] = bands[chosen] % 2
    chosen = kind == 3
    blend[chosen] = (bands[chosen] + np.floor(across * waves[:, None, None] + shift[:, None, None])[chosen]) % 2
    clouds = rng.bits()
    chosen = kind == 4
    blend[chosen] = value_noise(clouds[chosen], 6, size)
    blend = blend[..., None]
    return first[:, None, None, :] * (1 - blend) + second[:, None, None, :] * blend


def _contrasting_colour(rng: KeyedRandom, main: np.ndarray) -> np.ndarray:
    """Return the first of eight random colours with enough contrast to the main one, else the one with the most.

    Returns
    -------
    numpy.ndarray, shape (n, 3), float32
    """
    candidates = np.stack([[rng.uniform(20, 235) for _ in range(3)] for _ in range(8)]).astype(np.float32)  # (8, 3, n)
    red, green, blue = np.abs(candidates - main.T).transpose(1, 0, 2)  # (8, n) each
    difference = red + green + blue  # not .sum(), which does not fix the order
    enough = difference >= _CONTRAST
    chosen = np.where(enough.any(axis=0), enough.argmax(axis=0), difference.argmax(axis=0))
    return candidates[chosen, :, np.arange(len(main))]


def _light(rng: KeyedRandom, size: int) -> np.ndarray:
    """Return light from one side: a factor for every pixel, shape (n, size, size), float32, 0.7 to 1.2."""
    level = rng.uniform(0.84, 1.06).astype(np.float32)[:, None, None]
    slope = rng.uniform(0, 0.2).astype(np.float32)[:, None, None]
    cos, sin = rotation(rng.below(TURNS))
    position = ((np.arange(size) + 0.5) / size).astype(np.float32) - np.float32(0.5)
    return level + slope * (cos[:, None, None] * position + sin[:, None, None] * position[:, None])
