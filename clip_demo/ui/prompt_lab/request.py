"""What every part of the lab asks of the backend: a wording, held against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...backend import Backend
from ...zero_shot.prompt_set import Wording
from ...zero_shot.templates import ARTICLE_TEMPLATE
from ...zero_shot.prompts import parse_classnames, parse_templates

__all__ = ["arguments", "described", "first_baseline", "without_baseline", "wording_of"]


def first_baseline(backend: Backend, images: str) -> Wording:
    """Return the baseline until another is pinned: the article's template with the set's own names."""
    return Wording(tuple(backend.image_sets[images].classnames), (ARTICLE_TEMPLATE,), False)


def wording_of(templates: str | None, classes: str | None, spaces: bool) -> Wording:
    """Return the wording that stands in the fields; whether it can be used is the backend's to say."""
    return Wording(parse_classnames(classes or ""), parse_templates(templates or ""), bool(spaces))


def arguments(
    backend: Backend,
    images: str,
    model: str,
    templates: str | None,
    classes: str | None,
    spaces: bool,
    pinned: Mapping[str, Wording],
) -> dict[str, Any]:
    """Return the keyword arguments of `Backend.examine` for the fields as they stand.

    `pinned` holds the visitor's baselines by image set.
    """
    wording = wording_of(templates, classes, spaces)
    return {
        "images": images,
        "model": model,
        "classnames": wording.classnames,
        "templates": wording.templates,
        "spaces": wording.spaces,
        "baseline": pinned.get(images, first_baseline(backend, images)),
    }


def without_baseline(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for what compares with the present wording itself."""
    return {key: value for key, value in given.items() if key != "baseline"}


def described(backend: Backend, images: str, wording: Wording) -> str:
    """Return a wording in a few words."""
    n = len(wording.templates)
    templates = f"“{wording.templates[0]}”" if n == 1 else f"{n} templates, the first “{wording.templates[0]}”"
    own = wording.classnames == tuple(backend.image_sets[images].classnames)
    names = "the set’s own names" if own else "names that were typed"
    return f"{templates}, {names}{', underscores as spaces' if wording.spaces else ''}"
