"""Loading of a model in a process of Ray."""

from ..models.encoder import InspectableEncoder


def load(name: str, **options) -> InspectableEncoder:
    """Load a model by name or path, as `clip_demo.models.load.load_model`.

    A process of Ray gets this function by its name. Here, importing it does not import torch.
    """
    from ..models.load import load_model

    return load_model(name, **options)
