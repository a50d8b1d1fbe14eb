"""What each template, and each name of a class, is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ClassnamesError
from ..evaluation import Difference
from ..zero_shot import ensemble
from .examination import Examination, examine
from .wording import Wording

__all__ = ["MAX_OTHERS", "NameRow", "TemplateRow", "compare_names", "compare_templates", "renamed"]

MAX_OTHERS = 50
Progress = Callable[[str, int, int], None] | None


@dataclass(frozen=True)
class TemplateRow:
    """What a template is worth.

    Attributes
    ----------
    template : str
    top1 : float
        Accuracy with this template alone, 0 to 1.
    ensemble_without : float or None
        Accuracy with all the others; None where there are none.
    gain : float or None
        Accuracy with all less `ensemble_without`: what the ensemble owes to this one.
    """

    template: str
    top1: float
    ensemble_without: float | None
    gain: float | None


@dataclass(frozen=True)
class NameRow:
    """What a name of a class is worth.

    Attributes
    ----------
    name : str
    accuracy : float
        Share of the class's pictures that are right, 0 to 1.
    top1 : float
        Accuracy over all classes.
    difference : Difference or None
        Against the present name, over all pictures; None for the present name itself.
    """

    name: str
    accuracy: float
    top1: float
    difference: Difference | None


def compare_templates(whole: Examination, prompts: np.ndarray, progress: Progress = None) -> tuple[TemplateRow, ...]:
    """Measure every template alone, and the ensemble without it.

    Parameters
    ----------
    whole : Examination
        Of all templates together.
    prompts : numpy.ndarray, shape (n_classes, n_templates, d)
        See `clip_demo.zero_shot.prompt_features`.
    progress : callable, optional
        Called after each template.
    """

    def top1(kept: Sequence[int]) -> float:
        weights = ensemble(prompts[:, kept])
        return examine(whole.bed, whole.wording, weights, whole.logit_scale).evaluation.top1

    rows, templates = [], whole.wording.templates
    for i, template in enumerate(templates):
        others = [j for j in range(len(templates)) if j != i]
        without = top1(others) if others else None
        gain = None if without is None else whole.evaluation.top1 - without
        rows.append(TemplateRow(template, top1([i]), without, gain))
        if progress:
            progress("templates", i + 1, len(templates))
    return tuple(rows)


def renamed(wording: Wording, classname: str, others: Sequence[str]) -> Iterator[Wording]:
    """Yield the wording with each of the other names for one of its classes.

    Raises
    ------
    ClassnamesError
        When `classname` is none of the wording's, or the other names are a bare string, none or too many.
    """
    if classname not in wording.classnames:
        raise ClassnamesError(f"classname: {classname!r} is none of the class names; use one as it stands in the list.")
    if isinstance(others, str) or not 1 <= len(others) <= MAX_OTHERS:
        came = "a bare string" if isinstance(others, str) else len(others) or "none"
        raise ClassnamesError(f"others: {came} came; give a list of 1 to {MAX_OTHERS} other names for {classname!r}.")
    i = wording.classnames.index(classname)
    for other in others:
        yield replace(wording, classnames=(*wording.classnames[:i], other, *wording.classnames[i + 1 :]))


def compare_names(
    present: Examination, others: Sequence[tuple[Wording, np.ndarray]], classname: str, progress: Progress = None
) -> tuple[NameRow, ...]:
    """Measure every other name of a class; the first row is the present one.

    Parameters
    ----------
    present : Examination
    others : sequence of (Wording, numpy.ndarray)
        See `renamed`, and what each comes to.
    classname : str
        The present name.
    progress : callable, optional
        Called after each name.
    """
    i = present.wording.classnames.index(classname)
    rows = [NameRow(classname, present.evaluation.per_class[i], present.evaluation.top1, None)]
    for done, (wording, weights) in enumerate(others, 1):
        got = examine(present.bed, wording, weights, present.logit_scale).against(present).evaluation
        rows.append(NameRow(wording.classnames[i], got.per_class[i], got.top1, got.difference))
        if progress:
            progress("names", done, len(others))
    return tuple(rows)
