"""Maps of meanings: images and class prompts in the plane, exactly for two prompts, or projected by PCA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
