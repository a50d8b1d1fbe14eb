"""The evaluation report: everything that can be asked about one prompt set on a whole test set."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import HeadError, OptionError
from ..numerics import SCORES, blocks, softmax
from ..zero_shot.prompt_set import PromptSet
from .accuracy import Accuracy, accuracy, per_class_mean
from .calibration import Reliability, logit_scale_or, reliability
from .confusion import Confusion, coarse_confusion, confused_with, confusion, count_pairs
from .labelled_images import LabelledImages
from .predictions import Predictions
from .significance import paired_difference

PREDICTORS = ("zero-shot", "probe")
KINDS = ("all", "both right", "only zero-shot", "only probe", "both wrong", "gained", "lost")
_NEED_BASELINE = ("gained", "lost")


@dataclass(frozen=True)
class ClassRow:
    """The results of one class.

    Attributes
    ----------
    name : str
        As in the prompt set.
    coarse : str or None
        Its coarse class; None where the dataset has none.
    n : int
        Number of images.
    zero_shot : float or None
        Accuracy of zero-shot prediction on them, 0 to 1; None without images.
    probe, baseline : float or None
        Accuracy of the linear probe and of the baseline; None without images, and where there is none.
    confused_with : tuple of (str, int)
        Up to three most frequent wrong zero-shot predictions, with their numbers.
    """

    name: str
    coarse: str | None
    n: int
    zero_shot: float | None
    probe: float | None
    baseline: float | None
    confused_with: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class LabelledPrediction:
    """The true class of one test image, and both predictions.

    Attributes
    ----------
    index : int
    truth, zero_shot : str
    probe : str or None
        None without a head.
    """

    index: int
    truth: str
    zero_shot: str
    probe: str | None


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationReport:
    """The zero-shot predictions of one prompt set, against the labels, the linear probe and a baseline.

    Results are plain Python values, computed when they are asked for.

    Attributes
    ----------
    labelled_images : LabelledImages
    predictions : Predictions
    baseline_predictions : Predictions or None
    assumption : str
        See `Accuracy`.
    """

    labelled_images: LabelledImages
    predictions: Predictions
    baseline_predictions: Predictions | None = None
    assumption: str = ""

    @property
    def prompts(self) -> PromptSet:
        """The prompt set."""
        return self.predictions.prompts

    @property
    def baseline(self) -> PromptSet | None:
        """The prompt set of the baseline."""
        return self.baseline_predictions and self.baseline_predictions.prompts

    @property
    def names(self) -> tuple[str, ...]:
        """Class names as in the prompt set."""
        return self.prompts.classnames

    @property
    def logit_scale(self) -> float:
        """The model's own logit scale."""
        return self.labelled_images.logit_scale

    def labelled_prediction(self, index: int) -> LabelledPrediction:
        """Return the true class and both predictions of one test image."""
        index, probe = self._dataset.check_index(index), self.labelled_images.probe
        return LabelledPrediction(
            index,
            self.names[self.labelled_images.labels[index]],
            self.names[self.predictions.predicted[index]],
            None if probe is None else self.names[probe.predicted[index]],
        )

    @cached_property
    def accuracy(self) -> Accuracy:
        """Accuracies over all images."""
        before = self.baseline_predictions
        return accuracy(
            self.predictions.rank,
            self.labelled_images.labels,
            len(self.names),
            difference=before and paired_difference(self.predictions.correct, before.correct),
            probe_correct=self.labelled_images.probe_correct,
            assumption=self.assumption,
        )

    @cached_property
    def classes(self) -> tuple[ClassRow, ...]:
        """The results of every class, in the order of the class list."""
        labels, size, dataset = self.labelled_images.labels, len(self.names), self._dataset
        probe, before = self.labelled_images.probe_correct, self.baseline_predictions
        of_probe = [None] * size if probe is None else per_class_mean(probe, labels, size)
        of_baseline = [None] * size if before is None else per_class_mean(before.correct, labels, size)
        counts = self._counts("zero-shot")
        return tuple(
            ClassRow(
                name=name,
                coarse=dataset.coarse_names[dataset.coarse_of[i]] if dataset.coarse_names else None,
                n=int(counts[i].sum()),
                zero_shot=self.accuracy.per_class[i],
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
            Whose predictions.
        coarse : bool
            Whether to count coarse classes instead of classes.

        Raises
        ------
        OptionError
            When `by` is something else, or there are no coarse classes.
        HeadError
            When there is no head.
        """
        counts, dataset = self._counts(by), self._dataset
        if coarse:
            self._check_coarse()
            return coarse_confusion(counts, dataset.coarse_names, dataset.coarse_of)
        return confusion(counts, self.names, dataset.coarse_names, dataset.coarse_of)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of images that `images` can select: some need a head, some a baseline."""
        probe, baseline = self.labelled_images.probe is not None, self.baseline is not None
        return tuple(kind for kind in KINDS if kind == "all" or (baseline if kind in _NEED_BASELINE else probe))

    def images(
        self,
        kind: str = "all",
        true: int | None = None,
        predicted: int | None = None,
        by: str = "zero-shot",
        coarse: bool = False,
    ) -> tuple[int, ...]:
        """Return the indices of some test images, in order.

        Parameters
        ----------
        kind : str
            One of `kinds`. "gained" and "lost" became correct and wrong compared with the baseline.
        true : int, optional
            Only images of this class.
        predicted : int, optional
            Only images predicted as this class.
        by : {"zero-shot", "probe"}
            Whose prediction `predicted` means.
        coarse : bool
            Whether `true` and `predicted` are positions of coarse classes instead of classes.

        Raises
        ------
        OptionError
            When an argument is not allowed.
        HeadError
            When `predicted` means the probe's and there is no head.
        """
        if coarse:
            self._check_coarse()
        group = np.array(self._dataset.coarse_of) if coarse else np.arange(len(self.names))
        chosen = self._of_kind(kind)
        if true is not None:
            chosen = chosen & (group[self.labelled_images.labels] == _check_position("true", true, group))
        if predicted is not None:
            chosen = chosen & (group[self._predicted(by)] == _check_position("predicted", predicted, group))
        return tuple(np.flatnonzero(chosen).tolist())

    def calibration(self, logit_scale: float | None = None) -> dict[str, Reliability | None]:
        """Return the reliability diagrams of both predictors; None for the probe without a head.

        Parameters
        ----------
        logit_scale : float, optional
            Factor of the cosines in the softmax; default the model's own. It does not affect the probe.
        """
        scale = logit_scale_or(self.logit_scale, logit_scale)
        cosines = self.predictions.cosines
        parts = [softmax(scale * cosines[part]).max(axis=1) for part in blocks(len(cosines), SCORES)]
        confidence = np.concatenate(parts)
        probe = self.labelled_images.probe
        return {
            "zero-shot": reliability(confidence, self.predictions.correct),
            "probe": probe and reliability(probe.confidence, self.labelled_images.probe_correct),
        }

    @property
    def _dataset(self):
        return self.labelled_images.dataset

    def _check_coarse(self) -> None:
        if not self._dataset.coarse_names:
            raise OptionError(
                f"coarse: True is not allowed, because the classes of {self._dataset.title} have no groups; use False.",
                page=f"The classes of {self._dataset.title} have no groups.",
            )

    def _of_kind(self, kind: str) -> np.ndarray:
        if kind not in self.kinds:
            advice = f"use one of {', '.join(map(repr, self.kinds))}"
            if kind in KINDS:
                advice = "give a baseline" if kind in _NEED_BASELINE else f"there is no head; {self._how_to_fit()}"
            raise OptionError(
                f"kind: {kind!r} is not available here; {advice}.",
                page="These images are not available here. Choose others.",
            )
        zero_shot, probe = self.predictions.correct, self.labelled_images.probe_correct
        if kind in _NEED_BASELINE:
            before = self.baseline_predictions.correct
            return zero_shot & ~before if kind == "gained" else before & ~zero_shot
        if kind == "all":
            return np.ones(len(zero_shot), dtype=bool)
        right = {"both right": (True, True), "only zero-shot": (True, False), "only probe": (False, True)}
        first, second = right.get(kind, (False, False))
        return (zero_shot == first) & (probe == second)

    def _predicted(self, by: str) -> np.ndarray:
        if by not in PREDICTORS:
            raise OptionError(f"by: {by!r} is unknown; use one of {', '.join(map(repr, PREDICTORS))}.")
        if by == "zero-shot":
            return self.predictions.predicted
        if self.labelled_images.probe is None:
            raise HeadError(
                f"head: there is none for this model on {self._dataset.name}; {self._how_to_fit()}.",
                page=f"There is no linear probe for this model on {self._dataset.title} yet. Fit one first.",
            )
        return self.labelled_images.probe.predicted

    def _counts(self, by: str) -> np.ndarray:
        return count_pairs(self.labelled_images.labels, self._predicted(by), len(self.names))

    def _how_to_fit(self) -> str:
        return f"fit one with `python -m clip_demo fit-probe --dataset {self._dataset.argument}`"


def _check_position(argument: str, value: int, group: np.ndarray) -> int:
    last = int(group.max())
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value <= last:
        raise OptionError(f"{argument}: {value!r} is not allowed; use a whole number from 0 to {last}.")
    return int(value)
