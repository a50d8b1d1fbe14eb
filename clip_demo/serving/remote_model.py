"""The connection to a model that runs on other machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models.catalog import available_models
from ..models.encoder import Encoder

if TYPE_CHECKING:
    from ..models.encoder_protocol import ModelCard
    from ..models.remote_encoder import RemoteEncoder


def connect(url: str, model: str | None, options: dict, network: dict) -> RemoteEncoder:
    """Return the encoder at an address; what needs the network itself uses the copy of the model on this machine.

    Parameters
    ----------
    url : str
    model : str or None
        The name or path of the model that it has to be; None for any.
    options, network : dict
        Arguments of `clip_demo.models.load.load_model`: for any model, and for checkpoints.
    """
    from ..models.remote_encoder import RemoteEncoder  # imports httpx, which most starts do not need

    def open_copy(card: ModelCard) -> Encoder:
        from ..models.load import load_copy

        return load_copy(card, model, **options, **(network if model not in available_models() else {}))

    expected = None
    if model is not None:
        from ..models.load import checksum_of_model

        expected = checksum_of_model(model, **network)
    return RemoteEncoder.connect(url, expected, open_copy)
