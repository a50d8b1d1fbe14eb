"""The prompt set: class names, templates and the underscore switch, checked once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..datasets.base import Dataset
from ..errors import ClassnamesError, InputError, OptionError, quoted
from .prompts import (
    check_classnames,
    check_number_of_prompts,
    check_templates,
    parse_classnames,
    parse_templates,
    same_class,
)
from .templates import README_TEMPLATE

MAX_NAMES = 50  # each name means one evaluation of the whole test set


@dataclass(frozen=True)
class PromptSet:
    """Everything that turns a CLIP into a zero-shot classifier. Its parts are checked when it is made.

    Attributes
    ----------
    classnames : tuple of str
        From 2 to 1000 names; any iterable is accepted.
    templates : tuple of str
        One prompt template with ``{}``, or several for an ensemble; any iterable is accepted. Default: the template
        of openai/CLIP's README.
    replace_underscores : bool
        Whether underscores in class names become spaces in the prompts.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
        When a part is not allowed.
    """

    classnames: tuple[str, ...]
    templates: tuple[str, ...] = (README_TEMPLATE,)
    replace_underscores: bool = False

    def __post_init__(self):
        object.__setattr__(self, "classnames", check_classnames(self.classnames))
        object.__setattr__(self, "templates", check_templates(self.templates))
        check_number_of_prompts(self.classnames, self.templates)
        check_switch("replace_underscores", self.replace_underscores)

    @classmethod
    def for_dataset(
        cls,
        dataset: Dataset,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool = False,
    ) -> PromptSet:
        """Return a prompt set whose class names are the dataset's own unless others are given."""
        return cls(
            dataset.classnames if classnames is None else classnames,
            (README_TEMPLATE,) if templates is None else templates,
            replace_underscores,
        )

    @classmethod
    def parse(cls, templates: str | None, classnames: str | None, replace_underscores: bool = False) -> PromptSet:
        """Return the prompt set of two texts as they are typed; see `parse_templates` and `parse_classnames`."""
        return cls(parse_classnames(classnames or ""), parse_templates(templates or ""), bool(replace_underscores))

    @property
    def prompts(self) -> list[list[str]]:
        """The prompts: a row per class, an entry per template."""
        names = [name.replace("_", " ") for name in self.classnames] if self.replace_underscores else self.classnames
        # str.replace and not str.format: a class name may contain braces.
        return [[template.replace("{}", name) for template in self.templates] for name in names]

    def varied(
        self,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool | None = None,
    ) -> PromptSet:
        """Return the prompt set with the given parts replaced; itself where nothing is given."""
        parts = {"classnames": classnames, "templates": templates, "replace_underscores": replace_underscores}
        given = {name: value for name, value in parts.items() if value is not None}
        return replace(self, **given) if given else self

    def check_distinct(self, tokens: Callable[[str], Hashable]) -> None:
        """Raise a ClassnamesError where a model cannot tell two class names apart.

        A tokenizer makes the same of some different texts, such as "Cat" and "cat", or "&" and "&amp;". Their classes
        would share a probability.

        Parameters
        ----------
        tokens : callable
            Returns what the model's tokenizer makes of a prompt; see `clip_demo.models.encoder.Encoder.tokens`.
        """
        prompts, groups = self.prompts, [range(len(self.classnames))]
        for template in range(len(self.templates)):  # most often the first tells all classes apart
            keys = {i: tokens(prompts[i][template]) for group in groups for i in group}
            groups = [same for group in groups for same in _grouped(group, keys) if len(same) > 1]
        if groups:
            first, second = (self.classnames[i] for i in groups[0][:2])
            raise ClassnamesError(
                f"classnames: {first!r} and {second!r} make the same prompts for this model: its tokenizer does not "
                "tell them apart. Remove one of them.",
                page=f"{quoted(first)} and {quoted(second)} are the same to CLIP. Remove one.",
            )

    def position(self, classname: str) -> int:
        """Return the position of a class name; where it is not there, of one that `same_class` takes for it.

        Raises
        ------
        ClassnamesError
            When the name is not in the class list.
        """
        for is_same in (str.__eq__, same_class):
            for i, each in enumerate(self.classnames):
                if isinstance(classname, str) and is_same(each, classname):
                    return i
        raise ClassnamesError(
            f"classname: {classname!r} is not in the class list; use one of its names.",
            page=f"{quoted(str(classname))} is not on the class list. Choose one of its names.",
        )

    def renamed(self, position: int, names: Iterable[str]) -> list[PromptSet]:
        """Return a prompt set for each of 1 to 50 other names of the class at `position`."""
        names = [names] if isinstance(names, str) else list(names)
        if not 1 <= len(names) <= MAX_NAMES:
            raise OptionError(
                f"names: got {len(names)}; give 1 to {MAX_NAMES} other names for the class.",
                page=f"Type 1 to {MAX_NAMES} other names for the class, one per line.",
            )
        before, after = self.classnames[:position], self.classnames[position + 1 :]
        return [replace(self, classnames=(*before, name, *after)) for name in names]

    def check_covers(self, dataset: Dataset, prefix: str = "") -> None:
        """Raise a ClassnamesError, its message after `prefix`, unless there is one class name for each class."""
        if len(self.classnames) != len(dataset.classnames):
            raise ClassnamesError(
                f"{prefix}classnames: got {len(self.classnames)}; the test set of {dataset.title} needs one "
                f"for each of its {len(dataset.classnames)} classes, in its order.",
                page=f"The list has {len(self.classnames):,} class names, but {dataset.title} has "
                f"{len(dataset.classnames):,} classes. Type one name for each class, in the dataset’s order.",
            )


def _grouped(positions: Sequence[int], keys: dict[int, Hashable]) -> list[list[int]]:
    """Return the positions with equal keys together."""
    groups: dict[Hashable, list[int]] = {}
    for i in positions:
        groups.setdefault(keys[i], []).append(i)
    return list(groups.values())


def baseline_of(
    prompts: PromptSet,
    classnames: Iterable[str] | None = None,
    templates: Iterable[str] | None = None,
    replace_underscores: bool | None = None,
) -> PromptSet | None:
    """Return the prompt set to compare `prompts` with: the same but for the given parts; None where none is given.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
        When a part is not allowed; the message says that it belongs to the baseline.
    """
    try:
        baseline = prompts.varied(classnames, templates, replace_underscores)
    except InputError as error:
        raise type(error)(f"baseline, {error}", page=error.page_message) from error
    return None if baseline is prompts else baseline


def check_switch(name: str, value: bool) -> bool:
    """Return an argument that is true or false, or raise an OptionError."""
    if not isinstance(value, bool):
        raise OptionError(f"{name}: {value!r} is not allowed; use true or false.")
    return value


def check_prompts(
    prompts: PromptSet | None, dataset: Dataset, argument: str = "prompts", whole: bool = False
) -> PromptSet:
    """Return an argument that is a prompt set, by default the dataset's own; `whole` requires a name for each class.

    Raises
    ------
    ClassnamesError, OptionError
    """
    if prompts is None:
        return PromptSet.for_dataset(dataset)
    if not isinstance(prompts, PromptSet):
        raise OptionError(f"{argument}: got {prompts!r}; give a clip_demo.PromptSet.")
    if whole:
        prompts.check_covers(dataset, "baseline, " if argument == "baseline" else "")
    return prompts
