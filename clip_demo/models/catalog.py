"""Names and sizes of the models. Importing this module does not import torch."""

import os
from pathlib import Path

from ..download import places
from ..errors import ModelError, OptionError
from ..paths import converted_path, expanded, is_readable, weights_path
from .sources import ARCHIVES, weights_files

BUILT_IN = "tiny"
# "auto" starts with the built-in model and switches to the preferred one as soon as that is loaded.
AUTO = "auto"
PREFERRED = "ViT-B/32"

ACTIVATIONS = ("quickgelu", "gelu")  # of a checkpoint: openai-clip's, and that of most models of open_clip

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


def check_network_options(name: str, activation: str | None, heads: int | None) -> None:
    """Raise an OptionError where one of these options is not allowed or not for this model.

    See `clip_demo.models.load.load_model` for the arguments.
    """
    if activation not in (None, *ACTIVATIONS):
        raise OptionError(f"activation: got {activation!r}; use {' or '.join(map(repr, ACTIVATIONS))}.")
    if heads is not None and (isinstance(heads, bool) or not isinstance(heads, int) or heads < 1):
        raise OptionError(f"heads: got {heads!r}; use a whole number of at least 1.")
    given = [option for option, value in (("activation", activation), ("heads", heads)) if value is not None]
    if given and name in (AUTO, *available_models()):
        raise OptionError(
            f"{', '.join(given)}: of {name!r} they are known; give them for the path of a checkpoint only."
        )


def title_of(name: str) -> str:
    """Return the name under which visitors know a model: of a checkpoint only the file's name, not where it is."""
    if name in available_models():
        return name
    file = Path(name).name
    return f"{file} (a file)" if file in available_models() else file


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
