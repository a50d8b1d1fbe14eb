"""Fits heads on all training images of a dataset, or on the first few of every class."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.base import Dataset
from ..errors import DatasetError, OptionError
from ..features.extract import Extract, encode_directly
from ..features.shards import Shards
from ..models.encoder import Encoder
from ..numerics import blas_threads, normalize
from ..progress import Progress
from .head import Head, Provenance

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# openai/CLIP, README.md, section "Linear-probe evaluation".
RECIPE = {"random_state": 0, "C": 0.316, "max_iter": 1000}


class ProbeFitter:
    """Fits heads of one model on one dataset, from features that are kept in shards.

    Parameters
    ----------
    encoder : Encoder
    dataset : Dataset
    folder : path
        Folder of the shards.
    extract : Extract, optional
        How images are encoded; default directly by the encoder.
    fit_threads : int, optional
        Most threads that a fit may use; default all.
    """

    def __init__(
        self,
        encoder: Encoder,
        dataset: Dataset,
        folder: str | Path,
        extract: Extract | None = None,
        fit_threads: int | None = None,
    ):
        self.encoder, self.dataset = encoder, dataset
        self.shards = {
            split: Shards(folder, encoder, dataset, split, extract or encode_directly(encoder))
            for split in ("train", "test")
        }
        self._key, self._fit_threads = dataset.key, fit_threads  # the key of the images that are encoded

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """Labels of the images of each split, by index."""
        return {split: shards.labels for split, shards in self.shards.items()}

    def encode(self, split: str, n: int | None = None, progress: Progress | None = None) -> None:
        """Make the features of the first `n` images of a split available, in class-balanced order; default all."""
        shards = self.shards[split]
        total = len(shards.order)
        shards.encode(n, lambda done: progress and progress(f"{split} features", done, total))

    def read_stored(self, split: str, progress: Progress | None = None) -> int:
        """Read all features of a split that are on disk, and return how many images are missing."""
        shards = self.shards[split]
        missing = shards.read_stored()
        if progress:
            progress(f"{split} features", shards.done, len(shards.order))
        return missing

    def fit(self, start: int = 0, stop: int | None = None, n_test: int | None = None, **recipe) -> Head:
        """Fit a head on encoded images and test it.

        Parameters
        ----------
        start, stop : int, optional
            Range of training images in class-balanced order; default all.
        n_test : int, optional
            Number of test images in that order; default all.
        **recipe
            Passed to `fit_head`. The head's note says so where it is fitted on a part of the images.
        """
        order = self.shards["train"].order
        # Sorted by index, as openai/CLIP's README has them: the order changes the last digits of a fit.
        train, test = np.sort(order[start:stop]), np.sort(self.shards["test"].order[:n_test])
        if len(train) < len(order):
            recipe.setdefault("note", _images_per_class(self.labels["train"][train]))
        return self.fit_on(train, self.shards["test"].features[test], self.labels["test"][test], **recipe)

    def fit_on(self, train: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray, **recipe) -> Head:
        """Fit a head on the training images with the indices `train`, and test it on the given features."""
        with blas_threads(self._fit_threads):
            return fit_head(
                self.shards["train"].features[train],
                self.labels["train"][train],
                test_features,
                test_labels,
                classnames=self.dataset.classnames,
                model=self.encoder.name,
                model_sha256=self.encoder.sha256,
                dataset=self._key,
                **recipe,
            )


def _images_per_class(labels: np.ndarray) -> str:
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    return f"{'' if counts.min() == counts.max() else 'at most '}{counts.max()} images per class"


def fit_head(
    train_features: np.ndarray,
    train_labels: np.ndarray,
    test_features: np.ndarray,
    test_labels: np.ndarray,
    *,
    classnames: Sequence[str],
    model: str,
    model_sha256: str,
    dataset: str,
    C: float = RECIPE["C"],
    max_iter: int = RECIPE["max_iter"],
    random_state: int = RECIPE["random_state"],
    normalized: bool = False,
    note: str = "",
) -> Head:
    """Fit a head, by default by the recipe of openai/CLIP's README, and test it.

    Parameters
    ----------
    train_features, test_features : numpy.ndarray, shape (n, d)
        Not normalised.
    train_labels, test_labels : numpy.ndarray, shape (n,), int
        Positions in `classnames`.
    classnames : sequence of str
        All class names.
    model, model_sha256, dataset, note : str
        For the provenance.
    C, max_iter, random_state
        Passed to scikit-learn's ``LogisticRegression``.
    normalized : bool
        Whether to L2-normalise the features first.

    Raises
    ------
    OptionError
        When `C` or `max_iter` is not positive.
    DatasetError
        When all training images are of one class.
    """
    check_recipe(C, max_iter)
    if (train_labels == train_labels[0]).all():
        raise DatasetError(
            f"dataset: all training images of {dataset} are of one class, {classnames[train_labels[0]]!r}; a linear "
            "probe needs images of at least 2 classes.",
            page="A linear probe needs training images of at least two classes.",
        )
    if normalized:
        train_features, test_features = normalize(train_features), normalize(test_features)
    classifier = logistic_regression(train_features, train_labels, random_state=random_state, C=C, max_iter=max_iter)
    provenance = Provenance(
        model=model,
        model_sha256=model_sha256,
        dataset=dataset,
        n_train=len(train_labels),
        n_test=len(test_labels),
        C=float(C),
        max_iter=int(max_iter),
        n_iter=int(classifier.n_iter_.max()),
        random_state=random_state,
        normalized=normalized,
        test_accuracy=float(np.mean(classifier.predict(test_features) == test_labels)),
        versions=package_versions(),
        date=datetime.date.today().isoformat(),
        note=note,
    )
    coef, intercept = rows_of(classifier)
    return Head(
        coef.astype(np.float32),
        intercept.astype(np.float32),
        tuple(classnames[i] for i in classifier.classes_),
        provenance,
    )


def logistic_regression(features: np.ndarray, labels: np.ndarray, **recipe) -> LogisticRegression:
    """Return scikit-learn's ``LogisticRegression``, fitted; by default by the recipe of openai/CLIP's README."""
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    # One image of each class is no regression problem, of which scikit-learn warns.
    warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%", UserWarning)
    return LogisticRegression(**{**RECIPE, **recipe}).fit(features, labels)


def rows_of(classifier: LogisticRegression) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights, shape (n_classes, d), and the intercepts, shape (n_classes,), whose softmax predicts.

    For two classes, scikit-learn keeps one row, the difference of both.
    """
    coef, intercept = classifier.coef_, classifier.intercept_
    if len(classifier.classes_) == 2:
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    return coef, intercept


def is_full_head(head: Head | None, dataset: Dataset) -> bool:
    """Whether there is a head and it was fitted on all training images by the default recipe."""
    if head is None or head.provenance.n_train < dataset.sizes["train"] or head.provenance.normalized:
        return False
    return all(getattr(head.provenance, name) == value for name, value in RECIPE.items())


def check_recipe(C: float = RECIPE["C"], max_iter: int = RECIPE["max_iter"]) -> None:
    """Raise an OptionError where a parameter is not positive."""
    if not C > 0 or not max_iter >= 1:
        raise OptionError(
            f"C, max_iter: got {C!r} and {max_iter!r}; both must be positive, as in the recipe of openai/CLIP's "
            f"README, {RECIPE}."
        )


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a fit depends on."""
    return {name: version(name) for name in ("scikit-learn", "numpy", "torch", "torchvision")}
