"""The address bar: what one sees, as query parameters, so that a link shows it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from ..backend import Backend
from ..zero_shot.prompts import parse_classnames
from ..zero_shot.templates import README_TEMPLATE

__all__ = ["FIRST_INDEX", "View", "from_query", "own_classes", "start", "to_query"]

# The coiled snake of the article, and a shape that is easy to see.
FIRST_INDEX = {"cifar100": 3637}
_SWITCH = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False, "": False}


@dataclass(frozen=True)
class View:
    """What a visitor has chosen and typed; the fields of the main tab.

    Attributes
    ----------
    images : str
        Name of the dataset.
    index : float or None
        What stands in the number field; None where it is empty.
    templates, classes : str
        As typed.
    spaces : bool
        Whether underscores become spaces in prompts.
    model : str
        Name of the model.
    """

    dataset: str
    index: float | None
    templates: str
    classes: str
    replace_underscores: bool
    model: str


def own_classes(backend: Backend, dataset: str) -> str:
    """Return an dataset's own class list as one would type it."""
    return "\n".join(backend.datasets[dataset].classnames)


def start(backend: Backend, dataset: str | None = None) -> View:
    """Return what a visitor sees first, on the default dataset or a given one."""
    dataset = dataset or backend.default_dataset
    index = FIRST_INDEX.get(dataset, 0)
    return View(dataset, index, README_TEMPLATE, own_classes(backend, dataset), False, backend.default_model)


def to_query(backend: Backend, view: View) -> str:
    """Return the query string of a view; what a first visit shows anyway is left out, to keep links short."""
    parts: dict[str, str] = {"dataset": view.dataset}
    if view.index is not None:
        parts["index"] = f"{view.index:g}" if view.index != int(view.index) else str(int(view.index))
    if view.templates != README_TEMPLATE:
        parts["template"] = view.templates
    if parse_classnames(view.classes) != tuple(backend.datasets[view.dataset].classnames):
        parts["classes"] = view.classes
    if view.replace_underscores:
        parts["replace_underscores"] = "1"
    if len(backend.models) > 1:
        parts["model"] = view.model
    return urlencode(parts)


def from_query(backend: Backend, query: str) -> tuple[View, str]:
    """Return the view of a query string, and a message about what in it cannot be used.

    What can be shown as it came is shown, so that the page itself says what is wrong with it; what no field can
    hold is replaced by the first visit's and named in the message.
    """
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    problems = []
    if given.get("dataset", backend.default_dataset) not in backend.datasets:
        allowed = ", ".join(map(repr, backend.datasets))
        problems.append(f"images: {given.pop('images')!r} in the address is unknown; use one of {allowed}.")
    if given.get("model", backend.default_model) not in backend.models:
        allowed = ", ".join(map(repr, backend.models))
        problems.append(f"model: {given.pop('model')!r} in the address is not offered here; use one of {allowed}.")
    first = start(backend, given.get("dataset"))
    view = View(
        dataset=first.dataset,
        index=_number(given, first.index, problems),
        templates=given.get("template", first.templates),
        classes=given.get("classes", first.classes),
        replace_underscores=_switch(given, problems),
        model=given.get("model", first.model),
    )
    return view, " ".join(problems)


def _number(given: Mapping[str, str], default: float, problems: list[str]) -> float:
    if "index" not in given:
        return default
    try:
        number = float(given["index"])
        if number == number and abs(number) < 1e15:
            return int(number) if number == int(number) else number
    except ValueError:
        pass
    problems.append(f"index: {given['index']!r} in the address is not a number; index={default} is shown.")
    return default


def _switch(given: Mapping[str, str], problems: list[str]) -> bool:
    value = given.get("replace_underscores", "")
    if value.lower() not in _SWITCH:
        problems.append(f"spaces: {value!r} in the address is neither 1 nor 0; 0 is used.")
    return _SWITCH.get(value.lower(), False)
