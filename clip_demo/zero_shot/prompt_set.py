"""What a visitor types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import ClassnamesError, InputError, OptionError
from ..datasets.base import ImageSet
from .templates import ARTICLE_TEMPLATE
from .prompts import check_classnames, check_number_of_prompts, check_templates, same_class

__all__ = ["MAX_NAMES", "Wording", "check_baseline", "check_whole_set", "check_wording"]

MAX_NAMES = 50  # each is a whole evaluation


@dataclass(frozen=True)
class Wording:
    """Everything that makes a zero-shot classifier out of a model; the backend checks it.

    Attributes
    ----------
    classnames : tuple of str
        Over a whole test set one for each class of the image set, in its order.
    templates : tuple of str
        One prompt template, or several for an ensemble.
    spaces : bool
        Whether underscores of class names become spaces in the prompts.
    """

    classnames: tuple[str, ...]
    templates: tuple[str, ...]
    spaces: bool = False

    def varied(
        self,
        classnames: Iterable[str] | None = None,
        templates: Iterable[str] | None = None,
        spaces: bool | None = None,
    ) -> Wording | None:
        """Return the same wording but for what is given, not checked yet; None where nothing is given."""
        given = {"classnames": classnames, "templates": templates, "spaces": spaces}
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, **given) if given else None

    def position(self, classname: str) -> int:
        """Return where a class stands, or raise a ClassnamesError; case, spaces and underscores do not count."""
        for i, each in enumerate(self.classnames):
            if isinstance(classname, str) and same_class(each, classname):
                return i
        raise ClassnamesError(f"classname: {classname!r} is not in the class list; use one of its names.")

    def renamed(self, position: int, names: Iterable[str]) -> list[Wording]:
        """Return the wording with each of some other names for one class, or say what is wrong with them."""
        names = [names] if isinstance(names, str) else list(names)
        if not 1 <= len(names) <= MAX_NAMES:
            raise OptionError(f"names: {len(names)} came; give 1 to {MAX_NAMES} other names for the class.")
        before, after = self.classnames[:position], self.classnames[position + 1 :]
        return [replace(self, classnames=check_classnames((*before, name, *after))) for name in names]


def check_wording(
    image_set: ImageSet, classnames: Iterable[str] | None, templates: Iterable[str] | None, spaces: bool
) -> Wording:
    """Return the wording that is meant, or say what is wrong with it.

    Without class names the image set's own, without templates the article's.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
    """
    classnames = tuple(image_set.classnames) if classnames is None else check_classnames(classnames)
    templates = check_templates([ARTICLE_TEMPLATE] if templates is None else templates)
    check_number_of_prompts(classnames, templates)
    if not isinstance(spaces, bool):
        raise OptionError(f"spaces: {spaces!r} is not allowed; use true or false.")
    return Wording(classnames, templates, spaces)


def check_whole_set(
    image_set: ImageSet, classnames: Iterable[str] | None, templates: Iterable[str] | None, spaces: bool
) -> Wording:
    """Return the wording as `check_wording` does, where it has a name for each class of the image set.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
    """
    wording = check_wording(image_set, classnames, templates, spaces)
    if len(wording.classnames) != len(image_set.classnames):
        raise ClassnamesError(
            f"classnames: {len(wording.classnames)} came; the test set of {image_set.title} needs one for each of its "
            f"{len(image_set.classnames)} classes, in its order."
        )
    return wording


def check_baseline(image_set: ImageSet, baseline: Wording | None) -> Wording | None:
    """Return the baseline as `check_whole_set` does; what is wrong with it is said to be the baseline's."""
    if baseline is None:
        return None
    if not isinstance(baseline, Wording):
        raise OptionError(f"baseline: {baseline!r} came; give a clip_demo.lab.Wording.")
    try:
        return check_whole_set(image_set, baseline.classnames, baseline.templates, baseline.spaces)
    except InputError as error:
        raise type(error)(f"baseline, {error}") from error
