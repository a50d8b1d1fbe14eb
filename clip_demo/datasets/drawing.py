"""Drawing primitives with bit-identical results on every machine.

Nothing here depends on a library's random generator, on BLAS, on the order of a floating-point sum or on a platform's
sine: random numbers come from splitmix64 in wrapping integers, the arithmetic is elementwise IEEE (one rounding per
operation), sines come from a rounded table, and coverage is counted in integers.
"""

import math
from collections.abc import Callable

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

# Angles are multiples of 1/256 turn. Rounding to six decimals removes the last-bit differences between sines.
TURNS = 256
_COS = np.array([round(math.cos(2 * math.pi * k / TURNS), 6) for k in range(TURNS)], dtype=np.float32)
_SIN = np.array([round(math.sin(2 * math.pi * k / TURNS), 6) for k in range(TURNS)], dtype=np.float32)
_STAR_NORMALS = ((0, -1), (0.951057, -0.309017), (0.587785, 0.809017), (-0.587785, 0.809017), (-0.951057, -0.309017))
_BLOCK = 32  # numbers per image computed at once: for a single image, a NumPy call costs more than its arithmetic
_SUBSAMPLES = 3  # 3×3 samples per pixel: ten levels of coverage, smooth enough at 32×32


def mix(keys: np.ndarray) -> np.ndarray:
    """Return splitmix64 of every key.

    Parameters
    ----------
    keys : numpy.ndarray, uint64
        Of any shape with at least one dimension (arrays wrap silently, scalars warn).

    Returns
    -------
    numpy.ndarray, uint64
        Of the same shape; neighbouring keys give unrelated values.
    """
    z = keys + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


class KeyedRandom:
    """A random generator for n images at once; the k-th number of an image depends only on its key and k.

    Parameters
    ----------
    keys : numpy.ndarray, shape (n,), uint64
        One key per image.
    """

    def __init__(self, keys: np.ndarray):
        self._keys = keys
        self._count = 0
        self._block = np.empty((0, len(keys)), dtype=np.uint64)

    def bits(self) -> np.ndarray:
        """Return the next numbers, shape (n,), uint64."""
        row = self._count % _BLOCK
        if row == 0:
            numbers = np.arange(self._count + 1, self._count + 1 + _BLOCK, dtype=np.uint64)
            self._block = mix(self._keys ^ mix(numbers)[:, None])
        self._count += 1
        return self._block[row]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """Return the next numbers, shape (n,), float64 in [low, high)."""
        unit = (self.bits() >> np.uint64(11)).astype(np.float64) * 2.0**-53  # exact: 53 bits fit a float64
        return low + (high - low) * unit

    def below(self, n: int) -> np.ndarray:
        """Return the next numbers, shape (n,), int64 from 0 to n - 1."""
        return (self.bits() % np.uint64(n)).astype(np.int64)


