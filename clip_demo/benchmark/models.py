"""One full-size random ViT-B/32, as openai-clip's network and as our encoder."""

from collections.abc import Sequence
from functools import cache

import torch

from ..models.clip_model import ClipModel
from ..models.openai_clip import import_clip
from .random_checkpoints import VIT_B_32, random_clip


@cache
def network() -> torch.nn.Module:
    """Return the random ViT-B/32, made once."""
    return random_clip(VIT_B_32)


def ours() -> ClipModel:
    """Return it as an `Encoder`."""
    return ClipModel(network(), name="ViT-B/32 with random weights", note="for benchmarks", sha256="0" * 64)


def openai_texts(prompts: Sequence[str]) -> torch.Tensor:
    """Encode prompts as in openai/CLIP's README: shape (n, d)."""
    with torch.inference_mode():
        return network().encode_text(import_clip().tokenize(list(prompts)))
