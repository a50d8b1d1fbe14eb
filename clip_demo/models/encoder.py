"""The interface of a model."""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image


class Encoder(Protocol):
    """An image encoder and a text encoder with a common embedding space of d dimensions.

    `clip_demo.models.clip_model.ClipModel` implements it with torch. Nothing here assumes that the model runs in this
    process.

    Attributes
    ----------
    name : str
        Name for the user, such as ``"ViT-B/32"``.
    note : str
        One sentence about what the model is and where it comes from.
    sha256 : str
        SHA-256 of the checkpoint in hexadecimal. It identifies the model, and it is the key of its stored files.
    logit_scale : float
        Factor of the cosines in the softmax: ``exp`` of CLIP's parameter, 100 for OpenAI's models.
    """

    name: str
    note: str
    sha256: str
    logit_scale: float

    def preprocess(self, image: Image.Image) -> Any:
        """Turn an RGB image of any size into an input of `encode_images`. Cheap, and safe to call in any thread."""
        ...

    def encode_images(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return the features of preprocessed images: shape (n, d), float32, not normalised."""
        ...

    def tokens(self, prompt: str) -> Hashable:
        """Return what the features of a prompt depend on: prompts with equal tokens have equal features.

        Cheap, and safe to call in any thread. A prompt of any length is allowed.
        """
        ...

    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the features of prompts: shape (n, d), float32, not normalised.

        Raises
        ------
        PromptTooLongError
            When a prompt has more tokens than the model's context.
        """
        ...
