"""The prompt sets that a visitor keeps as A, one for each dataset.

The browser holds them as text in a hidden field, and sends them with its requests. On the server they would be lost:
Gradio drops the oldest sessions, and every call of a program makes one.
"""

import json
from dataclasses import asdict
from typing import Any

from ..errors import InputError
from ..zero_shot.prompt_set import PromptSet


def read_kept(text: Any) -> dict[str, PromptSet]:
    """Return the prompt sets by dataset. What cannot be read is left out, since a client may send anything."""
    kept = {}
    try:
        for dataset, parts in json.loads(text or "{}").items():
            kept[dataset] = PromptSet(parts["classnames"], parts["templates"], parts["replace_underscores"])
    except (InputError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return kept


def keep(text: Any, dataset: str, prompts: PromptSet | None) -> str:
    """Return the text with another prompt set for a dataset, or with none."""
    kept = {**read_kept(text), dataset: prompts}
    return json.dumps({name: asdict(each) for name, each in kept.items() if each is not None})
