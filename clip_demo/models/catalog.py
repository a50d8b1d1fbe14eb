"""Names and sizes of the models. Importing this module does not import torch."""

import os
from pathlib import Path

from ..download import places
from ..errors import ModelError
from ..paths import converted_path, expanded, is_readable, weights_path
from .sources import ARCHIVES, weights_files

BUILT_IN = "tiny"
# "auto" starts with the built-in model and switches to the preferred one as soon as that is loaded.
AUTO = "auto"
PREFERRED = "ViT-B/32"

OPENAI_MODELS = tuple(ARCHIVES)  # `clip.available_models()` of openai-clip 1.0.1
# Computed from the architectures: two bytes per weight, four where openai-clip keeps single precision.
OPENAI_MODEL_MEGABYTES = {
    "RN50": 255,
    "RN101": 291,
    "RN50x4": 421,
    "RN50x16": 660,
    "RN50x64": 1352,
    "ViT-B/32": 353,
    "ViT-B/16": 350,
    "ViT-L/14": 932,
    "ViT-L/14@336px": 933,
}


def available_models() -> tuple[str, ...]:
    """Return the names that can be chosen: the built-in model, then OpenAI's."""
    return (BUILT_IN, *OPENAI_MODELS)


def check_model(name: str) -> str:
    """Return `name`, or raise a ModelError when it is neither a known name nor a file."""
    if name not in available_models() and not os.path.isfile(expanded(name)):
        raise ModelError(
            f"model: {name!r} is neither a known model nor a file; use one of "
            f"{', '.join(map(repr, available_models()))}, or the path of a checkpoint.",
            page=f"The model {title_of(name)} is no longer on this machine. Choose another model.",
        )
    return name


def title_of(name: str) -> str:
    """Return what a visitor reads as a model's name: of a checkpoint only the file's name, not where it is."""
    return name if name in available_models() else Path(name).name


def size_of(name: str) -> int | None:
    """Return the approximate size of an OpenAI model's archive in megabytes, or None for any other model."""
    return OPENAI_MODEL_MEGABYTES.get(name)


def is_downloaded(name: str, root: str | Path | None = None) -> bool:
    """Whether a model loads without a download: from a file of its sources, or from the converted copy.

    Looks whether there are such files, and not whether their content is right.

    Parameters
    ----------
    name : str
    root : path, optional
        See `clip_demo.paths.weights_root`.
    """
    if name not in OPENAI_MODELS:
        return True
    archive = weights_path(name, root)
    found = (path for file in weights_files(name) for path in places(file, archive.parent))
    return any(is_readable(path) and path.is_file() for path in (converted_path(archive), *found))
