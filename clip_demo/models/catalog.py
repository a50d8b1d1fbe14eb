"""Which models there are, known without torch."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelError
from .catalog import OPENAI_MODEL_MEGABYTES, OPENAI_MODELS

__all__ = ["AUTO", "BUILT_IN", "PREFERRED", "available_models", "check_model", "size_of"]

BUILT_IN = "tiny"
# "auto" is the built-in model at once, and the preferred one as soon as it is there.
AUTO = "auto"
PREFERRED = "ViT-B/32"


def available_models() -> tuple[str, ...]:
    """Return the names that a model can have: the built-in one first, then OpenAI's."""
    return (BUILT_IN, *OPENAI_MODELS)


def check_model(name: str) -> str:
    """Return `name`, or raise a ModelError where it is neither a known name nor a file."""
    if name not in available_models() and not Path(name).expanduser().is_file():
        raise ModelError(
            f"model: {name!r} is neither a known model nor a file; use one of "
            f"{', '.join(map(repr, available_models()))}, or the path of a checkpoint."
        )
    return name


def size_of(name: str) -> int | None:
    """Return about how many megabytes the archive of one of OpenAI's models has; None for any other."""
    return OPENAI_MODEL_MEGABYTES.get(name)
