"""The form of a model as the backend sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

__all__ = ["Encoder", "Report"]

# Called with what is being done, how many are done and how many there are; what it raises ends the work.
Report = Callable[[str, int, int], None]


class Encoder(Protocol):
    """Two encoders into one space; `clip_demo.model.ClipModel` is the real one, tests bring a small exact one.

    Attributes
    ----------
    name : str
        What the user calls it, such as ``"ViT-B/32"``.
    note : str
        One sentence that says what it is and where it comes from.
    sha256 : str
        Checksum of its checkpoint, in hexadecimal: its identity, and the key of its heads.
    logit_scale : float
        What cosines are multiplied by before the softmax (``exp`` of CLIP's parameter; 100 for OpenAI's models).
    """

    name: str
    note: str
    sha256: str
    logit_scale: float

    def preprocess(self, image: Image.Image) -> Any:
        """Turn an RGB image of any size into what `encode_pixels` takes."""
        ...

    def encode_pixels(self, batch: Sequence[Any]) -> np.ndarray:
        """Encode preprocessed images: shape (n, d), float32, not normalised."""
        ...

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Preprocess and encode images: shape (n, d), float32, not normalised."""
        ...

    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Encode prompts: shape (n, d), float32, not normalised; a prompt too long is a PromptTooLongError."""
        ...
