"""Where wordings are handed in: it has the pictures and the heads, and remembers what was asked last."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np

from ..models.encoder import Report
from ..datasets.base import ImageSet
from .model_handle import Loading
from ..linear_probe.head import HeadStore
from ..features.extract import batched
from ..features.feature_store import FeatureStore
from ..zero_shot.classifier import class_features
from ..evaluation.predictions import Answers, answer
from ..evaluation.report import Examination
from ..evaluation.ablations import NameRow, TemplateRow, try_each_name, try_each_template
from ..evaluation.labelled_images import LabelledPictures
from ..zero_shot.prompt_set import Wording

__all__ = ["Desk"]

# Answers to 10,000 pictures and 100 classes take 4 MB, the pictures of one model and set 20 MB.
MAX_ANSWERS, MAX_SETS = 16, 4
PATIENCE = 0.5  # seconds


class Desk:
    """Examines wordings on whole test sets, safe to use from several threads.

    Parameters
    ----------
    stored : FeatureStore
        Features of test sets.
    heads : HeadStore
        Linear probes.
    """

    def __init__(self, stored: FeatureStore, heads: HeadStore):
        self._stored, self._heads = stored, heads
        self._sets: _Memory = _Memory(MAX_SETS)
        self._answers: _Memory = _Memory(MAX_ANSWERS)

    def pictures(self, model: Loading, image_set: ImageSet, progress: Report | None = None) -> LabelledPictures:
        """Return a test set as a model sees it; its features are computed where they are not stored."""
        encoder = model.encoder
        head = self._heads.get(encoder.sha256, image_set.name)

        def make() -> LabelledPictures:
            test = self._stored.of(encoder, image_set, progress, batched(model.features.of_job))
            return LabelledPictures.of(test, image_set, encoder.logit_scale, head)

        # With the head as a part of the key: one that is fitted while the page is open is used at once.
        return self._sets.get((encoder.sha256, image_set.name, id(head)), make, progress)

    def examine(
        self,
        model: Loading,
        image_set: ImageSet,
        wording: Wording,
        baseline: Wording | None = None,
        progress: Report | None = None,
    ) -> Examination:
        """Hold a wording against all pictures, and against a baseline where one is given."""
        pictures = self.pictures(model, image_set, progress)

        def ask(each: Wording) -> Answers:
            key = (model.encoder.sha256, image_set.name, each)
            return self._answers.get(key, partial(_answer, model, pictures, each, progress), progress)

        before = None if baseline is None else ask(baseline)
        return Examination(pictures, ask(wording), before)

    def templates(
        self, model: Loading, image_set: ImageSet, wording: Wording, progress: Report | None = None
    ) -> tuple[TemplateRow, ...]:
        """Measure every template of a wording."""
        pictures = self.pictures(model, image_set, progress)
        # Not remembered: a long report would push out what visitors look at.
        return try_each_template(lambda each: _answer(model, pictures, each, progress), wording, progress)

    def names(
        self,
        model: Loading,
        image_set: ImageSet,
        wordings: list[Wording],
        position: int,
        progress: Report | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure wordings that differ in the name of one class, the present one first."""
        pictures = self.pictures(model, image_set, progress)
        members = np.flatnonzero(pictures.labels == position)
        ask = partial(_answer, model, pictures, progress=progress)
        return try_each_name(ask, wordings, position, members, progress)


def _answer(model: Loading, pictures: LabelledPictures, wording: Wording, progress: Report | None = None) -> Answers:
    weights = class_features(model.features, wording.classnames, wording.templates, wording.spaces, progress)
    return answer(wording, weights, pictures)


class _Memory:
    """The last few things that were made, by key; what several ask for at once is made once."""

    def __init__(self, limit: int):
        self._limit = limit
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)

    def get(self, key: Hashable, make: Callable[[], Any], progress: Report | None = None) -> Any:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            turn = self._making[key]
        while not turn.acquire(timeout=PATIENCE):
            if progress:  # who waits for somebody else's work may give up
                progress("waiting", 0, 1)
        try:
            with self._lock:
                if key in self._made:
                    return self._made[key]
            made = make()
            self._remember(key, made)
            return made
        finally:
            turn.release()

    def _remember(self, key: Hashable, made: Any) -> None:
        with self._lock:
            self._making.pop(key, None)
            self._made[key] = made
            while len(self._made) > self._limit:
                self._made.popitem(last=False)