def rotation(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosine and sine of an angle in units of 1/256 turn, each float32."""
    return _COS[turns % TURNS], _SIN[turns % TURNS]


# Each shape is a test on coordinates in which it roughly fits the unit disc: x to the right, y up.


def _circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x + y * y < np.float32(0.9)


def _square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) < np.float32(0.8)


def _triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # Equilateral, circumradius 1.14: the base at y = -0.57, the other two sides symmetric.
    return (y > np.float32(-0.57)) & (np.float32(1.7320508) * np.abs(x) + y < np.float32(1.14))


def _star(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # The points that lie on the inner side of at least four of a pentagram's five lines.
    count = np.zeros(x.shape, dtype=np.uint8)
    for cos, sin in _STAR_NORMALS:
        count += np.float32(cos) * x + np.float32(sin) * y < np.float32(0.38)
    return count >= 4


def _cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = np.abs(x), np.abs(y)
    return (np.minimum(x, y) < np.float32(0.29)) & (np.maximum(x, y) < np.float32(0.98))


def _heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # The sextic (x² + y² - 1)³ < x² y³, scaled to the unit disc and centred.
    x = x * np.float32(1.2)
    y = y * np.float32(1.2) + np.float32(0.12)
    a = x * x + y * y - np.float32(1.0)
    return a * a * a < x * x * (y * y * y)


def _ring(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    r2 = x * x + y * y
    return (r2 < np.float32(0.95)) & (r2 > np.float32(0.3))


def _crescent(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # A disc minus a smaller disc at its side, centred.
    x = x - np.float32(0.25)
    bite = x - np.float32(0.52)
    return (x * x + y * y < np.float32(1.1)) & (bite * bite + y * y > np.float32(0.74))


def _arrow(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # A shaft 0.4 wide below, and above it a head with its tip at y = 1.05.
    shaft = (np.abs(x) < np.float32(0.21)) & (y > np.float32(-1.05)) & (y <= np.float32(0.1))
    head = (y > np.float32(0.05)) & (np.abs(x) * np.float32(1.25) + y < np.float32(1.05))
    return shaft | head


def _oval(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x * x * np.float32(4.6) + y * y < np.float32(1.1)


INSIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "heart": _heart,
    "ring": _ring,
    "crescent": _crescent,
    "arrow": _arrow,
    "oval": _oval,
}


def coverage(
    kinds: np.ndarray, x: np.ndarray, y: np.ndarray, radius: np.ndarray, turns: np.ndarray, size: int
) -> np.ndarray:
    """Return the fraction of every pixel that a shape covers.

    Parameters
    ----------
    kinds : numpy.ndarray, shape (n,), int64
        Positions in `INSIDE`.
    x, y, radius : numpy.ndarray, shape (n,), float
        Centre and radius in units of the image's side; (0, 0) is the upper left corner.
    turns : numpy.ndarray, shape (n,), int64
        Angle in units of 1/256 turn.
    size : int
        Side of the image in pixels.

    Returns
    -------
    numpy.ndarray, shape (n, size, size), float32
        Multiples of 1/9 from 0 to 1.
    """
    hits = np.zeros((len(kinds), size, size), dtype=np.uint8)
    cos, sin = rotation(turns)
    steps = [(k + 0.5) / (_SUBSAMPLES * size) for k in range(_SUBSAMPLES)]
    pixels = np.arange(size) / size
    for kind, inside in enumerate(INSIDE.values()):
        rows = np.flatnonzero(kinds == kind)
        if not len(rows):
            continue
        c, s = cos[rows, None, None], sin[rows, None, None]
        for dy in steps:
            v = ((y[rows, None] - (pixels + dy)) / radius[rows, None]).astype(np.float32)[:, :, None]
            for dx in steps:
                u = ((pixels + dx - x[rows, None]) / radius[rows, None]).astype(np.float32)[:, None, :]
                hits[rows] += inside(c * u + s * v, c * v - s * u)
    return hits.astype(np.float32) / np.float32(_SUBSAMPLES * _SUBSAMPLES)


def value_noise(keys: np.ndarray, cells: int, size: int) -> np.ndarray:
    """Return smooth noise: random values on a lattice, with bilinear interpolation.

    Returns
    -------
    numpy.ndarray, shape (n, size, size), float32
        From 0 to 1.
    """
    lattice = mix(keys[:, None] ^ mix(np.arange((cells + 1) ** 2, dtype=np.uint64))[None])
    lattice = (lattice >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    lattice = lattice.reshape(-1, cells + 1, cells + 1)
    position = (np.arange(size) + 0.5) / size * cells
    left = position.astype(np.int64)
    weight = (position - left).astype(np.float32)
    rows = lattice[:, left] * (1 - weight)[:, None] + lattice[:, left + 1] * weight[:, None]
    return rows[:, :, left] * (1 - weight) + rows[:, :, left + 1] * weight


def pixel_noise(keys: np.ndarray, size: int) -> np.ndarray:
    """Return independent noise for every pixel and channel, triangularly distributed (the sum of two bytes).

    Returns
    -------
    numpy.ndarray, shape (n, size, size, 3), float32
        From -1 to 1.
    """
    bits = mix(keys[:, None] ^ mix(np.arange(size * size, dtype=np.uint64))[None]).reshape(-1, size, size)
    noise = np.empty((*bits.shape, 3), dtype=np.float32)
    for channel in range(3):
        one = (bits >> np.uint64(16 * channel)) & np.uint64(255)
        two = (bits >> np.uint64(16 * channel + 8)) & np.uint64(255)
        noise[..., channel] = (one + two).astype(np.float32) / np.float32(255) - np.float32(1)
    return noise
