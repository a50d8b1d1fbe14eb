"""Everything that can be seen of one wording on a whole test set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import HeadError, OptionError
from ..numerics import softmax
from ..zero_shot.prompt_set import PromptSet
from .accuracy import Evaluation, evaluate, shares
from .calibration import Reliability, check_logit_scale, reliability
from .confusion import Confusion, coarse_confusion, confused_with, confusion, count_pairs
from .labelled_images import LabelledImages
from .predictions import Answers
from .significance import paired_difference

__all__ = ["KINDS", "PREDICTORS", "ClassRow", "EvaluationReport", "Verdict"]

PREDICTORS = ("zero-shot", "probe")
KINDS = ("all", "both right", "only zero-shot", "only probe", "both wrong", "gained", "lost")
_NEED_BASELINE = ("gained", "lost")


@dataclass(frozen=True)
class ClassRow:
    """One class.

    Attributes
    ----------
    name : str
        As it was worded.
    coarse : str
        Its coarse class.
    n : int
        Number of images.
    zero_shot : float
        Share of them that is right, 0 to 1.
    probe, baseline : float or None
        The same of the linear probe and of the baseline's wording; None where there is none.
    confused_with : tuple of (str, int)
        Up to three classes that its images are most often taken for by zero-shot, and how many.
    """

    name: str
    coarse: str
    n: int
    zero_shot: float
    probe: float | None
    baseline: float | None
    confused_with: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Verdict:
    """What is said of one test image.

    Attributes
    ----------
    index : int
        Of the image.
    truth, zero_shot : str
        Its true class, and what zero-shot prediction takes it for.
    probe : str or None
        What the probe takes it for; None without one.
    """

    index: int
    truth: str
    zero_shot: str
    probe: str | None


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationReport:
    """One wording, held against the true classes, the linear probe and a baseline's wording.

    What it says is plain Python values; each is worked out when it is asked for.

    Attributes
    ----------
    images_of_set : LabelledImages
    answers : Answers
        Of the wording.
    before : Answers or None
        Of the baseline.
    """

    images_of_set: LabelledImages
    answers: Answers
    before: Answers | None = None

    @property
    def wording(self) -> PromptSet:
        """The wording."""
        return self.answers.wording

    @property
    def baseline(self) -> PromptSet | None:
        """The wording that it is compared with."""
        return self.before and self.before.wording

    @property
    def names(self) -> tuple[str, ...]:
        """Class names as they were worded."""
        return self.wording.classnames

    @property
    def coarse_names(self) -> tuple[str, ...]:
        """Names of the coarse classes."""
        return tuple(self.images_of_set.dataset.coarse_names)

    @property
    def coarse_of(self) -> tuple[int, ...]:
        """For every class its position in `coarse_names`."""
        return tuple(self.images_of_set.dataset.coarse_of)

    @property
    def logit_scale(self) -> float:
        """What the model itself multiplies cosines by."""
        return self.images_of_set.logit_scale

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """The true class of every image, a position in `names`."""
        return tuple(self.images_of_set.labels.tolist())

    def predicted(self, by: str = "zero-shot") -> tuple[int, ...] | None:
        """Return what every image is taken for, a position in `names`; None for a probe that is not there."""
        if by == "probe" and self.images_of_set.probe is None:
            return None
        return tuple(self._predicted(by).tolist())

    def verdict(self, index: int) -> Verdict:
        """Return what is said of one test image, by its index."""
        index, probe = self.images_of_set.dataset.check_index(index), self.images_of_set.probe
        return Verdict(
            index,
            self.names[self.images_of_set.labels[index]],
            self.names[self.answers.predicted[index]],
            None if probe is None else self.names[probe.predicted[index]],
        )

    @cached_property
    def evaluation(self) -> Evaluation:
        """The accuracies."""
        probe = self.images_of_set.probe_hits
        return evaluate(
            self.answers.place,
            self.images_of_set.labels,
            len(self.names),
            difference=self.before and paired_difference(self.answers.hits, self.before.hits),
            probe_top1=None if probe is None else float(probe.mean()),
        )

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        """A row a class, in the order of the class list."""
        labels, size = self.images_of_set.labels, len(self.names)
        probe, before = self.images_of_set.probe_hits, self.before and self.before.hits
        nothing = (None,) * size
        of_probe = nothing if probe is None else shares(probe, labels, size).tolist()
        of_baseline = nothing if before is None else shares(before, labels, size).tolist()
        counts = self._counts("zero-shot")
        return tuple(
            ClassRow(
                name=name,
                coarse=self.coarse_names[self.coarse_of[i]],
                n=int(counts[i].sum()),
                zero_shot=self.evaluation.per_class[i],
                probe=of_probe[i],
                baseline=of_baseline[i],
                confused_with=confused_with(counts, i, self.names),
            )
            for i, name in enumerate(self.names)
        )

    def confusion(self, by: str = "zero-shot", coarse: bool = False) -> Confusion:
        """Return the confusion matrix.

        Parameters
        ----------
        by : {"zero-shot", "probe"}
            Whose.
        coarse : bool
            Of the coarse classes; else of all classes, those of one coarse class together.

        Raises
        ------
        OptionError
            When `by` is something else.
        HeadError
            When there is no probe.
        """
        counts = self._counts(by)
        if coarse:
            return coarse_confusion(counts, self.coarse_names, self.coarse_of)
        return confusion(counts, self.names, self.coarse_names, self.coarse_of)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of images that can be asked for: some need a probe, some a baseline."""
        probe, baseline = self.images_of_set.probe is not None, self.before is not None
        return tuple(kind for kind in KINDS if kind == "all" or (baseline if kind in _NEED_BASELINE else probe))

    def images(
        self,
        kind: str = "all",
        true: int | None = None,
        predicted: int | None = None,
        by: str = "zero-shot",
        coarse: bool = False,
    ) -> tuple[int, ...]:
        """Return the indices of the test images that are meant, in order.

        Parameters
        ----------
        kind : str
            One of `kinds`. "gained" and "lost" became right and wrong since the baseline.
        true : int, optional
            Only images of this class.
        predicted : int, optional
            Only images that are taken for this class.
        by : {"zero-shot", "probe"}
            Who takes them for it.
        coarse : bool
            Whether `true` and `predicted` are positions of coarse classes, or of classes.

        Raises
        ------
        OptionError
            When an argument is not allowed.
        HeadError
            When there is no probe and `predicted` is the probe's.
        """
        group = np.array(self.coarse_of) if coarse else np.arange(len(self.names))
        chosen = self._of_kind(kind)
        if true is not None:
            chosen = chosen & (group[self.images_of_set.labels] == _position("true", true, group))
        if predicted is not None:
            chosen = chosen & (group[self._predicted(by)] == _position("predicted", predicted, group))
        return tuple(np.flatnonzero(chosen).tolist())

    def calibration(self, logit_scale: float | None = None) -> dict[str, Reliability | None]:
        """Return the reliability diagrams of zero-shot prediction and of the probe, None without one.

        Parameters
        ----------
        logit_scale : float, optional
            What cosines are multiplied by before the softmax; default the model's own. The probe does not change.
        """
        scale = self.logit_scale if logit_scale is None else check_logit_scale(logit_scale)
        confidence = softmax(scale * self.answers.cosines).max(axis=1)
        probe = self.images_of_set.probe
        return {
            "zero-shot": reliability(confidence, self.answers.hits),
            "probe": probe and reliability(probe.confidence, self.images_of_set.probe_hits),
        }

    def _of_kind(self, kind: str) -> np.ndarray:
        if kind not in self.kinds:
            why = f"use one of {', '.join(map(repr, self.kinds))}"
            if kind in KINDS:
                why = "give a baseline" if kind in _NEED_BASELINE else f"there is no head; {_fit(self)}"
            raise OptionError(f"kind: {kind!r} is not to be had here; {why}.")
        zero_shot, probe = self.answers.hits, self.images_of_set.probe_hits
        if kind in _NEED_BASELINE:
            return zero_shot & ~self.before.hits if kind == "gained" else self.before.hits & ~zero_shot
        if kind == "all":
            return np.ones(len(zero_shot), dtype=bool)
        right = {"both right": (True, True), "only zero-shot": (True, False), "only probe": (False, True)}
        first, second = right.get(kind, (False, False))
        return (zero_shot == first) & (probe == second)

    def _predicted(self, by: str) -> np.ndarray:
        if by not in PREDICTORS:
            raise OptionError(f"by: {by!r} is unknown; use one of {', '.join(map(repr, PREDICTORS))}.")
        if by == "zero-shot":
            return self.answers.predicted
        if self.images_of_set.probe is None:
            raise HeadError(f"head: none for this model on {self.images_of_set.dataset.name}; {_fit(self)}.")
        return self.images_of_set.probe.predicted

    def _counts(self, by: str) -> np.ndarray:
        return count_pairs(self.images_of_set.labels, self._predicted(by), len(self.names))


def _fit(examination: EvaluationReport) -> str:
    return f"make one with `python -m clip_demo fit-probe --dataset {examination.images_of_set.dataset.name}`"


def _position(argument: str, value: int, group: np.ndarray) -> int:
    last = int(group.max())
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= last:
        raise OptionError(f"{argument}: {value!r} is not allowed; use a whole number from 0 to {last}.")
    return int(value)
