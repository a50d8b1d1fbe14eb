"""Construction of a `clip.model.CLIP` around given tensors, without random initialisation or copies."""

from collections.abc import Collection, Mapping

import torch

from .openai_clip import import_clip

# OpenAI's archives have these three numbers among their tensors.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size")
HEAD_WIDTH = 64  # of every attention head in openai-clip
# Tensors from which the architecture follows, and their numbers of dimensions.
_TEXT = {
    "token_embedding.weight": 2,
    "positional_embedding": 2,
    "transformer.resblocks.0.attn.in_proj_weight": 2,
    "ln_final.weight": 1,
    "text_projection": 2,
    "logit_scale": 0,
}
_TRANSFORMER = {
    "visual.conv1.weight": 4,
    "visual.positional_embedding": 2,
    "visual.transformer.resblocks.0.attn.in_proj_weight": 2,
    "visual.proj": 2,
}
_RESNET = {"visual.conv1.weight": 4, "visual.layer1.0.conv1.weight": 4, "visual.attnpool.positional_embedding": 2}


class LayoutError(ValueError):
    """What keeps a state dict from being a CLIP of openai-clip, and what would help."""


def listed(names: Collection[str]) -> str:
    """Return the first three names for a message, and how many there are besides.

    The names come from a file: what could move a terminal's cursor is shown as an escape sequence of Python.
    """
    names = list(names)
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def infer_architecture(state_dict: Mapping[str, torch.Tensor]) -> dict:
    """Infer the arguments of ``clip.model.CLIP`` from the tensors' shapes, as ``clip.model.build_model`` does.

    Raises
    ------
    LayoutError
        When a tensor that every CLIP has is missing, or has another number of dimensions.
    """
    is_resnet = any(key.startswith(("visual.layer1.", "visual.attnpool.")) for key in state_dict)
    needed = (_RESNET if is_resnet else _TRANSFORMER) | _TEXT
    if missing := [name for name in needed if name not in state_dict]:
        raise LayoutError(f"it lacks {listed(missing)}")
    for name, dimensions in needed.items():
        if state_dict[name].ndim != dimensions:
            raise LayoutError(f"{name!r} has the shape {tuple(state_dict[name].shape)}, not {dimensions} dimensions")

    def count(prefix: str, part: int) -> int:
        return len({key.split(".")[part] for key in state_dict if key.startswith(prefix)})

    if is_resnet:  # a modified ResNet, which downsamples by 32 before the attention pool
        grid = round((state_dict["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
        vision = {
            "image_resolution": 32 * grid,
            "vision_layers": tuple(count(f"visual.layer{stage}.", 2) for stage in (1, 2, 3, 4)),
            "vision_width": state_dict["visual.layer1.0.conv1.weight"].shape[0],
            "vision_patch_size": None,
        }
    else:
        convolution = state_dict["visual.conv1.weight"]  # (width, 3, patch, patch)
        grid = round((state_dict["visual.positional_embedding"].shape[0] - 1) ** 0.5)
        vision = {
            "image_resolution": convolution.shape[-1] * grid,
            "vision_layers": count("visual.transformer.resblocks.", 3),
            "vision_width": convolution.shape[0],
            "vision_patch_size": convolution.shape[-1],
        }
    width = state_dict["ln_final.weight"].shape[0]
    return vision | {
        "embed_dim": state_dict["text_projection"].shape[1],
        "context_length": state_dict["positional_embedding"].shape[0],
        "vocab_size": state_dict["token_embedding.weight"].shape[0],
        "transformer_width": width,
        "transformer_heads": width // HEAD_WIDTH,
        "transformer_layers": count("transformer.resblocks.", 2),
    }


def attention_width(sizes: Mapping) -> int:
    """Return the width that the heads of the image encoder share: in a ResNet, that of its attention pool."""
    return sizes["vision_width"] * (32 if sizes["vision_patch_size"] is None else 1)


def build_clip(
    state_dict: Mapping[str, torch.Tensor],
    *,
    activation: str = "quickgelu",
    heads: int | None = None,
    text_heads: int | None = None,
) -> torch.nn.Module:
    """Return a CLIP in evaluation mode whose parameters are the given tensors themselves.

    ``clip.model.build_model`` fills every layer with random numbers first, which takes most of its time, and then
    copies the weights. Layers on the meta device have no memory to fill.

    Parameters
    ----------
    state_dict : mapping of str to torch.Tensor
        In openai-clip's layout.
    activation : {"quickgelu", "gelu"}
        Of all MLPs: openai-clip's, or that of most models of open_clip.
    heads, text_heads : int, optional
        Number of attention heads of the image encoder and of the text encoder; default one for 64 numbers.

    Raises
    ------
    LayoutError
        When the names or shapes are not those of openai-clip, or the heads do not fit.
    """
    sizes = infer_architecture(state_dict)
    heads = _check_heads("image", attention_width(sizes), heads)
    text_heads = _check_heads("text", sizes["transformer_width"], text_heads)
    model = import_clip().model
    with torch.device("meta"):
        if sizes["vision_patch_size"] is None:
            network = model.CLIP(**sizes | {"transformer_heads": text_heads})
            network.visual.attnpool.num_heads = heads
        else:
            # `CLIP` would make the image encoder with heads of 64.
            network = model.CLIP(**sizes | {"transformer_heads": text_heads, "vision_layers": 0, "vision_width": 64})
            names = ("image_resolution", "vision_patch_size", "vision_width", "vision_layers")
            network.visual = model.VisionTransformer(*map(sizes.get, names), heads, sizes["embed_dim"])
    weights = {key: value for key, value in state_dict.items() if key not in NOT_WEIGHTS}
    _check_shapes(network.state_dict(), weights)
    network.load_state_dict(weights, assign=True)
    # The causal mask is the only tensor that is not in the state dict.
    mask = network.build_attention_mask()
    for block in network.transformer.resblocks:
        block.attn_mask = mask
    if activation == "gelu":
        for module in list(network.modules()):
            if isinstance(module, model.ResidualAttentionBlock):
                module.mlp.gelu = torch.nn.GELU()
    return network.eval().requires_grad_(False)


def _check_heads(encoder: str, width: int, heads: int | None) -> int:
    heads = width // HEAD_WIDTH if heads is None else heads
    if heads < 1 or width % heads:
        raise LayoutError(
            f"its {encoder} encoder has a width of {width}, which cannot be divided among {heads} heads"
            + ("; say with --heads how many it has" if encoder == "image" else "")
        )
    return heads


def _check_shapes(expected: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
    missing = [name for name in expected if name not in weights]
    foreign = [name for name in weights if name not in expected]
    if missing or foreign:
        parts = [f"it lacks {listed(missing)}"] if missing else []
        parts += [f"openai-clip has no {listed(foreign)}; save the state dict of the CLIP alone"] if foreign else []
        raise LayoutError("; ".join(parts))
    other = [name for name, value in weights.items() if value.shape != expected[name].shape]
    if other:
        shapes = "; ".join(
            f"{name!r} has the shape {tuple(weights[name].shape)}, not {tuple(expected[name].shape)}"
            for name in other[:3]
        )
        raise LayoutError(shapes + (f"; and {len(other) - 3} more" if len(other) > 3 else ""))
