"""From images to heads and the few-shot curve: the one loop behind the command and the background job."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artifacts import check_folder, remove_abandoned_parts
from ..datasets.base import Dataset
from ..errors import DatasetError, OptionError
from ..features.extract import Extract
from ..features.feature_store import FeatureStore, TestFeatures
from ..models.encoder import Encoder
from ..paths import ASSETS, cache_folder
from ..progress import Progress
from .c_sweep import sweep_c
from .estimate import FitSpeed
from .few_shot_curve import CurveStore, Draw, FewShotCurve, draws_of, first_of_each, missing_draws, new_curve, with_draw
from .fit import RECIPE, ProbeFitter, check_recipe
from .head import Head, HeadStore

# The early head, which serves while a better one is fitted: training images of each class, and test images in total.
EARLY_TRAIN, EARLY_TEST = 20, 1_000


@dataclass(frozen=True)
class Stores:
    """The stores of heads, test features, curves and feature shards.

    Attributes
    ----------
    heads, features, curves
        New files go to the last folder of each.
    shards : pathlib.Path
        Folder of the features of whole datasets.
    """

    heads: HeadStore
    features: FeatureStore
    curves: CurveStore
    shards: Path

    @classmethod
    def open(cls, *roots: str | Path) -> Stores:
        """Return the stores below some folders; the first match wins, new files go to the last.

        Parameters
        ----------
        *roots : path
            Each may have the subfolders ``heads``, ``features``, ``curves`` and ``shards``; default ``assets`` and the
            cache folder.
        """
        roots = [Path(root) for root in roots or (ASSETS, cache_folder())]
        with contextlib.suppress(OSError):  # a folder that may not be read counts as absent
            for folder in roots[-1].glob("**/"):
                remove_abandoned_parts(folder)
        return cls(
            HeadStore([root / "heads" for root in roots]),
            FeatureStore([root / "features" for root in roots]),
            CurveStore([root / "curves" for root in roots]),
            roots[-1] / "shards",
        )


def early_sizes(dataset: Dataset) -> dict[str, int]:
    """Return how many images of each split the early head and curve are made of; all of them in a small dataset."""
    n_train = first_of_each(np.bincount(dataset.labels("train")), EARLY_TRAIN)
    return {"train": n_train, "test": min(EARLY_TEST, dataset.sizes["test"])}


def check_fit(*, curve_folder: str | Path | None = None, sweep: bool = False, **recipe) -> dict:
    """Return the options of `ProbePipeline.fit`, checked: before anything is downloaded or encoded.

    Raises
    ------
    OptionError
        When `sweep` and ``C`` are both given, ``C`` is not positive, a curve is requested by another recipe than the
        default, or its folder cannot be written.
    """
    if sweep and "C" in recipe:
        raise OptionError(f"C: got {recipe['C']!r} together with a sweep, which searches for it; omit one of them.")
    if curve_folder is not None and (sweep or recipe):
        raise OptionError("curve: it is fitted by the default recipe; omit C, sweep and normalized.")
    check_recipe(recipe.get("C", RECIPE["C"]))
    if curve_folder is not None:
        curve_folder = check_folder(curve_folder, "curve")
    return {"curve_folder": curve_folder, "sweep": sweep, **recipe}


class ProbePipeline:
    """Encodes a dataset's images, and fits heads and the few-shot curve on their features.

    Features are kept in shards and the curve after every fit, so interrupted work continues where it stopped.

    Parameters
    ----------
    encoder : Encoder
    dataset : Dataset
    stores : Stores
    zero_shot : callable
        Returns the accuracy of zero-shot prediction, 0 to 1, and its templates: on the given test features, or without
        an argument on the test set. Called after its features are stored, so that both methods are compared on the
        same features.
    extract : Extract, optional
        How images are encoded; default directly by the encoder.
    fit_threads : int, optional
        Most threads that a fit may use; default all.
    progress : callable, optional
        See `clip_demo.progress.Progress`.
    """

    def __init__(
        self,
        encoder: Encoder,
        dataset: Dataset,
        stores: Stores,
        zero_shot: Callable[..., tuple[float, tuple[str, ...]]],
        *,
        extract: Extract | None = None,
        fit_threads: int | None = None,
        progress: Progress | None = None,
    ):
        self._encoder, self._dataset, self._stores, self._zero_shot = encoder, dataset, stores, zero_shot
        self._key = (encoder.sha256, dataset.key)
        self._fitter = ProbeFitter(encoder, dataset, stores.shards, extract, fit_threads)
        self._progress = progress or (lambda what, done, total: None)
        self._early = early_sizes(dataset)
        self._fit_speed: FitSpeed | None = None

    def fit(self, *, curve_folder: str | Path | None = None, sweep: bool = False, **recipe) -> Head:
        """Return a head fitted on all training images.

        Parameters
        ----------
        curve_folder : path, optional
            Also fit the few-shot curve and store it here.
        sweep : bool
            Find the best C first.
        **recipe
            Passed to `clip_demo.linear_probe.fit.fit_head`: ``C`` and ``normalized``.

        Raises
        ------
        OptionError
            See `check_fit`.
        """
        check_fit(curve_folder=curve_folder, sweep=sweep, **recipe)
        if curve_folder is not None:
            *_, head = self.heads(curve_folder=curve_folder, restart=True)
            return head
        self._encode("train")
        self._encode("test")
        if self._stores.features.get(*self._key) is None:
            self._store_test_features()  # an evaluation of the head need not encode them again
        if sweep:
            normalized = recipe.get("normalized", False)
            recipe["C"], n_held_out = sweep_c(self._fitter, self._progress, normalized=normalized)
            recipe["note"] = f"C swept on {n_held_out:,} held-out training images"
        return self._fitter.fit(**recipe)

    def early_heads(self) -> Iterator[Head]:
        """Fit a head quickly, on few images and tested on few, and the few-shot curve up to it.

        Nothing of it where there is something better.

        Yields
        ------
        Head
        """
        n_train, n_test = self._early.values()
        head, curve = self._stores.heads.get(*self._key), self._stores.curves.get(*self._key)
        if n_train >= self._dataset.sizes["train"] or (head is not None and head.provenance.n_train > n_train):
            return
        if head is None:
            head = self._early_head()
            yield head
        if curve is not None and not self._is_early(curve):
            return
        if curve is None:
            curve = self._early_curve(head)
        draws = [draw for draw in missing_draws(self._dataset, curve) if draw.stop <= n_train]
        for number, draw in enumerate(draws):
            self._encode_early()
            self._progress("fits of the early curve", number, len(draws))
            fitted = self._fitter.fit(draw.start, draw.stop, n_test)
            curve = with_draw(self._dataset, curve, draw, fitted.provenance.test_accuracy)
            self._stores.curves.improve(curve)

    def seconds_left(self) -> float:
        """Estimate how long `heads` will take.

        Images are encoded for it, and a head is fitted where this run has not fitted one: what that takes is measured.
        """
        self._encode_early()
        left = {split: self._fitter.read_stored(split, self._progress) for split in ("test", "train")}
        seconds = 0.0
        if split := next((split for split, n in left.items() if n), None):
            start = time.monotonic()
            self._encode(split, self._fitter.shards[split].done + 1)  # a whole shard, which is kept
            encoded = left[split] - self._fitter.shards[split].read_stored()
            seconds = (time.monotonic() - start) / encoded * (sum(left.values()) - encoded)
        if self._fit_speed is None:
            self._early_head()
        known = self._stores.curves.get(*self._key)
        draws = missing_draws(self._dataset, known) if known and not self._is_early(known) else draws_of(self._dataset)
        return seconds + sum(self._fit_speed.seconds(draw.stop - draw.start) for draw in draws)

    def heads(self, *, restart: bool = False, curve_folder: str | Path | None = None) -> Iterator[Head]:
        """Fit the missing heads of the few-shot curve, on increasing numbers of images; the last one on all of them.

        Parameters
        ----------
        restart : bool
            Fit a complete curve again.
        curve_folder : path, optional
            Folder of the curve, which is stored after every fit.

        Yields
        ------
        Head
        """
        self._encode("test")
        curve = self._open_curve(restart)
        n = len(missing_draws(self._dataset, curve))
        while draws := missing_draws(self._dataset, curve):
            draw, number = draws[0], n - len(draws)
            self._encode("train", draw.stop)
            if draw not in draws_of(self._dataset):
                continue  # damaged images were left out, so it has others now
            self._progress("fits of the curve", number, n)
            full = draw.stop - draw.start == self._dataset.sizes["train"]
            head = self._full_head() if full and not restart else self._fitter.fit(draw.start, draw.stop)
            curve = with_draw(self._dataset, curve, draw, head.provenance.test_accuracy)
            if curve_folder is None and not restart:
                self._stores.curves.improve(curve)
            else:
                self._stores.curves.put(curve, curve_folder)
            yield head
            self._progress("fits of the curve", number + 1, n)
        if not n:
            yield self._full_head()

    def is_finished(self, *, head_only: bool = False) -> bool:
        """Whether there is a head on all training images and, unless `head_only`, the complete curve."""
        head, curve = self._stores.heads.get(*self._key), self._stores.curves.get(*self._key)
        full = head is not None and head.provenance.n_train >= self._dataset.sizes["train"]
        return full and (head_only or (curve is not None and curve.complete))

    def _early_head(self) -> Head:
        self._encode_early()
        self._progress("fits of an early head", 0, 1)
        importlib.import_module("sklearn.linear_model")  # takes a second, which is none of the fit
        start = time.monotonic()
        head = self._fitter.fit(0, self._early["train"], self._early["test"])
        self._fit_speed = FitSpeed(head.provenance.n_train, head.provenance.n_iter, time.monotonic() - start)
        return head

    def _encode_early(self) -> None:
        for split, n in self._early.items():
            self._encode(split, n)

    def _early_curve(self, head: Head) -> FewShotCurve:
        """Return a curve of which the early head is the only point; of none, where it is tested on all test images."""
        n_test, each = self._early["test"], EARLY_TRAIN
        self._encode_early()
        if n_test == self._dataset.sizes["test"]:
            return self._open_curve(restart=False)
        shards, labels = self._fitter.shards["test"], self._fitter.labels["test"]
        rows = np.sort(shards.order[:n_test])
        zero_shot = self._zero_shot(TestFeatures(shards.features[rows], labels[rows]))
        curve = new_curve(self._encoder, self._dataset, *zero_shot, n_test)
        draw = Draw(each, 0, 0, self._early["train"])
        return with_draw(self._dataset, curve, draw, head.provenance.test_accuracy)

    def _is_early(self, curve: FewShotCurve) -> bool:
        return curve.n_test is not None and curve.n_test < self._dataset.sizes["test"]

    def _full_head(self) -> Head:
        """Return the head on all training images by the default recipe, the stored one where it exists."""
        known = self._stores.heads.get(*self._key)
        if known is not None and self.is_finished(head_only=True):
            if known.provenance.C == RECIPE["C"] and not known.provenance.normalized:
                return known
        self._encode("train")
        return self._fitter.fit()

    def _open_curve(self, restart: bool) -> FewShotCurve:
        """Return the stored curve, or one without points; the test images are encoded."""
        known = self._stores.curves.get(*self._key)
        if known is not None and not self._is_early(known):
            if known.complete and restart:
                return new_curve(self._encoder, self._dataset, known.zero_shot, known.zero_shot_templates)
            return known
        self._store_test_features()
        return new_curve(self._encoder, self._dataset, *self._zero_shot())

    def _store_test_features(self) -> None:
        features = TestFeatures(self._fitter.shards["test"].features, self._fitter.labels["test"])
        self._stores.features.put(features, self._encoder, self._dataset)

    def _encode(self, split: str, n: int | None = None) -> None:
        self._fitter.encode(split, n, self._progress)
        if self._dataset.key != self._key[1]:  # some of the features belong to files that are no more
            raise DatasetError(
                f"dataset: files of {self._dataset.title} have changed since this began; start it again.",
                page=f"Images of {self._dataset.title} have changed. Start again.",
            )
