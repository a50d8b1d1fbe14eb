"""Layouts of state dicts: that of `transformers` becomes openai-clip's; and a checksum that does not depend on it."""

import hashlib
import re
from collections.abc import Mapping

import torch

from .architecture import NOT_WEIGHTS, LayoutError, listed

# Names of `transformers.CLIPModel` and of openai-clip.
_NAMES = {
    "logit_scale": "logit_scale",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}
_TRANSPOSED = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
_NORMS = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # spelled so in `transformers`
    "vision_model.post_layernorm": "visual.ln_post",
}
_BLOCK = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_PARTS = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def is_transformers(state_dict: Mapping[str, torch.Tensor]) -> bool:
    """Whether a state dict is in the layout of ``transformers.CLIPModel``."""
    return "text_model.embeddings.token_embedding.weight" in state_dict


def from_transformers(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the state dict of a ``transformers.CLIPModel`` in openai-clip's layout. No number is changed.

    Raises
    ------
    LayoutError
        When there is a name that openai-clip has no place for, or a part of an attention is missing.
    """
    result, attention, foreign = {}, {}, []
    for name, value in state_dict.items():
        block = _BLOCK.fullmatch(name)
        norm, _, kind = name.rpartition(".")
        if name in _NAMES:
            result[_NAMES[name]] = value
        elif name in _TRANSPOSED:
            result[_TRANSPOSED[name]] = value.T.contiguous()
        elif norm in _NORMS:
            result[f"{_NORMS[norm]}.{kind}"] = value
        elif block:
            side, number, part, kind = block.groups()
            target = f"{'visual.' if side == 'vision' else ''}transformer.resblocks.{number}"
            if part in _PARTS:
                result[f"{target}.{_PARTS[part]}.{kind}"] = value
            else:
                attention.setdefault(f"{target}.attn.in_proj_{kind}", {})[part] = value
        elif not name.endswith(".position_ids"):  # of older versions: 0, 1, 2, ...
            foreign.append(name)
    qkv = [f"self_attn.{each}_proj" for each in "qkv"]
    foreign += [f"{name}.{part}" for name, parts in attention.items() for part in parts if part not in qkv]
    if foreign:
        raise LayoutError(f"openai-clip has no {listed(foreign)}; save the state dict of the CLIP alone")
    for name, parts in attention.items():  # q, k and v one below the other
        if len(parts) < 3:
            raise LayoutError(f"it lacks {listed([part for part in qkv if part not in parts])} of {name!r}")
        result[name] = torch.cat([parts[part] for part in qkv])
    return result


def weights_sha256(state_dict: Mapping[str, torch.Tensor]) -> str:
    """Return a checksum of the weights as such, whatever file, layout or precision they came in.

    SHA-256 over name, shape and float32 values of every weight in openai-clip's layout, in the order of the names. The
    sizes among the buffers of OpenAI's archives and the counters of batch normalisation are not weights.
    """
    digest = hashlib.sha256()
    for name in sorted(state_dict):
        value = state_dict[name]
        if name in NOT_WEIGHTS or not value.is_floating_point():
            continue
        value = value.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().astype("<f4", copy=False).data)
    return digest.hexdigest()
