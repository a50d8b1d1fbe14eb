"""The interface of a model."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

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


@dataclass(frozen=True)
class Anatomy:
    """Sizes of a model, for those who look inside.

    Attributes
    ----------
    kind : {"ViT", "ResNet"}
    resolution : int
        Side of the input in pixels.
    grid : int
        Cells a side that the image is divided into: the patches of a vision transformer, or the cells that the
        attention pool of a ResNet sees.
    cover_grid : int
        Cells a side that can be covered one by one, at most 8: single patches or groups of them; parts of the image
        for a ResNet.
    dimensions : int
        Length of the image and text vectors.
    context_length : int
        Places for tokens.
    """

    kind: Literal["ViT", "ResNet"]
    resolution: int
    grid: int
    cover_grid: int
    dimensions: int
    context_length: int


@dataclass(frozen=True)
class Token:
    """A token: its number, and the piece of text that it stands for.

    Attributes
    ----------
    number : int
    text : str
        ``"<|startoftext|>"`` and ``"<|endoftext|>"`` for start and end of text.
    ends_word : bool
        Whether a word ends here, which is a part of the token: "cat" as a word and in "catalog" are two tokens.
    """

    number: int
    text: str
    ends_word: bool


class InspectableEncoder(Encoder, Protocol):
    """An encoder whose inside can be looked at.

    Attributes
    ----------
    anatomy : Anatomy
    heat_map_method : str
        What `gradient_maps` computes: ``"Grad-ECLIP"`` for a vision transformer, ``"HiResCAM"`` for a ResNet.
    """

    anatomy: Anatomy
    heat_map_method: str

    def token_pieces(self, prompt: str) -> tuple[Token, ...]:
        """Return a prompt's tokens, from start to end of text."""
        ...

    def encode_covered(self, pixels: np.ndarray, covers: np.ndarray) -> np.ndarray:
        """Return the features of one image with cells covered.

        Parameters
        ----------
        pixels : numpy.ndarray, shape (resolution, resolution, 3), uint8
            From `preprocess`.
        covers : numpy.ndarray, shape (n, cover_grid, cover_grid), bool
            True where a cell is covered.

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            Not normalised.
        """
        ...

    def gradient_maps(self, pixels: np.ndarray, directions: np.ndarray, normalized: bool) -> np.ndarray:
        """Return a heat map for each score ``direction · features``, from one forward pass.

        Parameters
        ----------
        pixels : numpy.ndarray, shape (resolution, resolution, 3), uint8
        directions : numpy.ndarray, shape (n, d)
        normalized : bool
            Whether the features are L2-normalised in the score.

        Returns
        -------
        numpy.ndarray, shape (n, rows, columns), float64
            At least 0.
        """
        ...
