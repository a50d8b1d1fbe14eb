"""Checkpoints with random weights in OpenAI's format.

Speed does not depend on the values of the weights, so the benchmark and the tests of loading need no download.
"""

from pathlib import Path

import numpy as np
import torch

from ..models.openai_clip import import_clip

clip = import_clip()

TEXT = {"context_length": 77, "vocab_size": 49408}
SMALL = {"embed_dim": 32, "transformer_width": 64, "transformer_heads": 1, "transformer_layers": 2} | TEXT
SMALL_VIT = SMALL | {"image_resolution": 32, "vision_layers": 2, "vision_width": 64, "vision_patch_size": 8}
# 64 is the smallest width for which the attention pool has heads of width 64.
SMALL_RESNET = SMALL | {
    "image_resolution": 32,
    "vision_layers": (1, 1, 1, 1),
    "vision_width": 64,
    "vision_patch_size": None,
}
VIT_B_32 = {
    "embed_dim": 512,
    "image_resolution": 224,
    "vision_layers": 12,
    "vision_width": 768,
    "vision_patch_size": 32,
    "transformer_width": 512,
    "transformer_heads": 8,
    "transformer_layers": 12,
} | TEXT

RN50 = VIT_B_32 | {"embed_dim": 1024, "vision_layers": (3, 4, 6, 3), "vision_width": 64, "vision_patch_size": None}


def random_clip(sizes: dict) -> torch.nn.Module:
    """Return a CLIP in float32 whose weights, like OpenAI's, are exact in half precision."""
    torch.manual_seed(0)
    network = clip.model.CLIP(**sizes).eval().requires_grad_(False)
    network.logit_scale.fill_(np.log(100))
    clip.model.convert_weights(network)
    return network.float()


def write_archive(network: torch.nn.Module, path: Path) -> Path:
    """Write a TorchScript archive in half precision, with sizes among its buffers, as OpenAI does; return `path`."""
    network = clip.model.build_model(network.state_dict()).float()
    resolution = network.visual.input_resolution
    sizes = {
        "input_resolution": resolution,
        "context_length": network.context_length,
        "vocab_size": network.vocab_size,
    }
    for key, value in sizes.items():
        if hasattr(network, key):
            delattr(network, key)
        network.register_buffer(key, torch.tensor(value))
    traced = torch.jit.trace(network, (torch.zeros(1, 3, resolution, resolution), torch.zeros(1, 77, dtype=torch.int)))
    # Traced in single precision, because the CPU computes in it; stored in half precision where openai-clip does so.
    clip.model.convert_weights(network)
    precision = {name: value.dtype for name, value in network.named_parameters()}
    for name, value in traced.named_parameters():
        value.data = value.data.to(precision[name])
    traced.save(str(path))
    return path
