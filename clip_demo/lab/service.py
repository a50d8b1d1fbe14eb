"""What the backend asks of the lab: a wording over a whole test set, with everything kept that can be kept."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from ..errors import InputError
from ..images import ImageSet
from ..loading import Loading
from ..probe import HeadStore
from ..probe_builder import Report
from ..stored import FeatureStore
from ..zero_shot import class_features, ensemble, prompt_features
from .examination import Examination, examine
from .test_bed import TestBed, make_test_bed
from .variations import NameRow, TemplateRow, compare_names, compare_templates, renamed
from .wording import Wording, check_whole_set

__all__ = ["Lab"]

T = TypeVar("T")
# Test features are 10 to 30 MB for a model and an image set, an examination's cosines 4 MB.
MAX_BEDS, MAX_EXAMINATIONS = 4, 16
# Pictures in one turn of the encoder: a visitor need not wait for more.
PART = 16


class Lab:
    """Examines wordings; safe to use from several threads.

    Parameters
    ----------
    stored : FeatureStore
        Where test features come from; missing ones are computed once.
    heads : HeadStore
        Where heads come from; one that is fitted later is noticed.
    """

    def __init__(self, stored: FeatureStore, heads: HeadStore):
        self._stored, self._heads = stored, heads
        self._beds: _Recent[TestBed] = _Recent(MAX_BEDS)
        self._examinations: _Recent[tuple[TestBed, Examination]] = _Recent(MAX_EXAMINATIONS)
        self._busy: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)

    def bed(self, chosen: Loading, image_set: ImageSet, progress: Report | None = None) -> TestBed:
        """Return a model's view of a test set; encodes its pictures where that was never done."""
        key = (chosen.encoder.sha256, image_set.name)
        lock = self._busy[key]
        while not lock.acquire(timeout=0.5):
            # Somebody else encodes them; whoever waits here may give up.
            _report(progress, "test features", 0, image_set.sizes["test"])
        try:
            head, bed = self._heads.get(*key), self._beds.get(key)
            if bed is None or (bed.probe and bed.probe.head) is not head:
                test = self._stored.of(_InTurns(chosen), image_set, progress)
                bed = self._beds.put(key, make_test_bed(key[0], image_set, test, head))
            return bed
        finally:
            lock.release()

    def examine(
        self,
        chosen: Loading,
        image_set: ImageSet,
        wording: Wording,
        baseline: Wording | None = None,
        progress: Report | None = None,
    ) -> Examination:
        """Hold a wording against a test set, and against another wording where one is given.

        Raises
        ------
        InputError
            When a wording is not allowed; where it is the baseline, its message says so.
        """
        wording = check_whole_set(image_set, wording)
        if baseline is not None:
            with _Named("baseline"):
                baseline = check_whole_set(image_set, baseline)
        bed = self.bed(chosen, image_set, progress)
        examination = self._examine(chosen, bed, wording, progress)
        if baseline is None:
            return examination
        with _Named("baseline"):
            return examination.against(self._examine(chosen, bed, baseline, progress))

    def compare_templates(
        self, chosen: Loading, image_set: ImageSet, wording: Wording, progress: Report | None = None
    ) -> tuple[TemplateRow, ...]:
        """Measure every template alone, and the ensemble without it."""
        whole = self.examine(chosen, image_set, wording, progress=progress)
        prompts = prompt_features(chosen.features, *_parts(whole.wording), _prompts(progress))
        return compare_templates(whole, prompts, progress)

    def compare_names(
        self,
        chosen: Loading,
        image_set: ImageSet,
        wording: Wording,
        classname: str,
        others: Sequence[str],
        progress: Report | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure other names for one class; the first row is the present name."""
        wording = check_whole_set(image_set, wording)
        wordings = [check_whole_set(image_set, each) for each in renamed(wording, classname, others)]
        present = self.examine(chosen, image_set, wording, progress=progress)
        weights = [class_features(chosen.features, *_parts(each), _prompts(progress)) for each in wordings]
        return compare_names(present, list(zip(wordings, weights, strict=True)), classname, progress)

    def _examine(self, chosen: Loading, bed: TestBed, wording: Wording, progress: Report | None) -> Examination:
        key = (bed.key, wording)
        kept = self._examinations.get(key)
        if kept is None or kept.bed is not bed:
            weights = class_features(chosen.features, *_parts(wording), _prompts(progress))
            kept = self._examinations.put(key, examine(bed, wording, weights, chosen.encoder.logit_scale))
        return kept


def _parts(wording: Wording) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    return wording.classnames, wording.templates, wording.spaces
