"""From pictures to heads and a few-shot curve: the article's second experiment."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..curve import CurvePoint, FewShotCurve
from ..encoder import EncodeImages, Encoder, Report
from ..images import ImageSet
from ..probe import Head, fit_head, package_versions
from .shards import Shards
from .sweep import sweep

__all__ = ["PER_CLASS", "ProbeBuilder"]

PER_CLASS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DRAWS = 3
MAX_DRAWN = 64  # pictures of each class up to which a point is the mean of several draws: fits grow long
HELD_OUT = 0.2


class ProbeBuilder:
    """Fits heads on the features of one model and one image set.

    Features go to shards on disk as they are made, see `Shards`; what an interrupted run has made is used by the next.

    Parameters
    ----------
    encoder : Encoder
        Whose features are used, not normalised.
    image_set : ImageSet
        The pictures.
    folder : path
        Where shards are kept.
    encode : callable, optional
        See `clip_demo.encoder.EncodeImages`; default the encoder's own.
    progress : callable, optional
        See `clip_demo.encoder.Report`.
    on_head : callable, optional
        Called with every head that is fitted by the recipe.
    known : FewShotCurve, optional
        As far as an earlier run came: what it measured is not fitted again.
    """

    def __init__(
        self,
        encoder: Encoder,
        image_set: ImageSet,
        folder: str | Path,
        *,
        encode: EncodeImages | None = None,
        progress: Report | None = None,
        on_head: Callable[[Head], None] | None = None,
        known: FewShotCurve | None = None,
    ):
        self.encoder, self.image_set = encoder, image_set
        self._encode, self._progress = encode or encoder.encode_images, progress
        self._on_head = on_head or (lambda head: None)
        self._shards = {split: Shards(folder, encoder.sha256, image_set, split) for split in image_set.sizes}
        points = known.points if known else ()
        self._accuracy = {(each.per_class, draw): got for each in points for draw, got in enumerate(each.draws)}

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.image_set.classnames)

    @property
    def per_class(self) -> int:
        """Number of training pictures of each class."""
        return self.image_set.sizes["train"] // self.n_classes

    def encode(self, split: str, n: int | None = None) -> None:
        """Make the features of the first `n` pictures of a split's balanced order; default all."""
        self._shards[split].fill(self._encode, n, self._progress)

    def features(self, split: str) -> np.ndarray:
        """Return all features of a split in its own order: shape (n, d), float32, not normalised."""
        self.encode(split)
        return self._shards[split].all()

    def fit(self, **options) -> Head:
        """Fit a head on all training pictures, in their own order as the article's script does.

        Parameters
        ----------
        **options
            See `clip_demo.probe.fit_head`, such as ``C``.
        """
        train, test = self.features("train"), self.features("test")
        self._say(f"fitting on {len(train):,} pictures")
        head = self._fit(train, self.image_set.labels("train"), test, self.image_set.labels(), **options)
        if not options:
            self._accuracy[self.per_class, 0] = head.provenance.test_accuracy
            self._on_head(head)
        return head

    def fit_few(self, per_class: int, draw: int = 0, n_test: int | None = None) -> Head:
        """Fit a head by the recipe on a few pictures of each class.

        Parameters
        ----------
        per_class : int
            How many of each.
        draw : int
            Which: draw 0 has the first of the balanced order, draw 1 those that follow, and so on, so that draws
            have no picture in common.
        n_test : int, optional
            Test it on so many test pictures, the first of their balanced order; default all.
        """
        start, stop = draw * per_class * self.n_classes, (draw + 1) * per_class * self.n_classes
        self.encode("train", stop)
        self.encode("test", n_test)
        self._say(f"fitting on {per_class} of each class")
        test, order = self._shards["test"], self._shards["test"].order[:n_test]
        chosen = self._shards["train"].order[start:stop]
        head = self._fit(
            self._shards["train"].first(stop)[start:],
            self.image_set.labels("train")[chosen],
            test.first(len(order)),
            self.image_set.labels()[order],
        )
        if n_test is None:
            self._accuracy[per_class, draw] = head.provenance.test_accuracy
        self._on_head(head)
        return head

    def sweep(self, **options) -> float:
        """Return the best C on a fifth of the training pictures that is held out; see `clip_demo.probe_builder.sweep`.

        Parameters
        ----------
        **options
            See `clip_demo.probe.fit_head`.
        """
        self.encode("train")
        order, labels = self._shards["train"].order, self.image_set.labels("train")
        features = self._shards["train"].first(len(order))
        kept = round((1 - HELD_OUT) * len(order))

        def accuracy(C: float) -> float:
            head = self._fit(
                *(features[:kept], labels[order[:kept]], features[kept:], labels[order[kept:]]), C=C, **options
            )
            self._say(f"C = {C:.3g}: {100 * head.provenance.test_accuracy:.2f}% of the pictures held out")
            return head.provenance.test_accuracy

        return sweep(accuracy)[0]

    def curve(self, zero_shot: float, templates: Sequence[str]) -> Iterator[FewShotCurve]:
        """Yield the few-shot curve again and again, each time with one point more, as features come in.

        Every probe is fitted by the article's recipe. Up to 64 pictures of each class a point has three draws.

        Parameters
        ----------
        zero_shot : float
            Zero-shot accuracy on all test pictures, 0 to 1.
        templates : sequence of str
            The templates of that.
        """
        numbers = [each for each in PER_CLASS if each < self.per_class] + [self.per_class]
        points: list[CurvePoint] = []
        for per_class in numbers:
            draws = DRAWS if per_class <= MAX_DRAWN and DRAWS * per_class <= self.per_class else 1
            accuracy = [self._few(per_class, draw) for draw in range(draws)]
            points.append(CurvePoint(per_class, per_class * self.n_classes, tuple(accuracy)))
            yield FewShotCurve(
                model=self.encoder.name,
                model_sha256=self.encoder.sha256,
                image_set=self.image_set.name,
                zero_shot=zero_shot,
                zero_shot_templates=tuple(templates),
                points=tuple(points),
                complete=per_class == self.per_class,
                versions=package_versions(),
                date=datetime.date.today().isoformat(),
            )

    def _few(self, per_class: int, draw: int) -> float:
        """Return the accuracy of a head, fitted unless that was done."""
        if (per_class, draw) not in self._accuracy:
            if per_class == self.per_class:
                self.fit()
            else:
                self.fit_few(per_class, draw)
        return self._accuracy[per_class, draw]

    def _fit(self, *data: np.ndarray, **options) -> Head:
        return fit_head(
            *data,
            classnames=self.image_set.classnames,
            model=self.encoder.name,
            model_sha256=self.encoder.sha256,
            image_set=self.image_set.name,
            **options,
        )

    def _say(self, what: str) -> None:
        if self._progress:
            self._progress(what, 0, 0)
