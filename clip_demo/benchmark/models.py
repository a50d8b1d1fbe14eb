"""One full-size random ViT-B/32, as our encoder, as openai-clip's, and as open_clip's if it is installed."""

import importlib.util
from collections.abc import Callable, Sequence
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


def open_clip_texts() -> Callable[[Sequence[str]], torch.Tensor] | None:
    """Return a function that encodes prompts with open_clip and the same weights; None if it is not installed."""
    if importlib.util.find_spec("open_clip") is None:
        return None
    import open_clip
    from open_clip.model import build_model_from_openai_state_dict

    model = build_model_from_openai_state_dict(dict(network().state_dict())).float().eval()
    tokenize = open_clip.get_tokenizer("ViT-B-32")

    def encode(prompts: Sequence[str]) -> torch.Tensor:
        with torch.inference_mode():
            return model.encode_text(tokenize(list(prompts)))

    return encode
