"""ProbeJobs a `clip.model.CLIP` around given tensors: no random initialisation, no copy."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .openai_clip import import_clip

__all__ = ["build_clip", "sizes_of"]

# OpenAI's archives carry these three numbers among their tensors.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


def sizes_of(state_dict: Mapping[str, torch.Tensor]) -> dict:
    """Read the arguments of ``clip.model.CLIP`` off the shapes, as ``clip.model.build_model`` does.

    Raises
    ------
    KeyError
        When a tensor that every CLIP has is missing.
    """

    def count(prefix: str, part: int) -> int:
        return len({key.split(".")[part] for key in state_dict if key.startswith(prefix)})

    if "visual.proj" in state_dict:  # a vision transformer
        convolution = state_dict["visual.conv1.weight"]  # (width, 3, patch, patch)
        grid = round((state_dict["visual.positional_embedding"].shape[0] - 1) ** 0.5)
        vision = {
            "image_resolution": convolution.shape[-1] * grid,
            "vision_layers": count("visual.transformer.resblocks.", 3),
            "vision_width": convolution.shape[0],
            "vision_patch_size": convolution.shape[-1],
        }
    else:  # a modified ResNet, which shrinks its input 32 times before the attention pool
        grid = round((state_dict["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
        vision = {
            "image_resolution": 32 * grid,
            "vision_layers": tuple(count(f"visual.layer{stage}.", 2) for stage in (1, 2, 3, 4)),
            "vision_width": state_dict["visual.layer1.0.conv1.weight"].shape[0],
            "vision_patch_size": None,
        }
    width = state_dict["ln_final.weight"].shape[0]
    return vision | {
        "embed_dim": state_dict["text_projection"].shape[1],
        "context_length": state_dict["positional_embedding"].shape[0],
        "vocab_size": state_dict["token_embedding.weight"].shape[0],
        "transformer_width": width,
        "transformer_heads": width // 64,
        "transformer_layers": count("transformer.resblocks.", 2),
    }


def build_clip(state_dict: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Return a CLIP in evaluation mode whose parameters are the given tensors themselves.

    ``clip.model.build_model`` first fills every layer with random numbers, which takes most of its time, and then
    copies; tensors on the meta device have no content to fill.
    """
    sizes = sizes_of(state_dict)
    with torch.device("meta"):
        model = import_clip().model.CLIP(**sizes)
    weights = {key: value for key, value in state_dict.items() if key not in NOT_WEIGHTS}
    model.load_state_dict(weights, assign=True)
    # The causal mask is no parameter: it is the one tensor that has to be made.
    mask = model.build_attention_mask()
    for block in model.transformer.resblocks:
        block.attn_mask = mask
    return model.eval().requires_grad_(False)
