"""The state of the Explore tab as URL parameters, so that a link shows the same page again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from ..backend import Backend
from ..datasets.catalog import CIFAR100
from ..datasets.example_photos import example_photos
from ..models.catalog import BUILT_IN
from ..zero_shot.prompts import join_classnames, parse_classnames
from ..zero_shot.templates import README_TEMPLATE
from .permissions import models_to_choose

# The three kinds of images, values of `View.source`.
EXAMPLE, TEST_IMAGE, OWN = SOURCES = ("example", "set", "own")
# The snake that openai/CLIP's README predicts in its section "Zero-Shot Prediction".
README_INDEX = 3637
# The sharpness is the power of two that multiplies the model's logit scale.
MIN_SHARPNESS, MAX_SHARPNESS = -5, 2
# In characters. Servers and messengers cut longer addresses.
MAX_ADDRESS = 6_000
_SWITCH = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False, "": False}
_SWITCHES = {
    "replace_underscores": "whether underscores become spaces; they stay",
    "none_of_these": "whether “None of these” is on; it is off",
}


@dataclass(frozen=True)
class View:
    """What a visitor has chosen and typed on the Explore tab.

    Attributes
    ----------
    source : str
        One of `SOURCES`.
    example : str
        Name of the example photo.
    dataset : str
        Name of the dataset: of the test image, and of the probe's head.
    index : float or None
        Value of the number field; None if it is empty.
    templates, classes : str
        Text as typed, not parsed.
    replace_underscores : bool
        Whether underscores of class names become spaces in the prompts.
    sharpness : float
        From `MIN_SHARPNESS` to `MAX_SHARPNESS`; 0 for the model's own.
    model : str
        Name of the model.
    none_of_these : bool
        Whether it is also asked if the image shows none of the classes.
    """

    source: str
    example: str
    dataset: str
    index: float | None
    templates: str
    classes: str
    replace_underscores: bool
    sharpness: float
    model: str
    none_of_these: bool = False


@dataclass(frozen=True)
class Link:
    """The address of a view.

    Attributes
    ----------
    query : str
        The query string.
    note : str
        What the address leaves out; "" if it is complete.
    """

    query: str
    note: str


def own_classes(backend: Backend, dataset: str) -> str:
    """Return the class names of a dataset as text for the class list."""
    return join_classnames(backend.datasets[dataset].classnames)


def default_classes(backend: Backend, source: str, example: str, dataset: str) -> str:
    """Return the class list that comes with an image: an example photo's own list, or that of the dataset."""
    if source == EXAMPLE and example in example_photos():
        return join_classnames(example_photos()[example].classnames)
    return own_classes(backend, dataset)


def is_default_list(backend: Backend, classes: str) -> bool:
    """Whether a class list is empty or one that came with an image. An edited list is kept when the image changes."""
    names = parse_classnames(classes)
    lists = [each.classnames for each in (*backend.datasets.values(), *example_photos().values())]
    return not names or any(names == tuple(each) for each in lists)


def start(backend: Backend, dataset: str | None = None, model: str | None = None) -> View:
    """Return the view of a first visit.

    It is an example photo for the built-in model and while the dataset is being downloaded, unless the host or
    `dataset` asks for a dataset, and otherwise the first image of the dataset.
    """
    asked, model = dataset or backend.requested_dataset, model or backend.default_model
    names = list(example_photos())
    if asked is None and names and (model == BUILT_IN or backend.preparation.is_receiving):
        source, dataset = EXAMPLE, CIFAR100 if CIFAR100 in backend.datasets else backend.default_dataset
    else:
        source, dataset = TEST_IMAGE, asked or backend.default_dataset
    example = names[0] if names else ""
    classes = default_classes(backend, source, example, dataset)
    index = first_index(backend, dataset, model)
    return View(source, example, dataset, index, README_TEMPLATE, classes, False, 0, model)


def first_index(backend: Backend, dataset: str, model: str) -> int:
    """Return the index of the image that a dataset opens on."""
    found = backend.first_image(dataset, model)
    if found is not None:
        return found.index
    return README_INDEX if dataset == CIFAR100 else 0


