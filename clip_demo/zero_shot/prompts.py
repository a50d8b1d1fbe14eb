"""From templates and class names to prompts, with a message for everything that a user can get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import ClassnamesError, TemplateError

__all__ = [
    "MAX_PROMPTS",
    "check_classnames",
    "check_number_of_prompts",
    "check_templates",
    "classname_text",
    "parse_classnames",
    "parse_templates",
    "prompts_for",
    "read_classnames",
    "same_class",
]

MAX_CLASSNAMES = 1000
MAX_TEMPLATES = 100
# Together: the 18 templates fit for a thousand classes. More would keep the model busy for minutes.
MAX_PROMPTS = 20_000
# A prompt has at most 77 tokens; the tokenizer's time grows with the square of a long word.
MAX_LENGTH = 500


def parse_classnames(text: str) -> tuple[str, ...]:
    r"""Split a class list typed one a line or with commas; empty pieces are dropped.

    An empty piece is what stands after the comma while one is still typing, so it is no error here.

    >>> parse_classnames("cat, dog,\n\nsweet_pepper")
    ('cat', 'dog', 'sweet_pepper')
    """
    return tuple(piece.strip() for piece in re.split(r"[,\n]", text) if piece.strip())


def read_classnames(list_or_file: str) -> tuple[str, ...]:
    """Return the class names of the command line's ``--classes``: a file's when there is one, else the list's.

    Raises
    ------
    ClassnamesError
        When the file is not text, or when what looks like a path is no file.
    """
    path = Path(list_or_file)
    if "," in list_or_file or "\n" in list_or_file:
        return parse_classnames(list_or_file)
    try:
        if path.is_file():
            return parse_classnames(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ClassnamesError(
            f"classes: {list_or_file!r} cannot be read as text ({error}); give a UTF-8 file with one name a line."
        ) from error
    raise ClassnamesError(
        f"classes: {list_or_file!r} is neither a file nor a list of two or more names; "
        "give a file with one name a line, or names with commas such as 'cat,dog'."
    )


def parse_templates(text: str) -> tuple[str, ...]:
    """Split templates typed one a line; blank lines are dropped."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def check_classnames(classnames: Iterable[str]) -> tuple[str, ...]:
    """Return the class names, stripped, or say what is wrong with them.

    Parameters
    ----------
    classnames : iterable of str
        From 2 to 1000 names. Two names that differ only in case, spaces or underscores are the same name: they
        would make the same prompt and share its probability.

    Raises
    ------
    ClassnamesError
        For a bare string, too few or too many names, a blank one, or one that occurs twice.
    """
    if isinstance(classnames, str):
        raise ClassnamesError(
            f"classnames: a bare string came ({_short(classnames)}), which would be read character by character; "
            "give a list such as ['cat', 'dog']."
        )
    if not isinstance(classnames, Iterable):
        raise ClassnamesError(f"classnames: {classnames!r} came; give a list such as ['cat', 'dog'].")
    names = tuple(classnames)
    for position, name in enumerate(names, 1):
        if not isinstance(name, str):
            raise ClassnamesError(f"classnames: number {position} is {name!r}, not text; give a list of strings.")
        if len(name) > MAX_LENGTH:
            raise ClassnamesError(
                f"classnames: number {position} ({_short(name)}) has {len(name)} characters; at most {MAX_LENGTH} are "
                "allowed. Shorten it."
            )
        if not name.replace("_", " ").strip():
            raise ClassnamesError(f"classnames: number {position} is blank; give it a name or take it out.")
    names = tuple(name.strip() for name in names)
    if not 2 <= len(names) <= MAX_CLASSNAMES:
        came = f"only {len(names)}" if len(names) < 2 else f"{len(names)}"
        listed = f" ({names[0]!r})" if len(names) == 1 else ""
        raise ClassnamesError(
            f"classnames: {came} came{listed}; a prediction chooses among 2 to {MAX_CLASSNAMES} classes, "
            "one a line or with commas."
        )
    seen: dict[str, str] = {}
    for name in names:
        first = seen.get(_key(name))
        if first is not None:
            written = f"{name!r} occurs twice" if first == name else f"{first!r} and {name!r} make the same prompt"
            raise ClassnamesError(f"classnames: {written}; take one of them out.")
        seen[_key(name)] = name
    return names


def check_templates(templates: Iterable[str]) -> tuple[str, ...]:
    """Return the templates with ``{}`` as their placeholder, or say what is wrong with them.

    Parameters
    ----------
    templates : iterable of str
        From 1 to 100 templates with exactly one ``{}`` each. ``{c}``, as the article writes it, is taken for
        ``{}``. Several make an ensemble.

    Raises
    ------
    TemplateError
        For a bare string, no template, or one without exactly one ``{}`` or with stray braces.
    """
    if isinstance(templates, str):
        raise TemplateError(
            f"templates: a bare string came ({_short(templates)}); give a list such as ['a photo of a {{}}']."
        )
    if not isinstance(templates, Iterable):
        raise TemplateError(f"templates: {templates!r} came; give a list such as ['a photo of a {{}}'].")
    checked = tuple(_check_template(template) for template in templates)
    if not 1 <= len(checked) <= MAX_TEMPLATES:
        came = len(checked) or "none"
        raise TemplateError(
            f"templates: {came} came; give 1 to {MAX_TEMPLATES}, one a line, such as 'a photo of a {{}}'."
        )
    return checked


def _check_template(template: str) -> str:
    if not isinstance(template, str):
        raise TemplateError(f"templates: {template!r} is not text; give a string such as 'a photo of a {{}}'.")
    if len(template) > MAX_LENGTH:
        raise TemplateError(
            f"templates: {_short(template)} has {len(template)} characters; at most {MAX_LENGTH} are allowed. Shorten it."
        )
    normal = template.strip().replace("{c}", "{}")
    count = normal.count("{}")
    if count != 1:
        came = "has no {}" if not count else f"has {{}} {count} times"
        raise TemplateError(
            f"templates: {_short(template)} {came}; write {{}} exactly once, where the class name goes, "
            "as in 'a photo of a {}'."
        )
    if re.search(r"[{}]", normal.replace("{}", "")):
        raise TemplateError(
            f"templates: {_short(template)} has a stray brace; use braces only for the one {{}} where the class "
            "name goes."
        )
    return normal


def check_number_of_prompts(classnames: Sequence[str], templates: Sequence[str]) -> None:
    """Raise a TemplateError where every class in every template would be too much to encode."""
    if len(classnames) * len(templates) > MAX_PROMPTS:
        raise TemplateError(
            f"templates: {len(templates)} for {len(classnames)} classes make {len(classnames) * len(templates):,} "
            f"prompts; at most {MAX_PROMPTS:,} are allowed. Take fewer templates or fewer classes."
        )


def classname_text(classname: str, replace_underscores: bool) -> str:
    """Return a class name as it stands in a prompt: underscores become spaces where `spaces` is on."""
    return classname.replace("_", " ") if replace_underscores else classname


def prompts_for(
    classnames: Sequence[str], templates: Sequence[str], replace_underscores: bool = False
) -> list[list[str]]:
    """Return the prompts of every class: a row a class, an entry a template."""
    # str.replace, not str.format: a class name may hold anything.
    return [
        [template.replace("{}", classname_text(name, replace_underscores)) for template in templates]
        for name in classnames
    ]


def same_class(a: str | None, b: str | None) -> bool:
    """Whether two spellings mean one class: case, spaces and underscores do not count."""
    return a is not None and b is not None and _key(a) == _key(b)


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
