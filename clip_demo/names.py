"""Which models there are, known without torch."""

from __future__ import annotations

from pathlib import Path

from .errors import ModelError
from .metadata import OPENAI_MODELS

__all__ = ["BUILT_IN", "available_models", "check_model"]

BUILT_IN = "tiny"


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
