"""What a visitor types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..datasets.base import Dataset
from ..errors import ClassnamesError, InputError, OptionError
from .prompts import check_classnames, check_number_of_prompts, check_templates, same_class
from .templates import README_TEMPLATE

__all__ = ["MAX_NAMES", "Wording", "check_baseline", "check_whole_set", "check_wording"]

MAX_NAMES = 50  # each is a whole evaluation


@dataclass(frozen=True)
class PromptSet:
    """Everything that makes a zero-shot classifier out of a model; the backend checks it.

    Attributes
    ----------
    classnames : tuple of str
        Over a whole test set one for each class of the dataset, in its order.
    templates : tuple of str
        One prompt template, or several for an ensemble.
    spaces : bool
        Whether underscores of class names become spaces in the prompts.
    """

    classnames: tuple[str, ...]
    templates: tuple[str, ...]
    replace_underscores: bool = False

    def varied(
        self,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        replace_underscores: bool | None = None,
    ) -> PromptSet | None:
        """Return the same wording but for what is given, not checked yet; None where nothing is given."""
        given = {"classnames": classnames, "templates": templates, "replace_underscores": replace_underscores}
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, **given) if given else None

    def position(self, classname: str) -> int:
        """Return where a class stands, or raise a ClassnamesError; case, spaces and underscores do not count."""
        for i, each in enumerate(self.classnames):
            if isinstance(classname, str) and same_class(each, classname):
                return i
        raise ClassnamesError(f"classname: {classname!r} is not in the class list; use one of its names.")

    def renamed(self, position: int, names: Iterable[str]) -> list[PromptSet]:
        """Return the wording with each of some other names for one class, or say what is wrong with them."""
        names = [names] if isinstance(names, str) else list(names)
        if not 1 <= len(names) <= MAX_NAMES:
            raise OptionError(f"names: {len(names)} came; give 1 to {MAX_NAMES} other names for the class.")
        before, after = self.classnames[:position], self.classnames[position + 1 :]
        return [replace(self, classnames=check_classnames((*before, name, *after))) for name in names]


def check_wording(
    dataset: Dataset, classnames: Iterable[str] | None, templates: Iterable[str] | None, replace_underscores: bool
) -> PromptSet:
    """Return the wording that is meant, or say what is wrong with it.

    Without class names the dataset's own, without templates the article's.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
    """
    classnames = tuple(dataset.classnames) if classnames is None else check_classnames(classnames)
    templates = check_templates([README_TEMPLATE] if templates is None else templates)
    check_number_of_prompts(classnames, templates)
    if not isinstance(replace_underscores, bool):
        raise OptionError(f"spaces: {replace_underscores!r} is not allowed; use true or false.")
    return PromptSet(classnames, templates, replace_underscores)


def check_whole_set(
    dataset: Dataset, classnames: Iterable[str] | None, templates: Iterable[str] | None, replace_underscores: bool
) -> PromptSet:
    """Return the wording as `check_wording` does, where it has a name for each class of the dataset.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
    """
    wording = check_wording(dataset, classnames, templates, replace_underscores)
    if len(wording.classnames) != len(dataset.classnames):
        raise ClassnamesError(
            f"classnames: {len(wording.classnames)} came; the test set of {dataset.title} needs one for each of its "
            f"{len(dataset.classnames)} classes, in its order."
        )
    return wording


def check_baseline(dataset: Dataset, baseline: PromptSet | None) -> PromptSet | None:
    """Return the baseline as `check_whole_set` does; what is wrong with it is said to be the baseline's."""
    if baseline is None:
        return None
    if not isinstance(baseline, PromptSet):
        raise OptionError(f"baseline: {baseline!r} came; give a clip_demo.lab.PromptSet.")
    try:
        return check_whole_set(dataset, baseline.classnames, baseline.templates, baseline.replace_underscores)
    except InputError as error:
        raise type(error)(f"baseline, {error}") from error
