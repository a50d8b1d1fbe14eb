"""Many wordings after one another: templates one by one, names one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..models.encoder import Report
from ..zero_shot.prompt_set import PromptSet
from .predictions import Answers
from .significance import Difference, paired_difference

__all__ = ["NameRow", "TemplateRow", "try_each_name", "try_each_template"]

# Answers a wording.
Ask = Callable[[PromptSet], Answers]


@dataclass(frozen=True)
class TemplateRow:
    """What one template does.

    Attributes
    ----------
    template : str
    top1 : float
        Accuracy of the template alone, 0 to 1.
    ensemble_without : float or None
        Accuracy of all the others together; None where there is no other.
    difference : Difference or None
        Of all together against all the others.
    """

    template: str
    top1: float
    ensemble_without: float | None
    difference: Difference | None

    @property
    def gain(self) -> float | None:
        """What the ensemble would lose without it; None where it is the only one."""
        return self.difference and self.difference.top1


@dataclass(frozen=True)
class NameRow:
    """What another name for a class does.

    Attributes
    ----------
    name : str
    accuracy : float
        Share of the class's images that are right, 0 to 1.
    top1 : float
        Accuracy over all classes.
    difference : Difference
        Over all classes, against the name that stands there.
    """

    name: str
    accuracy: float
    top1: float
    difference: Difference


def try_each_template(ask: Ask, wording: PromptSet, progress: Report | None = None) -> tuple[TemplateRow, ...]:
    """Measure every template alone, and the ensemble without it."""
    together, rows = ask(wording).hits, []
    for i, template in enumerate(wording.templates):
        others = wording.templates[:i] + wording.templates[i + 1 :]
        alone = ask(replace(wording, templates=(template,))).hits
        without = ask(replace(wording, templates=others)).hits if others else None
        rows.append(
            TemplateRow(
                template,
                float(alone.mean()),
                None if without is None else float(without.mean()),
                None if without is None else paired_difference(together, without),
            )
        )
        if progress:
            progress("templates", i + 1, len(wording.templates))
    return tuple(rows)


def try_each_name(
    ask: Ask, wordings: Sequence[PromptSet], position: int, members: Sequence[int], progress: Report | None = None
) -> tuple[NameRow, ...]:
    """Measure wordings that differ in the name of one class.

    Parameters
    ----------
    ask : callable
    wordings : sequence of PromptSet
        The present one first; there is a row for each of the others.
    position : int
        The class's place in the class list.
    members : sequence of int
        Indices of the class's images.
    progress : callable, optional
    """
    present, rows = ask(wordings[0]).hits, []
    for i, wording in enumerate(wordings[1:], 1):
        hits = ask(wording).hits
        rows.append(
            NameRow(
                wording.classnames[position],
                float(hits[members].mean()),
                float(hits.mean()),
                paired_difference(hits, present),
            )
        )
        if progress:
            progress("names", i, len(wordings) - 1)
    return tuple(rows)
