"""Four classifiers of a visitor's own classes. All are linear in the image features; their weights differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..inside.linear_classifier import LinearClassifier
from ..linear_probe.fit import logistic_regression, rows_of
from ..linear_probe.text_and_photos import choose_n0, class_means, text_and_photo_weights
from ..numerics import normalize

MIN_CLASSES = 2  # with photos, before a classifier can learn from them


@dataclass(frozen=True, eq=False)
class Examples:
    """What the classifiers learn from.

    Attributes
    ----------
    classnames : tuple of str
    text : numpy.ndarray, shape (n_classes, d), float32
        Text features of the classes, L2-normalised.
    photos : numpy.ndarray, shape (n, d), float32
        Image features, not normalised.
    labels : numpy.ndarray, shape (n,), int
        Class of each photo: a position in `classnames`.
    logit_scale : float
        The model's own.
    """

    classnames: tuple[str, ...]
    text: np.ndarray
    photos: np.ndarray
    labels: np.ndarray
    logit_scale: float

    @property
    def taught(self) -> np.ndarray:
        """The classes that have photos, ascending."""
        return np.unique(self.labels)

    @cached_property
    def n0(self) -> float:
        """Number of photos of a class that weigh as much as its name; see `clip_demo.linear_probe.text_and_photos`."""
        return choose_n0(self.text, normalize(self.photos), self.labels, self.logit_scale)

    @cached_property
    def classifiers(self) -> dict[str, LinearClassifier]:
        """What `fit` returns, fitted once."""
        return fit(self)

    def subset(self, keep: np.ndarray) -> Examples:
        """Return the examples with some of the photos, given by their positions or by a mask."""
        return Examples(self.classnames, self.text, self.photos[keep], self.labels[keep], self.logit_scale)


def zero_shot(examples: Examples) -> LinearClassifier:
    """Return the classifier that knows only the names (Radford et al. 2021, section 3.1.2)."""
    return _cosine_classifier(examples, examples.text)


def nearest_mean(examples: Examples) -> LinearClassifier:
    """Return the classifier by the cosine with the mean of each class's photos, of the classes that have photos."""
    means = class_means(normalize(examples.photos), examples.labels, len(examples.classnames))
    return _cosine_classifier(examples, means, examples.taught)


def text_and_photos(examples: Examples) -> LinearClassifier:
    """Return the probe that begins from the words; see `clip_demo.linear_probe.text_and_photos`."""
    weights = text_and_photo_weights(examples.text, normalize(examples.photos), examples.labels, examples.n0)
    return _cosine_classifier(examples, weights)


def linear_probe(examples: Examples) -> LinearClassifier:
    """Return logistic regression by the recipe of openai/CLIP's README, of the classes that have photos."""
    weights, intercept = rows_of(logistic_regression(examples.photos, examples.labels))
    names = tuple(examples.classnames[i] for i in examples.taught)
    return LinearClassifier(names, weights.astype(np.float64), intercept.astype(np.float64), False)


# In the order of the page: from what needs no photo to what knows nothing but photos.
CLASSIFIERS: Mapping[str, Callable[[Examples], LinearClassifier]] = {
    "zero_shot": zero_shot,
    "text_and_photos": text_and_photos,
    "nearest_mean": nearest_mean,
    "linear_probe": linear_probe,
}


def fit(examples: Examples) -> dict[str, LinearClassifier]:
    """Return the classifiers that these examples allow: zero-shot alone while fewer than two classes have photos."""
    if len(examples.taught) < MIN_CLASSES:
        return {"zero_shot": zero_shot(examples)}
    return {name: make(examples) for name, make in CLASSIFIERS.items()}


def _cosine_classifier(examples: Examples, weights: np.ndarray, classes: np.ndarray | None = None) -> LinearClassifier:
    """Return the classifier with logits = logit scale × weights · normalised features, of all or some classes."""
    classes = np.arange(len(examples.classnames)) if classes is None else classes
    names = tuple(examples.classnames[i] for i in classes)
    scaled = examples.logit_scale * weights[classes].astype(np.float64)
    return LinearClassifier(names, scaled, np.zeros(len(classes)), True)
