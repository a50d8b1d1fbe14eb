"""From templates and class names to prompts, with a message for everything that a user can get wrong."""

import contextlib
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from ..errors import ClassnamesError, TemplateError, quoted
from ..paths import expanded

MAX_CLASSNAMES = 1000
MAX_TEMPLATES = 100
# Templates times classes: enough for the 18 templates and a thousand classes. More would take a model minutes.
MAX_PROMPTS = 20_000
# In characters. A prompt has at most 77 tokens, and the tokenizer's time grows with the square of a word's length.
MAX_LENGTH = 500


# A name in quotation marks, or what stands between two separators: commas, also Chinese and Japanese ones, line breaks.
_NAME = re.compile(r"""\s*(?:"((?:[^"\n]|"")*)"|“([^”\n]*)”)[^\S\n]*(?=[,，、\n]|$)|[^,，、\n]+""")
_COMMAS = (",", "，", "、")
_NOT_TEXT = "classes: {} cannot be read as text ({}); give a UTF-8 file with one name per line."


def parse_classnames(text: str) -> tuple[str, ...]:
    r"""Split a class list at commas, also Chinese and Japanese ones, and at line breaks, and drop empty pieces.

    An empty piece is not an error, because there is one after each comma while somebody is typing. A name in quotation
    marks may contain commas.

    >>> parse_classnames('cat, dog,\n\n"corn, on the cob"')
    ('cat', 'dog', 'corn, on the cob')
    """
    # Editors on Windows begin a file with a byte order mark, which may be copied with the text.
    found = (_unquoted(match).strip() for match in _NAME.finditer(text.removeprefix("\ufeff")))
    return tuple(name for name in found if name)


def _unquoted(match: re.Match) -> str:
    straight, curly = match.groups()
    return match[0] if straight is curly is None else (curly or straight or "").replace('""', '"')


def join_classnames(names: Iterable[str], separator: str = ", ") -> str:
    """Return text that `parse_classnames` splits into these names again."""
    return separator.join(map(_quoted, names))


def _quoted(name: str) -> str:
    plain = parse_classnames(name) == (name,) and name[0] not in '"“'
    return name if plain else '"' + name.replace('"', '""') + '"'


def read_classnames(list_or_file: str, one_per_line: bool = False) -> tuple[str, ...]:
    """Return the class names given to the command line: those of a file where there is one, or else of the list.

    Parameters
    ----------
    list_or_file : str
        A file may also be a pipe.
    one_per_line : bool
        Whether commas in a file belong to the names.

    Raises
    ------
    ClassnamesError
        When the file is not text, or does not say whether its commas separate names, or when a single name is not a
        file.
    """
    path = expanded(list_or_file)
    try:
        data = path.read_bytes() if path.exists() and not path.is_dir() else None  # the path may contain a comma
    except (OSError, ValueError) as error:  # a long list is no path either; nor is one with a null character
        if path.name and os.path.lexists(path):
            raise ClassnamesError(_NOT_TEXT.format(repr(list_or_file), error)) from error
        data = None
    if data is not None:
        return parse_class_file(data, repr(list_or_file), one_per_line)
    names = parse_classnames(list_or_file)
    if len(names) > 1 or list_or_file.rstrip().endswith(_COMMAS):
        return names
    folder = "a folder, and " if os.path.isdir(path) else ""
    raise ClassnamesError(
        f"classes: {list_or_file!r} is {folder}neither a file nor a list of two or more names; "
        "give a file with one name per line, or names separated by commas such as 'cat,dog'."
    )


def parse_class_file(data: bytes, file: str, one_per_line: bool = False) -> tuple[str, ...]:
    """Return the class names in a file's content: UTF-8 or, where it begins with that mark, UTF-16; or a JSON list.

    Parameters
    ----------
    data : bytes
    file : str
        What a message calls the file.
    one_per_line : bool
        Whether commas belong to the names. Without it, they separate names where they can only mean that: in a file of
        a single line, or one whose lines end with them.

    Raises
    ------
    ClassnamesError
    """
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClassnamesError(_NOT_TEXT.format(file, error)) from error
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(names := json.loads(text), list):
            return tuple(names)
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    if one_per_line:
        return tuple(filter(None, lines))
    wrapped = all(line.endswith(_COMMAS) for line in [line for line in lines if line][:-1])
    for number, line in enumerate(lines, 1):
        if not wrapped and len(parse_classnames(line)) > 1:
            raise ClassnamesError(
                f"classes: line {number} of {file} ({_short(line)}) has a comma; give --one-class-per-line if commas "
                'belong to names, put such names in quotation marks as "corn, on the cob", or break the line there.'
            )
    return parse_classnames("\n".join(lines))


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
            else f"{quoted(names[0])} is the only class name. Type at least one more, one per line."
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
    return a is not None and b is not None and class_key(a) == class_key(b)


def class_key(name: str) -> str:
    """Return what `same_class` compares."""
    return " ".join(name.replace("_", " ").casefold().split())


def _is_invisible(character: str) -> bool:
    kind = unicodedata.category(character)  # spaces and line ends, control and format characters
    return kind[0] == "Z" or kind in ("Cc", "Cf")


def is_broken(text: str) -> bool:
    """Whether text has a lone surrogate, half of a character such as an emoji, which UTF-8 cannot express."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
