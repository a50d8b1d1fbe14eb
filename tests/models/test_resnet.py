"""The forward pass of ResNets against openai-clip's."""

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, random_clip
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.resnet import MIN_BATCH, ResNet


def random_norms(network):
    """Give the batch normalisations random weights; those of a new network change nothing."""
    random = torch.Generator().manual_seed(1)
    for norm in (each for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)):
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            values.copy_(torch.rand(values.shape, generator=random) + 0.5)
    return network


@pytest.mark.parametrize("sizes", [{}, {"vision_layers": (2, 1, 3, 1)}, {"image_resolution": 96}])
@pytest.mark.parametrize("n", [1, 3, MIN_BATCH, MIN_BATCH + 3])
@torch.no_grad()
def test_features_equal_openai_clips(packed, sizes, n):
    network = random_norms(random_clip(SMALL_RESNET | sizes))
    side = network.visual.input_resolution
    pixels = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(0))
    expected, before = network.encode_image(pixels), pixels.clone()
    encode = ResNet(network.visual)
    found = encode(pixels)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    torch.testing.assert_close(encode(pixels), found, rtol=0, atol=0)  # what is overwritten is its own
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@torch.no_grad()
def test_the_output_of_each_stage_equals_openai_clips(packed, count):
    network = random_norms(random_clip(SMALL_RESNET | {"image_resolution": 96}))
    caught = []
    layer = getattr(network.visual, f"layer{count}")
    layer.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    pixels = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    network.encode_image(pixels)
    found = ResNet(network.visual).after_stages(pixels, count)
    assert (found - caught[0]).abs().max() < 1e-5 * caught[0].abs().max()


def test_half_precision_equals_openai_clip_in_half_precision():
    network = random_clip(SMALL_RESNET)
    import_clip().model.convert_weights(network)  # as on a GPU
    pixels = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = ResNet(network.visual)(pixels), network.encode_image(pixels)
    assert ours.dtype == theirs.dtype == torch.float16
    np.testing.assert_allclose(ours.float(), theirs.float(), atol=2e-2)
