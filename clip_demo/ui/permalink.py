"""The state of the Explore tab as URL parameters, so that a link shows the same page again."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from ..backend import Backend
from ..datasets.catalog import CIFAR100
from ..zero_shot.prompts import parse_classnames
from ..zero_shot.templates import README_TEMPLATE

# The snake that openai/CLIP's README predicts in its section "Zero-Shot Prediction".
_FIRST_INDEX = {CIFAR100: 3637}
_SWITCH = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False, "": False}


@dataclass(frozen=True)
class View:
    """What a visitor has chosen and typed on the Explore tab.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    index : float or None
        Value of the number field; None if it is empty.
    templates, classes : str
        Text as typed, not parsed.
    replace_underscores : bool
        Whether underscores of class names become spaces in the prompts.
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
    """Return the class names of a dataset as text for the class list."""
    return "\n".join(backend.datasets[dataset].classnames)


def start(backend: Backend, dataset: str | None = None) -> View:
    """Return the view of a first visit, on the default dataset or a given one."""
    dataset = dataset or backend.default_dataset
    index = _FIRST_INDEX.get(dataset, 0)
    return View(dataset, index, README_TEMPLATE, own_classes(backend, dataset), False, backend.default_model)


def to_query(backend: Backend, view: View) -> str:
    """Return the query string of a view. Templates, classes and the switch are left out where they are the defaults."""
    parameters: dict[str, str] = {"dataset": view.dataset}
    if view.index is not None:
        parameters["index"] = f"{view.index:g}" if view.index != int(view.index) else str(int(view.index))
    if view.templates != README_TEMPLATE:
        parameters["template"] = view.templates
    if parse_classnames(view.classes) != tuple(backend.datasets[view.dataset].classnames):
        parameters["classes"] = view.classes
    if view.replace_underscores:
        parameters["replace_underscores"] = "1"
    if len(backend.models) > 1:
        parameters["model"] = view.model
    return urlencode(parameters)


def from_query(backend: Backend, query: str) -> tuple[View, str]:
    """Return the view of a query string, and a message about parameters that cannot be used.

    A value that a field can hold is kept even if it is not allowed, so that the page shows its usual error message.
    Any other value is replaced by that of a first visit and named in the returned message.
    """
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    problems: list[str] = []
    for name, allowed in (("dataset", backend.datasets), ("model", backend.models)):
        if given.get(name) not in (None, *allowed):
            choices = ", ".join(map(repr, allowed))
            problems.append(f"{name}: {given.pop(name)!r} in the address is unknown; use one of {choices}.")
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
        if abs(number) < 1e15:  # False for NaN
            return int(number) if number == int(number) else number
    except ValueError:
        pass
    problems.append(f"index: {given['index']!r} in the address is not a number; {default} is used.")
    return default


def _switch(given: Mapping[str, str], problems: list[str]) -> bool:
    value = given.get("replace_underscores", "")
    if value.lower() not in _SWITCH:
        problems.append(f"replace_underscores: {value!r} in the address is neither 1 nor 0; 0 is used.")
    return _SWITCH.get(value.lower(), False)
