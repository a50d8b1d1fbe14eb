"""Heads on all training images, or on the first few of every class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.base import Dataset
from ..features.extract import Encode, encode_directly
from ..features.shards import Shards
from ..models.encoder import Encoder, Report
from .head import Head, fit_head

__all__ = ["EARLY_TEST", "EARLY_TRAIN", "Draw", "ProbeFitter"]

# The first head that a visitor gets: so many training images of each class, tried on so many test images in all.
EARLY_TRAIN, EARLY_TEST = 20, 1_000

PER_CLASS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # the numbers of the curve, before all
_DRAWS = 3
_MOST_DRAWN = 6_400  # images; beyond, one draw is hardly different from the next, and takes long


@dataclass(frozen=True)
class Draw:
    """Training images of one fit for the few-shot curve.

    Attributes
    ----------
    per_class : int
        How many of each class.
    number : int
        0 is the first images of the order, 1 the next as many, and so on: no two draws share an image.
    start, stop : int
        The images' places in the order.
    """

    per_class: int
    number: int
    start: int
    stop: int


class ProbeFitter:
    """Fits heads of one model on one dataset, from features that are kept in shards.

    Parameters
    ----------
    encoder : Encoder
        Whose features are used, not normalised.
    dataset : Dataset
    folder : path
        Of the shards.
    encode : Encode, optional
        How images are encoded; default straight by the encoder.
    """

    def __init__(self, encoder: Encoder, dataset: Dataset, folder: str | Path, encode: Encode | None = None):
        self.encoder, self.dataset = encoder, dataset
        encode = encode or encode_directly(encoder)
        self.train, self.test = (Shards(folder, encoder, dataset, split, encode) for split in ("train", "test"))
        self.labels = {split: dataset.labels(split) for split in ("train", "test")}

    def encode(self, progress: Report | None = None) -> None:
        """Have the features of all images."""
        for split, shards in (("train", self.train), ("test", self.test)):
            size = len(shards.order)
            shards.up_to(size, lambda done, what=f"{split} features", n=size: progress and progress(what, done, n))

    @property
    def draws(self) -> list[Draw]:
        """The fits of the few-shot curve, in the order in which their images are there; the last one has all."""
        size, n_classes = len(self.train.order), len(self.dataset.classnames)
        draws = [
            Draw(each, number, number * each * n_classes, (number + 1) * each * n_classes)
            for each in PER_CLASS
            if each * n_classes < size
            for number in range(_DRAWS if each * n_classes <= _MOST_DRAWN else 1)
        ]
        draws = [draw for draw in draws if draw.stop <= size]
        return [*sorted(draws, key=lambda draw: draw.stop), Draw(size // n_classes, 0, 0, size)]

    def fit(self, start: int = 0, stop: int | None = None, n_test: int | None = None, **options) -> Head:
        """Fit a head on encoded images and test it.

        The features are put in the order of the images' indices, as the article has them: the fit's result depends
        on it in its last digits.

        Parameters
        ----------
        start, stop : int, optional
            Which training images, by their places in the order; default all.
        n_test : int, optional
            How many test images, the first ones of the order; default all.
        **options
            Passed to `clip_demo.probe.fit_head`, such as ``C``. A head on some images only has a note that says so.
        """
        train, test = np.sort(self.train.order[start:stop]), np.sort(self.test.order[:n_test])
        if len(train) < len(self.train.order):
            options.setdefault("note", f"{len(train) // len(self.dataset.classnames)} images per class")
        return self.fit_on(train, self.test.features[test], self.labels["test"][test], **options)

    def fit_on(self, train: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray, **options) -> Head:
        """Fit a head on the training images of these indices, and test it on any features."""
        return fit_head(
            self.train.features[train],
            self.labels["train"][train],
            test_features,
            test_labels,
            classnames=self.dataset.classnames,
            model=self.encoder.name,
            model_sha256=self.encoder.sha256,
            dataset=self.dataset.name,
            **options,
        )