def to_link(backend: Backend, view: View) -> Link:
    """Return the address of a view. What is as on a first visit is left out, and so is a photo of one's own."""
    parameters: dict[str, str] = {"dataset": view.dataset}
    if view.source == TEST_IMAGE:
        if view.index is not None:
            parameters["index"] = repr(view.index) if view.index != int(view.index) else str(int(view.index))
    else:
        parameters["photo"] = view.example if view.source == EXAMPLE else OWN
    if view.templates != README_TEMPLATE:
        parameters["template"] = view.templates
    default = default_classes(backend, view.source, view.example, view.dataset)
    if parse_classnames(view.classes) != parse_classnames(default):
        parameters["classes"] = view.classes
    if view.replace_underscores:
        parameters["replace_underscores"] = "1"
    if view.sharpness:
        parameters["sharpness"] = f"{view.sharpness:g}"
    if view.none_of_these:
        parameters["none_of_these"] = "1"
    if len(backend.models) > 1:
        parameters["model"] = view.model
    notes = ["Your photo is not in it: it stays with you."] if view.source == OWN else []
    while len(urlencode(parameters)) > MAX_ADDRESS:
        longest = max(("classes", "template"), key=lambda name: len(quote(parameters.get(name, ""))))
        del parameters[longest]
        what = "class list is" if longest == "classes" else "prompts are"
        notes.append(f"Your {what} too long for an address and left out.")
    return Link(urlencode(parameters), " ".join(notes))


def from_query(backend: Backend, query: str) -> tuple[View, str]:
    """Return the view of a query string, and a message about parameters that cannot be used.

    A value that a field can hold is kept even if it is not allowed, so that the page shows its usual error message.
    Any other value is replaced by that of a first visit and named in the returned message.
    """
    given = dict(parse_qsl(query.lstrip("?"), keep_blank_values=True))
    problems: list[str] = []
    photos = (*example_photos(), OWN)
    for name, allowed in (("dataset", backend.datasets), ("model", models_to_choose(backend)), ("photo", photos)):
        if given.get(name) not in (None, *allowed):
            problems.append(f"The link names a {name} that is not here: {given.pop(name)[:60]}.")
    # A link with an index shows that image of the default dataset.
    dataset = given.get("dataset") or (backend.default_dataset if "index" in given else None)
    first = start(backend, dataset, given.get("model"))
    source, example = first.source, first.example
    if "photo" in given:
        source, example = (OWN, example) if given["photo"] == OWN else (EXAMPLE, given["photo"])
    view = View(
        source=source,
        example=example,
        dataset=first.dataset,
        index=_number(given, first.index, problems),
        templates=given.get("template", first.templates),
        classes=given.get("classes", default_classes(backend, source, example, first.dataset)),
        replace_underscores=_switch(given, "replace_underscores", problems),
        sharpness=_sharpness(given, problems),
        model=first.model,
        none_of_these=_switch(given, "none_of_these", problems),
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
    problems.append(f"The image number in the link is not a number: {given['index'][:60]}.")
    return default


def _sharpness(given: Mapping[str, str], problems: list[str]) -> float:
    try:
        sharpness = float(given.get("sharpness", 0))
    except ValueError:
        sharpness = math.nan
    if sharpness_is_allowed(sharpness):
        return sharpness
    problems.append(f"The link has a sharpness that cannot be set: {given['sharpness'][:60]}.")
    return 0


def sharpness_is_allowed(value: object) -> bool:
    """Whether a value is a sharpness that the slider can be set to."""
    return isinstance(value, (int, float)) and MIN_SHARPNESS <= value <= MAX_SHARPNESS


def _switch(given: Mapping[str, str], name: str, problems: list[str]) -> bool:
    value = given.get(name, "")
    if value.lower() not in _SWITCH:
        problems.append(f"The link does not say clearly {_SWITCHES[name]}.")
    return _SWITCH.get(value.lower(), False)
