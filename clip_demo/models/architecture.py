"""Construction of a `clip.model.CLIP` around given tensors, without random initialisation or copies."""

from collections.abc import Mapping

import torch

from .openai_clip import import_clip

# OpenAI's archives have these three numbers among their tensors.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


def infer_architecture(state_dict: Mapping[str, torch.Tensor]) -> dict:
    """Infer the arguments of ``clip.model.CLIP`` from the tensors' shapes, as ``clip.model.build_model`` does.

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
    else:  # a modified ResNet, which downsamples by 32 before the attention pool
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

    ``clip.model.build_model`` fills every layer with random numbers first, which takes most of its time, and then
    copies the weights. Layers on the meta device have no memory to fill.
    """
    with torch.device("meta"):
        network = import_clip().model.CLIP(**infer_architecture(state_dict))
    weights = {key: value for key, value in state_dict.items() if key not in NOT_WEIGHTS}
    network.load_state_dict(weights, assign=True)
    # The causal mask is the only tensor that is not in the state dict.
    mask = network.build_attention_mask()
    for block in network.transformer.resblocks:
        block.attn_mask = mask
    return network.eval().requires_grad_(False)
