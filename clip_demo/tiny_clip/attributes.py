"""Alterations of images, and the words that say so.

What a caption says about light, sharpness, size or position is true because the image was altered that way. Images are
also altered slightly without a word, so that not every soft image is "blurry".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Alter = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # (n, s, s, 3) float32, 0 to 255, to the same


def _uniform(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    return rng.uniform(low, high, (n, 1, 1, 1)).astype(np.float32)


def _mix(x: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Apply one (n, s, s) matrix to each image along an axis."""
    return np.einsum("nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic", weights, x, optimize=True)


def gaussian_blur(x: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Blur each image with its own standard deviation in pixels, shape (n, 1, 1, 1)."""
    side = np.arange(x.shape[1])
    weights = np.exp(-((side[:, None] - side) ** 2) / (2 * sigma[:, 0] ** 2)).astype(np.float32)  # (n, s, s)
    weights /= weights.sum(axis=2, keepdims=True)
    return _mix(_mix(x, weights, 1), weights, 2)


def _rescaled(x: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Scale each image about its centre by a factor, shape (n,), with linear interpolation; edges are repeated."""
    n, side = x.shape[:2]
    centre = (side - 1) / 2
    at = np.clip((np.arange(side) - centre) / size[:, None] + centre, 0, side - 1)  # (n, s) source coordinates
    width = np.maximum(1, 1 / size)[:, None, None]  # a wider triangle where the image shrinks, against aliasing
    weights = np.maximum(0, 1 - np.abs(at[:, :, None] - np.arange(side)) / width).astype(np.float32)
    weights /= weights.sum(axis=2, keepdims=True)
    return _mix(_mix(x, weights, 1), weights, 2)


def _blurry(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return gaussian_blur(x, _uniform(rng, len(x), 1.1, 2.2))


def _grey(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(x @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=3)


def _dark(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x * _uniform(rng, len(x), 0.2, 0.45)


def _bright(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lift = _uniform(rng, len(x), 0.4, 0.7)
    return 255 - (255 - x) * (1 - lift)


def _contrast(x: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return (x - x.mean(axis=(1, 2, 3), keepdims=True)) * factor + x.mean(axis=(1, 2, 3), keepdims=True)


def _low_contrast(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _contrast(x, _uniform(rng, len(x), 0.2, 0.4))


def _high_contrast(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _contrast(x, _uniform(rng, len(x), 2.0, 3.0))


def _with_noise(x: np.ndarray, rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    return x + rng.standard_normal(x.shape, np.float32) * _uniform(rng, len(x), low, high)


def _noisy(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _with_noise(x, rng, 25, 50)


def _pixelated(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, side = x.shape[:2]
    out = np.empty_like(x)
    blocks = rng.choice([side // 10, side // 8, side // 6], n)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        edges = np.arange(0, side, block)
        sizes = np.diff([*edges, side])
        means = np.add.reduceat(np.add.reduceat(x[rows], edges, axis=1), edges, axis=2)
        means /= (sizes[:, None] * sizes)[None, :, :, None]
        out[rows] = means.repeat(sizes, axis=1).repeat(sizes, axis=2)
    return out


def _upside_down(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x[:, ::-1]


def _sideways(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    left = rng.random((len(x), 1, 1, 1)) < 0.5
    return np.where(left, np.rot90(x, 1, (1, 2)), np.rot90(x, -1, (1, 2)))


def _small(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, side = x.shape[:2]
    size = rng.uniform(0.4, 0.6, n).astype(np.float32)
    small = _rescaled(x, size)
    # Outside of the small image lies a plain surface of the colour of its border.
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1).mean(axis=1)[:, None, None]
    far = np.abs(np.arange(side) - (side - 1) / 2)
    inside = far[None] <= size[:, None] * side / 2  # (n, s)
    return np.where((inside[:, :, None] & inside[:, None, :])[..., None], small, border)


def _big(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _rescaled(x, rng.uniform(1.6, 2.2, len(x)).astype(np.float32))


@dataclass(frozen=True)
class Attribute:
    """Something that captions say about how an image looks.

    Attributes
    ----------
    phrases : tuple of str
        Ways to say it, with ``{}`` in place of a noun with its article. The first one names the attribute.
    opposites : tuple of str
        Ways to say that it is not so. They are true of every image that is not altered this way, nor in a way that is
        named in `excludes`.
    alter : callable
        The alteration, on images of 0 to 255; the result may exceed that.
    excludes : tuple of str
        Alterations of which neither is said when this attribute is meant: blurring is hard to tell from pixels.
    """

    phrases: tuple[str, ...]
    opposites: tuple[str, ...]
    alter: Alter
    excludes: tuple[str, ...] = ()


ATTRIBUTES: dict[str, Attribute] = {
    "blurry": Attribute(
        ("a blurry photo of {}", "a blurred image of {}", "a photo of {}, out of focus"),
        ("a sharp photo of {}", "a crisp image of {}", "a photo of {}, in focus"),
        _blurry,
        ("pixelated", "small", "big", "noisy", "low contrast"),
    ),
    "black and white": Attribute(
        ("a black and white photo of {}", "a grayscale image of {}", "a photo of {} in black and white"),
        ("a color photo of {}", "a colorful image of {}", "a photo of {} in color"),
        _grey,
    ),
    "dark": Attribute(
        ("a dark photo of {}", "a dim image of {}", "a photo of {} in the dark", "a photo of {} at night"),
        ("a well lit photo of {}", "a clear image of {}", "a photo of {} in good light"),
        _dark,
        ("low contrast", "high contrast"),
    ),
    "bright": Attribute(
        ("a bright photo of {}", "an overexposed image of {}", "a photo of {} in bright light", "a pale photo of {}"),
        ("a normally lit photo of {}", "a normal image of {}", "a photo of {} in normal light"),
        _bright,
        ("low contrast", "high contrast", "dark"),
    ),
    "low contrast": Attribute(
        ("a low contrast photo of {}", "a faded image of {}", "a photo of {} with low contrast"),
        ("a normal contrast photo of {}", "a vivid image of {}", "a photo of {} with normal contrast"),
        _low_contrast,
        ("dark", "bright", "blurry", "high contrast"),
    ),
    "high contrast": Attribute(
        ("a high contrast photo of {}", "a harsh image of {}", "a photo of {} with high contrast"),
        ("a normal contrast photo of {}", "a soft image of {}", "a photo of {} with normal contrast"),
        _high_contrast,
        ("dark", "bright", "low contrast"),
    ),
    "noisy": Attribute(
        ("a noisy photo of {}", "a grainy image of {}", "a photo of {} with noise"),
        ("a clean photo of {}", "a smooth image of {}", "a photo of {} without noise"),
        _noisy,
        ("pixelated",),
    ),
    "pixelated": Attribute(
        ("a pixelated photo of {}", "a blocky image of {}", "a pixelated picture of {}"),
        ("a sharp photo of {}", "a smooth image of {}", "a detailed picture of {}"),
        _pixelated,
        ("blurry", "noisy", "small", "big"),
    ),
    "upside down": Attribute(
        ("an upside down photo of {}", "a photo of {} upside down", "an image of {}, flipped over"),
        ("an upright photo of {}", "a photo of {} the right way up", "an image of {}, right side up"),
        _upside_down,
        ("sideways",),
    ),
    "sideways": Attribute(
        ("a sideways photo of {}", "a photo of {} lying on its side", "a rotated image of {}"),
        ("an upright photo of {}", "a photo of {} standing upright", "a straight image of {}"),
        _sideways,
        ("upside down",),
    ),
    "small": Attribute(
        ("a photo of {} far away", "a distant photo of {}", "a photo of a small {n}", "a picture of a tiny {n}"),
        ("a photo of {} at a normal distance", "a photo of {} filling the frame", "a photo of a normal sized {n}"),
        _small,
        ("pixelated", "blurry"),
    ),
    "big": Attribute(
        ("a close-up photo of {}", "a close up of {}", "a photo of a big {n}", "a photo of a large {n}"),
        ("a photo of {} at a normal distance", "a whole view of {}", "a photo of a normal sized {n}"),
        _big,
        ("pixelated", "blurry"),
    ),
}


# How often each alteration is chosen: those that are harder to see more often.
CHANCES: np.ndarray = np.array(
    [3.0 if name in ("upside down", "sideways", "black and white") else 1.0 for name in ATTRIBUTES]
)
CHANCES /= CHANCES.sum()


def alter_slightly(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Alter brightness, contrast, size, sharpness and noise of images, less than any attribute does.

    Returns
    -------
    numpy.ndarray, shape (n, s, s, 3), float32
        Values of 0 to 255, and somewhat beyond.
    """
    n = len(pixels)
    x = _contrast(pixels.astype(np.float32), _uniform(rng, n, 0.8, 1.25)) * _uniform(rng, n, 0.8, 1.2)
    for chance, change in (
        (0.4, lambda some: _rescaled(some, rng.uniform(0.85, 1.25, len(some)).astype(np.float32))),
        (0.25, lambda some: gaussian_blur(some, _uniform(rng, len(some), 0.3, 0.6))),
        (0.25, lambda some: _with_noise(some, rng, 0, 10)),
    ):
        rows = np.flatnonzero(rng.random(n) < chance)
        x[rows] = change(x[rows])
    return x


def alter(x: np.ndarray, names: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Alter images.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, s, s, 3), float32
        Values of 0 to 255; changed in place.
    names : numpy.ndarray, shape (n,), int64
        For each image the position of its alteration in `ATTRIBUTES`, or -1.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (n, s, s, 3), uint8
    """
    for number, attribute in enumerate(ATTRIBUTES.values()):
        rows = np.flatnonzero(names == number)
        if len(rows):
            x[rows] = attribute.alter(x[rows], rng)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)
