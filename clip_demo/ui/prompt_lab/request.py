"""What every part of the lab asks of the backend: a wording, held against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...backend import Backend
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import parse_classnames, parse_templates
from ...zero_shot.templates import README_TEMPLATE

__all__ = ["arguments", "described", "first_baseline", "without_baseline", "wording_of"]


def first_baseline(backend: Backend, dataset: str) -> PromptSet:
    """Return the baseline until another is pinned: the article's template with the dataset's own names."""
    return PromptSet(tuple(backend.datasets[dataset].classnames), (README_TEMPLATE,), False)


def wording_of(templates: str | None, classes: str | None, replace_underscores: bool) -> PromptSet:
    """Return the wording that stands in the fields; whether it can be used is the backend's to say."""
    return PromptSet(parse_classnames(classes or ""), parse_templates(templates or ""), bool(replace_underscores))


def arguments(
    backend: Backend,
    dataset: str,
    model: str,
    templates: str | None,
    classes: str | None,
    replace_underscores: bool,
    pinned: Mapping[str, PromptSet],
) -> dict[str, Any]:
    """Return the keyword arguments of `Backend.examine` for the fields as they stand.

    `pinned` holds the visitor's baselines by dataset.
    """
    wording = wording_of(templates, classes, replace_underscores)
    return {
        "dataset": dataset,
        "model": model,
        "classnames": wording.classnames,
        "templates": wording.templates,
        "replace_underscores": wording.replace_underscores,
        "baseline": pinned.get(dataset, first_baseline(backend, dataset)),
    }


def without_baseline(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for what compares with the present wording itself."""
    return {key: value for key, value in given.items() if key != "baseline"}


def described(backend: Backend, dataset: str, wording: PromptSet) -> str:
    """Return a wording in a few words."""
    n = len(wording.templates)
    templates = f"“{wording.templates[0]}”" if n == 1 else f"{n} templates, the first “{wording.templates[0]}”"
    own = wording.classnames == tuple(backend.datasets[dataset].classnames)
    names = "the dataset’s own names" if own else "names that were typed"
    return f"{templates}, {names}{', underscores as spaces' if wording.replace_underscores else ''}"
