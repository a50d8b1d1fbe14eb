"""The model that is trained, and the way to its file and back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..models.openai_clip import import_clip

__all__ = [
    "Architecture",
    "Vocabulary",
    "encode_images",
    "make_model",
    "save_checkpoint",
    "to_state_dict",
]


@dataclass(frozen=True)
class Architecture:
    """What `clip.model.build_model` reads off a state dict, in its terms.

    The numbers of heads follow from the widths: ``vision_width * 32 // 64`` and ``text_width // 64``.
    """

    embed_dim: int = 256
    image_resolution: int = 64
    vision_layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    vision_width: int = 32
    text_width: int = 64
    text_layers: int = 2


class Vocabulary:
    """The few tokens that captions use, numbered anew.

    A table of 49,408 rows would be two thirds of the optimiser's work while all but a few hundred rows never
    change. The order of the tokens is kept, so the end-of-text token is still the highest number.

    Parameters
    ----------
    captions : iterable of str
        All that will ever be written.
    """

    def __init__(self, captions: Iterable[str]):
        self._clip = import_clip()
        used = np.unique(self._clip.tokenize(list(captions)).numpy())  # the padding's 0 is a token too
        self.tokens: np.ndarray = used  # (n,) openai-clip's numbers, ascending

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the tokens of captions in this numbering, shape (n, 77), int64."""
        return torch.from_numpy(np.searchsorted(self.tokens, self._clip.tokenize(captions).numpy()))


def make_model(arch: Architecture, vocabulary: Vocabulary, seed: int) -> nn.Module:
    """Make a `clip.model.CLIP` with random weights and a small token table, float32, in training mode."""
    torch.manual_seed(seed)
    model = import_clip().model.CLIP(
        arch.embed_dim,
        arch.image_resolution,
        arch.vision_layers,
        arch.vision_width,
        None,  # vision_patch_size is for vision transformers
        77,
        len(vocabulary.tokens),
        arch.text_width,
        arch.text_width // 64,
        arch.text_layers,
    )
    model.visual.to(memory_format=torch.channels_last)
    return model.train()


def encode_images(visual: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Run the image tower, also on images so small that the attention pool is left a grid of one place.

    Parameters
    ----------
    visual : clip.model.ModifiedResNet
    images : torch.Tensor, shape (n, 3, side, side), float32
        Of the model's resolution, or of 32×32.

    Returns
    -------
    torch.Tensor, shape (n, d), float32
        Not normalised.
    """
    if images.shape[-1] == visual.input_resolution:
        return visual(images)
    places = visual.attnpool.positional_embedding  # the mean's, then one for each place of the grid
    one = torch.cat([places[:1], places[1:].mean(dim=0, keepdim=True)])
    return torch.func.functional_call(visual, {"attnpool.positional_embedding": one}, (images,))


def to_state_dict(model: nn.Module, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    """Return the state dict in openai-clip's layout: the full token table, half precision.

    Rows that no caption uses are zero; a word that the model was never told has no meaning to it.
    """
    state = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
    small = state["token_embedding.weight"]
    full = torch.zeros(49408, small.shape[1])
    full[torch.from_numpy(vocabulary.tokens).long()] = small
    state["token_embedding.weight"] = full
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def save_checkpoint(content: dict, path: Path) -> None:
    """Write with `torch.save` so that a reader finds the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    torch.save(content, part)
    os.replace(part, path)
