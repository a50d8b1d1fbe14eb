"""Where wordings are handed in: it has the images and the heads, and remembers what was asked last."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import numpy as np

from ..datasets.base import Dataset
from ..evaluation.ablations import NameRow, TemplateRow, try_each_name, try_each_template
from ..evaluation.labelled_images import LabelledImages
from ..evaluation.predictions import Answers, answer
from ..evaluation.report import EvaluationReport
from ..features.extract import batched
from ..features.feature_store import FeatureStore
from ..linear_probe.head import HeadStore
from ..models.encoder import Report
from ..zero_shot.classifier import class_features
from ..zero_shot.prompt_set import PromptSet

__all__ = ["Evaluator"]

# Answers to 10,000 images and 100 classes take 4 MB, the images of one model and set 20 MB.
MAX_ANSWERS, MAX_SETS = 16, 4
PATIENCE = 0.5  # seconds


class Evaluator:
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

    def images(self, model: ModelHandle, dataset: Dataset, progress: Report | None = None) -> LabelledImages:
        """Return a test set as a model sees it; its features are computed where they are not stored."""
        encoder = model.encoder
        head = self._heads.get(encoder.sha256, dataset.name)

        def make() -> LabelledImages:
            test = self._stored.of(encoder, dataset, progress, batched(model.features.of_job))
            return LabelledImages.of(test, dataset, encoder.logit_scale, head)

        # With the head as a part of the key: one that is fitted while the page is open is used at once.
        return self._sets.get((encoder.sha256, dataset.name, id(head)), make, progress)

    def examine(
        self,
        model: ModelHandle,
        dataset: Dataset,
        wording: PromptSet,
        baseline: PromptSet | None = None,
        progress: Report | None = None,
    ) -> EvaluationReport:
        """Hold a wording against all images, and against a baseline where one is given."""
        images = self.images(model, dataset, progress)

        def ask(each: PromptSet) -> Answers:
            key = (model.encoder.sha256, dataset.name, each)
            return self._answers.get(key, partial(_answer, model, images, each, progress), progress)

        before = None if baseline is None else ask(baseline)
        return EvaluationReport(images, ask(wording), before)

    def templates(
        self, model: ModelHandle, dataset: Dataset, wording: PromptSet, progress: Report | None = None
    ) -> tuple[TemplateRow, ...]:
        """Measure every template of a wording."""
        images = self.images(model, dataset, progress)
        # Not remembered: a long report would push out what visitors look at.
        return try_each_template(lambda each: _answer(model, images, each, progress), wording, progress)

    def names(
        self,
        model: ModelHandle,
        dataset: Dataset,
        wordings: list[PromptSet],
        position: int,
        progress: Report | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure wordings that differ in the name of one class, the present one first."""
        images = self.images(model, dataset, progress)
        members = np.flatnonzero(images.labels == position)
        ask = partial(_answer, model, images, progress=progress)
        return try_each_name(ask, wordings, position, members, progress)


def _answer(model: ModelHandle, images: LabelledImages, wording: PromptSet, progress: Report | None = None) -> Answers:
    weights = class_features(
        model.features, wording.classnames, wording.templates, wording.replace_underscores, progress
    )
    return answer(wording, weights, images)


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
