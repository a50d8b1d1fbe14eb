"""Ablations: the effect of every template of an ensemble, and of other names for a class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from .predictions import Predictions
from .significance import Difference, paired_difference

# Predicts the whole test set with a prompt set.
Predict = Callable[[PromptSet], Predictions]


@dataclass(frozen=True)
class TemplateRow:
    """The effect of one template.

    Attributes
    ----------
    template : str
    top1 : float
        Accuracy of the template alone, 0 to 1.
    ensemble_without : float or None
        Accuracy of the ensemble of all others; None where there is no other.
    difference : Difference or None
        The whole ensemble against the ensemble of all others.
    """

    template: str
    top1: float
    ensemble_without: float | None
    difference: Difference | None

    @property
    def gain(self) -> float | None:
        """What the ensemble would lose without the template; None where there is no other."""
        return self.difference and self.difference.top1


@dataclass(frozen=True)
class NameRow:
    """The effect of another name for a class.

    Attributes
    ----------
    name : str
    accuracy : float or None
        Accuracy on the images of this class, 0 to 1; None without images.
    top1 : float
        Accuracy over all classes.
    difference : Difference
        Over all classes, to the present name.
    """

    name: str
    accuracy: float | None
    top1: float
    difference: Difference


def ablate_templates(predict: Predict, prompts: PromptSet, progress: Progress | None = None) -> tuple[TemplateRow, ...]:
    """Measure every template alone, and the ensemble without it."""
    ensemble, rows = predict(prompts).correct, []
    for i, template in enumerate(prompts.templates):
        others = prompts.templates[:i] + prompts.templates[i + 1 :]
        alone = predict(replace(prompts, templates=(template,))).correct
        without = predict(replace(prompts, templates=others)).correct if others else None
        rows.append(
            TemplateRow(
                template,
                float(alone.mean()),
                None if without is None else float(without.mean()),
                None if without is None else paired_difference(ensemble, without),
            )
        )
        if progress:
            progress("templates", i + 1, len(prompts.templates))
    return tuple(rows)


def compare_names(
    predict: Predict,
    prompts: PromptSet,
    renamed: Sequence[PromptSet],
    position: int,
    members: Sequence[int],
    progress: Progress | None = None,
) -> tuple[NameRow, ...]:
    """Measure other names for one class.

    Parameters
    ----------
    predict : callable
    prompts : PromptSet
        With the present name.
    renamed : sequence of PromptSet
        With each of the other names.
    position : int
        Position of the class in the class list.
    members : sequence of int
        Indices of the class's images.
    progress : callable, optional
    """
    present, rows = predict(prompts).correct, []
    for i, other in enumerate(renamed, 1):
        correct = predict(other).correct
        rows.append(
            NameRow(
                other.classnames[position],
                float(correct[members].mean()) if len(members) else None,
                float(correct.mean()),
                paired_difference(correct, present),
            )
        )
        if progress:
            progress("names", i, len(renamed))
    return tuple(rows)
