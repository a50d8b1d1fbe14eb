"""Switches that edit the text of the template field, and read their own state from it."""

import re

from ...zero_shot.prompts import parse_templates

NO_ARTICLE = "none"
ARTICLES = ("a", "the", NO_ARTICLE)
# An article before the placeholder, with at most one word between them: "a {}", "the small {}".
_ARTICLE = re.compile(r"\b(an?|the)\s+((?:\w+\s+)?\{c?\})", re.IGNORECASE)
# Where a missing article goes: before the placeholder, or before an adjective of OpenAI's templates.
_ARTICLE_POSITION = re.compile(r"(?:\b(?:small|big)\s+)?\{c?\}")


def with_article(text: str, article: str) -> str:
    r"""Return the templates with another article before the class name.

    >>> with_article("a photo of a small {}.\nart of {}", "the")
    'a photo of the small {}.\nart of the {}'
    """
    word = "" if article == NO_ARTICLE else f"{article} "
    # Templates that differed only in their article are equal now.
    return "\n".join(dict.fromkeys(_with_article(line, word) for line in text.splitlines()))


def _with_article(line: str, word: str) -> str:
    if _ARTICLE.search(line):
        return _ARTICLE.sub(lambda match: word + match[2], line, count=1)
    return _ARTICLE_POSITION.sub(lambda match: word + match[0], line, count=1)


def article_of(text: str) -> str | None:
    """Return which of `ARTICLES` all templates have; None where they differ or have another one."""
    matches = [_ARTICLE.search(line) for line in parse_templates(text)]
    articles = {match[1].lower() if match else NO_ARTICLE for match in matches}
    article = articles.pop() if len(articles) == 1 else None
    return article if article in ARTICLES else None


def with_period(text: str, period: bool) -> str:
    r"""Return the templates with or without a final period.

    >>> with_period("a photo of a {}.\n{}", True)
    'a photo of a {}.\n{}.'
    """
    bare = (line.rstrip().rstrip(".") for line in (text or "").splitlines())
    return "\n".join(f"{line}." if period and line else line for line in bare)


def ends_with_period(text: str) -> bool:
    """Whether every template ends with a period."""
    templates = parse_templates(text)
    return bool(templates) and all(template.endswith(".") for template in templates)


def toggle(text: str, template: str) -> str:
    """Return the templates without `template`; where it is missing, with it at the end."""
    # A checked prompt set writes the placeholder as {}.
    templates = parse_templates(text.replace("{c}", "{}"))
    others = [each for each in templates if each != template]
    return "\n".join(others if len(others) < len(templates) else [*templates, template])
