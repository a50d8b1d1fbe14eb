"""From templates and class names to prompts, with a message for everything that a user can get wrong."""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import ClassnamesError, TemplateError, quoted

MAX_CLASSNAMES = 1000
MAX_TEMPLATES = 100
# Templates times classes: enough for the 18 templates and a thousand classes. More would take a model minutes.
MAX_PROMPTS = 20_000
# In characters. A prompt has at most 77 tokens, and the tokenizer's time grows with the square of a word's length.
MAX_LENGTH = 500


def parse_classnames(text: str) -> tuple[str, ...]:
    r"""Split a class list at commas, also Chinese and Japanese ones, and at line breaks, and drop empty pieces.

    An empty piece is not an error, because there is one after each comma while somebody is typing.

    >>> parse_classnames("cat, dog,\n\nsweet_pepper")
    ('cat', 'dog', 'sweet_pepper')
    """
    # Editors on Windows begin a file with a byte order mark, which may be copied with the text.
    return tuple(piece.strip() for piece in re.split(r"[,，、\n]", text.removeprefix("\ufeff")) if piece.strip())


def read_classnames(list_or_file: str) -> tuple[str, ...]:
    """Return the class names given to the command line: those of a file where there is one, or else of the list.

    Raises
    ------
    ClassnamesError
        When the file is not text, or when a single name is not a file.
    """
    path = Path(list_or_file)
    try:
        if path.is_file():  # whose path may contain a comma
            return parse_classnames(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # a long list is no path either; nor is one with a null character
        if path.name and os.path.lexists(path):
            raise ClassnamesError(
                f"classes: {list_or_file!r} cannot be read as text ({error}); give a UTF-8 file with one name per line."
            ) from error
    names = parse_classnames(list_or_file)
    if len(names) > 1 or list_or_file.rstrip().endswith(","):
        return names
    raise ClassnamesError(
        f"classes: {list_or_file!r} is neither a file nor a list of two or more names; "
        "give a file with one name per line, or names separated by commas such as 'cat,dog'."
    )


def parse_templates(text: str) -> tuple[str, ...]:
    """Split templates at line breaks, and drop blank lines."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def check_classnames(classnames: Iterable[str]) -> tuple[str, ...]:
    """Return the class names, stripped.

    Parameters
    ----------
    classnames : iterable of str
        From 2 to 1000 names. Different ones may still be the same to a model; see `PromptSet.check_distinct`.

    Raises
    ------
    ClassnamesError
        For a bare string, too few or too many names, a blank name, or a duplicate.
    """
    if isinstance(classnames, str):
        raise ClassnamesError(
            f"classnames: got a bare string ({_short(classnames)}), which would be read character by character; "
            "give a list such as ['cat', 'dog']."
        )
    if not isinstance(classnames, Iterable) or isinstance(classnames, Mapping):
        raise ClassnamesError(f"classnames: got {classnames!r}; give a list such as ['cat', 'dog'].")
    names = tuple(classnames)
    for position, name in enumerate(names, 1):
        _check_name(name, position)
    names = tuple(name.strip() for name in names)
    if not 2 <= len(names) <= MAX_CLASSNAMES:
        listed = f" ({names[0]!r})" if len(names) == 1 else ""
        raise ClassnamesError(
            f"classnames: got {len(names)}{listed}; a prediction needs 2 to {MAX_CLASSNAMES} classes, one per line or "
            "separated by commas.",
            page=f"The list has {len(names):,} class names. Use at most {MAX_CLASSNAMES:,}."
            if len(names) > 1
            else f"{quoted(names[0])} is the only class name. Type at least two, one per line."
            if names
            else "Type at least two class names, one per line.",
        )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ClassnamesError(
                f"classnames: {name!r} occurs twice; remove one of them.",
                page=f"{quoted(name)} is on the list twice. Remove one.",
            )
        seen.add(name)
    return names


def _check_name(name: str, position: int) -> None:
    if not isinstance(name, str):
        raise ClassnamesError(f"classnames: number {position} is {name!r}, not text; give a list of strings.")
    if len(name) > MAX_LENGTH:
        raise ClassnamesError(
            f"classnames: number {position} ({_short(name)}) has {len(name)} characters; at most {MAX_LENGTH} are "
            "allowed. Shorten it.",
            page=f"{quoted(name)} is longer than {MAX_LENGTH} characters. Shorten it.",
        )
    if is_broken(name):
        raise ClassnamesError(
            f"classnames: number {position} ({_short(name)}) has half of a character, which no text can have; type "
            "it again.",
            page=f"Class name {position}, {quoted(name)}, has half of a character. Type it again.",
        )
    if all(character == "_" or _is_invisible(character) for character in name):
        raise ClassnamesError(
            f"classnames: number {position} is blank; give it a name or remove it.",
            page=f"Class name {position} is blank. Type a name or remove it.",
        )


def check_templates(templates: Iterable[str]) -> tuple[str, ...]:
    """Return the templates, with ``{}`` as their placeholder.

    Parameters
    ----------
    templates : iterable of str
        From 1 to 100 templates; several make an ensemble. Each has exactly one ``{}``, where the class name goes, or
        ``{c}``, as in openai/CLIP's README.

    Raises
    ------
    TemplateError
        For a bare string, no template, or a template without exactly one ``{}`` or with stray braces.
    """
    if isinstance(templates, str):
        raise TemplateError(
            f"templates: got a bare string ({_short(templates)}); give a list such as ['a photo of a {{}}']."
        )
    if not isinstance(templates, Iterable) or isinstance(templates, Mapping):
        raise TemplateError(f"templates: got {templates!r}; give a list such as ['a photo of a {{}}'].")
    templates = tuple(templates)
    checked = tuple(_check_template(template, len(templates) == 1) for template in templates)
    if not 1 <= len(checked) <= MAX_TEMPLATES:
        raise TemplateError(
            f"templates: got {len(checked)}; give 1 to {MAX_TEMPLATES}, one per line, such as 'a photo of a {{}}'.",
            page=f"There are {len(checked):,} prompts. Use at most {MAX_TEMPLATES}."
            if checked
            else "Type a prompt with {} for the class name, such as “a photo of a {}”.",
        )
    return checked


def _check_template(template: str, alone: bool) -> str:
    if not isinstance(template, str):
        raise TemplateError(f"templates: {template!r} is not text; give a string such as 'a photo of a {{}}'.")
    here = "the prompt" if alone else f"the line {quoted(template.strip())}"
    if len(template) > MAX_LENGTH:
        raise TemplateError(
            f"templates: {_short(template)} has {len(template)} characters; at most {MAX_LENGTH} are allowed. "
            "Shorten it.",
            page=f"Shorten {here}: at most {MAX_LENGTH} characters are allowed.",
        )
    if is_broken(template):
        raise TemplateError(
            f"templates: {_short(template)} has half of a character, which no text can have; type it again.",
            page=f"There is half of a character in {here}. Type it again.",
        )
    normal = template.strip().replace("{c}", "{}")
    count = normal.count("{}")
    if count != 1:
        found = "has no {}" if not count else f"has {{}} {count} times"
        raise TemplateError(
            f"templates: {_short(template)} {found}; write {{}} exactly once, where the class name goes, "
            "as in 'a photo of a {}'.",
            page=f"Write {{}} once in {here}: it becomes each class name.",
        )
    if re.search(r"[{}]", normal.replace("{}", "")):
        raise TemplateError(
            f"templates: {_short(template)} has a stray brace; use braces only for the one {{}} where the class "
            "name goes.",
            page=f"Remove the extra brace from {here}. Braces are only for {{}}, which becomes each class name.",
        )
    return normal


def check_number_of_prompts(classnames: Sequence[str], templates: Sequence[str]) -> None:
    """Raise a TemplateError where there would be too many prompts to encode."""
    if (n := len(classnames) * len(templates)) > MAX_PROMPTS:
        raise TemplateError(
            f"templates: {len(templates)} for {len(classnames)} classes make {n:,} prompts; at most {MAX_PROMPTS:,} "
            "are allowed. Use fewer templates or fewer classes.",
            page=f"Use fewer prompts or fewer classes: {len(templates):,} prompts with {len(classnames):,} class names "
            f"make {n:,} texts, and at most {MAX_PROMPTS:,} are allowed.",
        )


def same_class(a: str | None, b: str | None) -> bool:
    """Whether two names mean one class: case, spaces and underscores do not count."""
    return a is not None and b is not None and _key(a) == _key(b)


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _is_invisible(character: str) -> bool:
    kind = unicodedata.category(character)  # spaces and line ends, control and format characters
    return kind[0] == "Z" or kind in ("Cc", "Cf")


def is_broken(text: str) -> bool:
    """Whether text has a lone surrogate, half of a character such as an emoji, which UTF-8 cannot express."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
