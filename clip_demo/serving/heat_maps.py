"""Heat maps for several visitors at once: the covered features are computed behind predictions, and remembered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from cachetools import LRUCache

from ..errors import DatasetError, ModelError
from ..evaluation.calibration import logit_scale_or
from ..inside.heat_map import (
    COVER_TEST,
    HeatMap,
    HeatMaps,
    MapCheck,
    check_of,
    hottest_fifth,
    random_fifth,
    resample,
    single_cells,
)
from ..inside.linear_classifier import LinearClassifier, Score
from ..linear_probe.head import Head
from ..models.encoder import InspectableEncoder
from ..progress import Progress
from .model_handle import ModelHandle
from .subject import Subject

MAX_COVERED = 8_000  # the cover tests of 120 images, about 16 MB
SEED = 0


@dataclass(frozen=True, eq=False)
class MapRequest:
    """An image whose heat maps are wanted.

    Attributes
    ----------
    subject : Subject
    encoder : InspectableEncoder
    pixels : numpy.ndarray, shape (resolution, resolution, 3), uint8
        The model's input.
    scores : tuple of Score
        Of zero-shot prediction, and of the linear probe where there is a head.
    """

    subject: Subject
    encoder: InspectableEncoder
    pixels: np.ndarray
    scores: tuple[Score, ...]

    @classmethod
    def of(
        cls,
        subject: Subject,
        head: Head | None,
        first: str | None = None,
        second: str | None = None,
        probe_class: str | None = None,
        logit_scale: float | None = None,
    ) -> MapRequest:
        """Return a request; see `clip_demo.serving.inspector.Inspector.instant_maps` for the arguments."""
        encoder = inspectable(subject.model)
        if subject.read is None:
            title, name = subject.dataset.title, subject.dataset.name
            raise DatasetError(
                f"dataset: the images of {name} are not on this machine; run `python -m clip_demo download {name}`.",
                page=f"The images of {title} are not on this machine. Download {title}, or use another image.",
            )
        weights = subject.model.features.class_weights(subject.prompts)
        classifier = LinearClassifier.zero_shot(
            subject.prompts, weights, logit_scale_or(encoder.logit_scale, logit_scale)
        )
        scores = [Score.of_pair(classifier, subject.features, first, second)]
        if head is not None:
            scores.append(Score.of_class(LinearClassifier.probe(head), subject.features, probe_class))
        return cls(subject, encoder, encoder.preprocess(subject.read()), tuple(scores))


class HeatMapper:
    """Computes heat maps, and remembers the features of covered images."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rows: LRUCache[Hashable, np.ndarray] = LRUCache(MAX_COVERED)

    def gradient_maps(self, request: MapRequest, *, seed: int | None = None) -> HeatMaps:
        """Return the maps from gradients, with their checks where there is a seed for the random cells."""
        encoder, pixels = request.encoder, request.pixels

        def compute() -> list[np.ndarray]:
            return [
                encoder.gradient_maps(pixels, score.direction[None], score.classifier.normalized)[0]
                for score in request.scores
            ]

        values = request.subject.model.features.run(compute)
        scores = [float(score.of(request.subject.features[None])[0]) for score in request.scores]
        checks = [None] * len(values) if seed is None else self._checks(request, values, seed)
        return _heat_maps(request, encoder.heat_map_method, scores, values, checks)

    def cover_maps(self, request: MapRequest, *, seed: int = SEED, progress: Progress | None = None) -> HeatMaps:
        """Return the maps of the cover test, with their checks."""
        side = request.encoder.anatomy.cover_grid
        rows = self._covered(request, np.concatenate([_nothing(side), single_cells(side)]), progress)
        found = [score.of(rows) for score in request.scores]  # each (1 + cells,)
        values = [(each[0] - each[1:]).reshape(side, side) for each in found]
        checks = self._checks(request, values, seed)
        return _heat_maps(request, COVER_TEST, [float(each[0]) for each in found], values, checks)

    def _checks(self, request: MapRequest, values: Sequence[np.ndarray], seed: int) -> list[MapCheck]:
        side = request.encoder.anatomy.cover_grid
        hottest = [hottest_fifth(resample(each, side)) for each in values]
        covers = np.concatenate([_nothing(side), random_fifth((side, side), seed)[None], hottest])
        before, random, *hot = self._covered(request, covers)
        return [
            check_of(score, side * side, np.stack([before, each, random]))
            for score, each in zip(request.scores, hot, strict=True)
        ]

    def _covered(self, request: MapRequest, covers: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Return the features under each cover, shape (n, d); what is not remembered is computed in the background."""
        keys = [(request.encoder.sha256, request.subject.key, cover.tobytes()) for cover in covers]
        with self._lock:
            rows = {key: self._rows[key] for key in keys if key in self._rows}
        missing = {key: cover for key, cover in zip(keys, covers, strict=True) if key not in rows}
        names, done = iter(missing), 0
        encode = partial(request.encoder.encode_covered, request.pixels)
        for piece in request.subject.model.features.in_background(encode, list(missing.values()), np.stack):
            new = dict(zip(itertools.islice(names, len(piece)), piece, strict=True))
            rows.update(new)
            with self._lock:  # after each piece, so that work that was stopped continues there
                self._rows.update(new)
            done += len(piece)
            if progress:
                progress("cells", done, len(missing))
        return np.stack([rows[key] for key in keys])


def _nothing(side: int) -> np.ndarray:
    return np.zeros((1, side, side), dtype=bool)


def _heat_maps(
    request: MapRequest,
    method: str,
    scores: Sequence[float],
    values: Sequence[np.ndarray],
    checks: Sequence[MapCheck | None],
) -> HeatMaps:
    maps = [
        HeatMap(method, *score.names, value, cells, check)
        for score, value, cells, check in zip(request.scores, scores, values, checks, strict=True)
    ]
    return HeatMaps(request.pixels, maps[0], maps[1] if len(maps) > 1 else None)


def inspectable(model: ModelHandle) -> InspectableEncoder:
    """Return the encoder of a model that can be looked into, or raise a ModelError."""
    if not hasattr(model.encoder, "anatomy"):
        raise ModelError(
            f"model: {model.name!r} cannot be looked into; use another model.",
            page=f"It is not possible to look inside {model.title}. Choose another model.",
        )
    return model.encoder
