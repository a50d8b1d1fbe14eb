"""Maps of meanings: images and class prompts in the plane, exactly for two prompts, or projected by PCA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..numerics import best, normalize
from ..zero_shot.classifier import cosine_similarity
from ..zero_shot.word_knowledge import WordKnowledge

NEAREST = 5


@dataclass(frozen=True, eq=False)
class ExactPlot:
    """The cosines of images with two prompts: nothing is projected.

    Attributes
    ----------
    prompts : tuple of str
        The prompts of the x and the y axis.
    indices : numpy.ndarray, shape (n,), int
        Of the test images.
    points : numpy.ndarray, shape (n, 2), float64
    labels : numpy.ndarray, shape (n,), int
        Positions in `classnames`.
    classnames : tuple of str
        Of the dataset.
    star : tuple of float, or None
        The point of one's own image.
    """

    prompts: tuple[str, str]
    indices: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    classnames: tuple[str, ...]
    star: tuple[float, float] | None


@dataclass(frozen=True)
class NearPrompt:
    """A class near the image in all dimensions: its position in `MeaningMap.classnames`, its name and the cosine."""

    position: int
    label: str
    cosine: float


@dataclass(frozen=True, eq=False)
class MeaningMap:
    """Class prompts and images in the plane.

    Attributes
    ----------
    classnames : tuple of str
        The prompt set's class names, then the added ones.
    n_added : int
        How many were added; they did not change the axes.
    classes : numpy.ndarray, shape (n_classes, 2), float64
    images : numpy.ndarray, shape (n, 2), float64
    indices, labels : numpy.ndarray, shape (n,), int
        Of the test images, and of their classes in the dataset's class names.
    star : tuple of float, or None
        The point of one's own image.
    nearest : tuple of NearPrompt
        The true five nearest classes of that image, nearest first; empty without one.
    variance : tuple of float
        Share of the variance that each of the two axes explains, 0 to 1.
    prompts_kept : float
        Of the true five nearest classes of an image, the mean share that are among its five nearest in the plane.
    neighbours_kept : float
        The same for every point, among all points.
    modality_gap : float
        Distance between the mean image vector and the mean class vector, all of length 1 (Liang et al. 2022).
    centred : bool
        Whether the mean of each modality was subtracted: a distortion, which hides the gap.
    knowledge : tuple of WordKnowledge
        What the model knows of each class name; empty where that is not known.
    """

    classnames: tuple[str, ...]
    n_added: int
    classes: np.ndarray
    images: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    star: tuple[float, float] | None
    nearest: tuple[NearPrompt, ...]
    variance: tuple[float, float]
    prompts_kept: float
    neighbours_kept: float
    modality_gap: float
    centred: bool
    knowledge: tuple[WordKnowledge, ...]


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane of the two principal components.

    Attributes
    ----------
    mean : numpy.ndarray, shape (d,)
    axes : numpy.ndarray, shape (2, d)
        Orthonormal rows. The largest number of each is positive, which fixes its direction.
    variance : tuple of float
        Share of the variance along each axis, 0 to 1.
    """

    mean: np.ndarray
    axes: np.ndarray
    variance: tuple[float, float]

    @classmethod
    def of(cls, points: np.ndarray) -> Plane:
        """Fit the plane to points, shape (n, d)."""
        mean = points.mean(axis=0)
        _, singular, axes = np.linalg.svd(points - mean, full_matrices=False)
        axes, shares = axes[:2], singular[:2] ** 2 / (singular**2).sum()
        largest = np.abs(axes).argmax(axis=1)
        return cls(mean, axes * np.sign(axes[[0, 1], largest])[:, None], (float(shares[0]), float(shares[1])))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return points of shape (..., d) in the plane, shape (..., 2)."""
        return (points - self.mean) @ self.axes.T


@dataclass(frozen=True, eq=False)
class Projection:
    """Images, classes and perhaps a star in the plane, and what the plane keeps; see `MeaningMap`."""

    images: np.ndarray
    classes: np.ndarray
    star: tuple[float, float] | None
    variance: tuple[float, float]
    prompts_kept: float
    neighbours_kept: float
    modality_gap: float


def project(
    images: np.ndarray, classes: np.ndarray, n_added: int = 0, star: np.ndarray | None = None, centred: bool = False
) -> Projection:
    """Project images and class prompts to the plane that explains most of their variance.

    Parameters
    ----------
    images : numpy.ndarray, shape (n, d)
        Image features, L2-normalised.
    classes : numpy.ndarray, shape (n_classes, d)
        See `clip_demo.zero_shot.classifier.class_weights`.
    n_added : int
        How many classes, the last ones, do not count for the plane, the gap and the shares of neighbours.
    star : numpy.ndarray, shape (d,), optional
        One more image, L2-normalised, which does not count either.
    centred : bool
        Subtract the mean of each modality first.
    """
    images, classes = images.astype(np.float64), classes.astype(np.float64)
    counted = len(classes) - n_added
    middle, text_middle = images.mean(axis=0), classes[:counted].mean(axis=0)
    moved = (middle, text_middle) if centred else (np.zeros_like(middle), np.zeros_like(middle))
    plane = Plane.of(np.concatenate([images - moved[0], classes[:counted] - moved[1]]))
    flat_images, flat_classes = plane.project(images - moved[0]), plane.project(classes - moved[1])
    flat, base = flat_classes[:counted], classes[:counted]
    everything, flat_everything = np.concatenate([images, base]), np.concatenate([flat_images, flat])
    return Projection(
        images=flat_images,
        classes=flat_classes,
        star=None if star is None else tuple(plane.project(star.astype(np.float64) - moved[0]).tolist()),
        variance=plane.variance,
        prompts_kept=_kept(images @ base.T, -_squared_distances(flat_images, flat)),
        neighbours_kept=_kept(
            _without_itself(everything @ everything.T),
            _without_itself(-_squared_distances(flat_everything, flat_everything)),
        ),
        modality_gap=float(np.linalg.norm(middle - text_middle)),
    )


def nearest_prompts(image: np.ndarray, classes: np.ndarray, classnames: Sequence[str]) -> tuple[NearPrompt, ...]:
    """Return the five nearest classes of an image, nearest first; the features as in `project`."""
    cosines = cosine_similarity(normalize(image), classes)
    return tuple(NearPrompt(int(i), classnames[i], float(cosines[i])) for i in best(cosines, NEAREST))


def _squared_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distance of each point, (n, 2), to each other one, (m, 2): shape (n, m)."""
    return sum((points[:, None, axis] - others[None, :, axis]) ** 2 for axis in (0, 1))


def _without_itself(nearness: np.ndarray) -> np.ndarray:
    np.fill_diagonal(nearness, -np.inf)
    return nearness


def _kept(true: np.ndarray, shown: np.ndarray) -> float:
    """Return the mean share of each row's five largest of `true` that are among the five largest of `shown`."""
    k = min(NEAREST, true.shape[1])
    first, second = (np.argpartition(-each, k - 1, axis=1)[:, :k] for each in (true, shown))
    return float((first[:, :, None] == second[:, None, :]).any(axis=2).mean())
