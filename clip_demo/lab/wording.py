"""What a visitor varies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import ClassnamesError, OptionError
from ..images import ImageSet
from ..metadata import ARTICLE_TEMPLATE
from ..prompts import check_classnames, check_number_of_prompts, check_templates

__all__ = ["Wording", "check_whole_set", "check_wording"]


@dataclass(frozen=True)
class Wording:
    """How classes are put into words.

    Attributes
    ----------
    classnames : tuple of str
        The class names; over a whole test set one for each class of the image set, in its order.
    templates : tuple of str
        One prompt template with ``{}``, or several for an ensemble.
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
        """Return the same wording but for what is given; None where nothing is given. Not checked yet."""
        given = {"classnames": classnames, "templates": templates, "spaces": spaces}
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, **given) if given else None


def check_wording(
    image_set: ImageSet, classnames: Iterable[str] | None, templates: Iterable[str] | None, spaces: bool
) -> Wording:
    """Return the wording that is meant, or say what is wrong with it.

    Without class names the image set's own, without templates the article's.

    Raises
    ------
    ClassnamesError, TemplateError, OptionError
    """
    if not isinstance(spaces, bool):
        raise OptionError(f"spaces: {spaces!r} is not allowed; use true or false.")
    classnames = image_set.classnames if classnames is None else check_classnames(classnames)
    templates = check_templates([ARTICLE_TEMPLATE] if templates is None else templates)
    check_number_of_prompts(classnames, templates)
    return Wording(tuple(classnames), templates, spaces)


def check_whole_set(image_set: ImageSet, wording: Wording) -> Wording:
    """Return a checked wording that has a name for each class of the image set.

    Raises
    ------
    ClassnamesError
        When there are more names or fewer.
    """
    checked = check_wording(image_set, wording.classnames, wording.templates, wording.spaces)
    if len(checked.classnames) != len(image_set.classnames):
        raise ClassnamesError(
            f"classnames: {len(checked.classnames)} came; the test set of {image_set.title} needs one for each of its "
            f"{len(image_set.classnames)} classes, in its order."
        )
    return checked
