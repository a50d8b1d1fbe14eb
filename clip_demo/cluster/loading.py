"""Loading of a model in a process of Ray."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..models.catalog import available_models
from ..models.encoder import InspectableEncoder
from ..paths import expanded


def loader(name: str, *, weights_root: str | Path | None = None, **options) -> Callable[[], InspectableEncoder]:
    """Return what loads a model in any working directory; see `load`."""
    if name not in available_models():
        name = str(expanded(name).absolute())
    root = None if weights_root is None else str(expanded(weights_root).absolute())
    return partial(load, name, weights_root=root, **options)


def load(name: str, **options) -> InspectableEncoder:
    """Load a model by name or path, as `clip_demo.models.load.load_model`.

    A process of Ray gets this function by its name. Here, importing it does not import torch.
    """
    from ..models.load import load_model

    return load_model(name, **options)
