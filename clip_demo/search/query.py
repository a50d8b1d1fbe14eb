"""What is searched for: a sentence, an image, or both."""

from typing import Any

import numpy as np

from ..errors import InputError, OptionError
from ..numerics import normalize
from ..zero_shot.prompts import MAX_LENGTH, is_broken

MAX_LIMIT = 1_000  # images in one answer


def check_sentence(text: str | None) -> str | None:
    """Return a sentence, or None for an empty one.

    Whether it has too many tokens is known to the model only.

    Raises
    ------
    InputError
    """
    if text is not None and not isinstance(text, str):
        raise InputError(f"text: got {type(text).__name__}; give a sentence such as 'a red bicycle'.")
    if text is None or not text.strip():
        return None
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"text: got {len(text):,} characters; at most {MAX_LENGTH} are allowed. Shorten the sentence.",
            page=f"This sentence is longer than {MAX_LENGTH} characters. Shorten it.",
        )
    if is_broken(text):
        raise InputError(
            f"text: {text[:60]!r} has half of a character, which no text can have; type it again.",
            page="There is half of a character in the sentence. Type it again.",
        )
    return text.strip()


def check_source(text: str | None, image: Any, index: int | None) -> None:
    """Raise an OptionError where there is nothing to search for, or two images."""
    if image is not None and index is not None:
        raise OptionError("image, index: got both; give one of them, an image or an index of a dataset.")
    if text is image is index is None:
        raise OptionError(
            "text, image, index: got none; give a sentence such as 'a red bicycle', an image, or the index of a test "
            "image.",
            page="Type a sentence, or choose an image.",
        )


def check_whole(name: str, value: int, least: int, most: int) -> int:
    """Return a number as an int, or raise an OptionError where it is not whole or out of bounds."""
    number = isinstance(value, (int, float, np.integer)) and not isinstance(value, bool)
    if not number or not least <= value <= most or value != int(value):
        raise OptionError(f"{name}: {value!r} is not allowed; use a whole number from {least} to {most:,}.")
    return int(value)


def combine(*features: np.ndarray) -> np.ndarray:
    """Return the direction of a query, shape (d,), float64: the normalised sum of its normalised parts.

    A sentence and an image so count equally.
    """
    return normalize(sum(normalize(each.astype(np.float64)) for each in features))
