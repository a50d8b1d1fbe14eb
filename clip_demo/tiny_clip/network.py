"""The model during training, and its conversion to openai-clip's state dict."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..models.openai_clip import import_clip


@dataclass(frozen=True)
class Architecture:
    """Arguments of `clip.model.CLIP`.

    The numbers of attention heads follow from the widths: ``vision_width * 32 // 64`` and ``text_width // 64``.
    """

    embed_dim: int = 256
    image_resolution: int = 64
    vision_layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    vision_width: int = 32
    text_width: int = 64
    text_layers: int = 2


class Vocabulary:
    """The few tokens that captions use, renumbered.

    With the full embedding table of 49,408 rows, the optimiser would take three times as long, although only a few
    hundred rows ever change. The order of the tokens is kept, so the end-of-text token still has the highest number.

    Parameters
    ----------
    captions : iterable of str
        All captions that `encode` may be called with.
    """

    def __init__(self, captions: Iterable[str]):
        self._clip = import_clip()
        # (n,) openai-clip's numbers, ascending; they include 0, the padding.
        self.tokens: np.ndarray = np.unique(self._clip.tokenize(list(captions)).numpy())

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the renumbered tokens of captions, shape (n, 77), int64."""
        return torch.from_numpy(np.searchsorted(self.tokens, self._clip.tokenize(captions).numpy()))


def make_model(arch: Architecture, vocabulary: Vocabulary, seed: int) -> nn.Module:
    """Return a `clip.model.CLIP` with random weights and a small embedding table, in float32 and training mode."""
    torch.manual_seed(seed)
    model = import_clip().model.CLIP(
        arch.embed_dim,
        arch.image_resolution,
        arch.vision_layers,
        arch.vision_width,
        None,  # vision_patch_size, only for vision transformers
        77,
        len(vocabulary.tokens),
        arch.text_width,
        arch.text_width // 64,
        arch.text_layers,
    )
    model.visual.to(memory_format=torch.channels_last)
    return model.train()


def encode_images(visual: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Run the image encoder, also on images that are so small that the attention pool gets a 1×1 grid.

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
    positions = visual.attnpool.positional_embedding  # of the mean token, then of each grid cell
    positions = torch.cat([positions[:1], positions[1:].mean(dim=0, keepdim=True)])
    return torch.func.functional_call(visual, {"attnpool.positional_embedding": positions}, (images,))


def to_state_dict(model: nn.Module, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    """Return the state dict in openai-clip's layout: with the full embedding table, in half precision.

    Rows of tokens that no caption uses are zero: such words have no meaning to the model.
    """
    state = {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}
    small = state["token_embedding.weight"]
    full = torch.zeros(49408, small.shape[1])
    full[torch.from_numpy(vocabulary.tokens).long()] = small
    state["token_embedding.weight"] = full
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
