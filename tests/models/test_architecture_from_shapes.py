"""The architecture of a checkpoint, inferred from the shapes of its tensors."""

import pytest
import torch

from clip_demo.models.architecture import build_clip, infer_architecture
from clip_demo.models.catalog import OPENAI_MODEL_MEGABYTES, OPENAI_MODELS
from clip_demo.models.openai_clip import import_clip

# Radford et al. 2021, tables 19 and 20: embed_dim, image_resolution, vision_layers, vision_width, vision_patch_size,
# transformer_width, transformer_heads.
ARCHITECTURES = {
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 512, 8),
    "RN101": (512, 224, (3, 4, 23, 3), 64, None, 512, 8),
    "RN50x4": (640, 288, (4, 6, 10, 6), 80, None, 640, 10),
    "RN50x16": (768, 384, (6, 8, 18, 8), 96, None, 768, 12),
    "RN50x64": (1024, 448, (3, 15, 36, 10), 128, None, 1024, 16),
    "ViT-B/32": (512, 224, 12, 768, 32, 512, 8),
    "ViT-B/16": (512, 224, 12, 768, 16, 512, 8),
    "ViT-L/14": (768, 224, 24, 1024, 14, 768, 12),
    "ViT-L/14@336px": (768, 336, 24, 1024, 14, 768, 12),
}


def arguments(name):
    keys = ("embed_dim", "image_resolution", "vision_layers", "vision_width", "vision_patch_size")
    keys += ("transformer_width", "transformer_heads")
    result = dict(zip(keys, ARCHITECTURES[name], strict=True))
    return result | {"context_length": 77, "vocab_size": 49408, "transformer_layers": 12}


def empty_network(name):
    with torch.device("meta"):
        return import_clip().model.CLIP(**arguments(name))


@pytest.mark.parametrize("name", OPENAI_MODELS)
def test_every_architecture_is_inferred(name):
    network = empty_network(name)
    assert infer_architecture(network.state_dict()) == arguments(name)
    built = build_clip(network.state_dict())
    assert {k: v.shape for k, v in built.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}


@pytest.mark.parametrize("name", OPENAI_MODELS)
def test_the_sizes_on_the_page_follow_from_the_architectures(name):
    network = empty_network(name)
    import_clip().model.convert_weights(network)
    size = sum(each.numel() * each.element_size() for each in network.state_dict().values())
    assert OPENAI_MODEL_MEGABYTES[name] == round(size / 1e6)
