"""The forward pass of vision transformers, with and without covered patches, against openai-clip's own modules."""

import copy

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_VIT, VIT_B_32, random_clip
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.vision_transformer import VisionTransformer

PIXELS = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
COVERS = torch.rand(6, 16, generator=torch.Generator().manual_seed(1)) < 0.4


def masked_by_openai_clip(network, pixels, masked):
    """Return openai-clip's features where each of its blocks has an attention mask."""
    network = copy.deepcopy(network)
    length = masked.shape[-1] + 1
    mask = torch.zeros(length, length)
    mask[:, 1:][:, masked] = -torch.inf
    for block in network.visual.transformer.resblocks:
        block.attn_mask = mask
    with torch.no_grad():
        return network.encode_image(pixels)[0]


@pytest.fixture(scope="module")
def network():
    return random_clip(SMALL_VIT)


@pytest.mark.parametrize("sizes", [{}, {"vision_width": 128, "vision_layers": 3}, {"vision_layers": 1}])
@pytest.mark.parametrize("activation", [None, torch.nn.GELU()], ids=["QuickGELU", "GELU"])
def test_features_equal_openai_clips(packed, sizes, activation):
    network = random_clip(SMALL_VIT | sizes)
    for block in network.visual.transformer.resblocks if activation else ():
        block.mlp.gelu = activation
    with torch.no_grad():
        encode = VisionTransformer(network.visual)
        for n in (1, 2, 5):
            expected = network.encode_image(PIXELS[:n])
            found = encode(PIXELS[:n])
            assert found.shape == expected.shape
            assert (found - expected).abs().max() < 3e-6 * expected.abs().max()


def test_without_a_mask_nothing_is_covered(packed, network):
    with torch.no_grad():
        encode = VisionTransformer(network.visual)
        np.testing.assert_allclose(
            encode(PIXELS[:1], torch.zeros(1, 16, dtype=torch.bool)), encode(PIXELS[:1]), atol=1e-6
        )


def test_masks_equal_openai_clips_attention_mask_in_every_block(packed, network):
    with torch.no_grad():
        ours = VisionTransformer(network.visual)(PIXELS[:1], COVERS)
    expected = torch.stack([masked_by_openai_clip(network, PIXELS[:1], each) for each in COVERS])
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert (ours[0] - ours[1]).abs().max() > 1e-3


def test_what_is_in_a_covered_patch_does_not_matter(network):
    pixels = PIXELS[:1]
    other = pixels.clone()
    other[:, :, :8, 8:16] = 5.0  # the patch in the first row, second column
    masked = torch.arange(16)[None] == 1
    with torch.no_grad():
        encode = VisionTransformer(network.visual)
        torch.testing.assert_close(encode(other, masked), encode(pixels, masked))
        assert (encode(other) - encode(pixels)).abs().max() > 1e-3


def test_a_full_size_vit_b_32_equals_openai_clip_with_and_without_a_mask():
    network = random_clip(VIT_B_32)
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    masked = torch.stack([torch.zeros(49, dtype=torch.bool), torch.arange(49) == 24])
    with torch.no_grad():
        expected = network.encode_image(pixels)
        encode = VisionTransformer(network.visual)
        ours, covered = encode(pixels), encode(pixels[:1], masked)
        expected_covered = torch.stack([expected[0], masked_by_openai_clip(network, pixels[:1], masked[1])])
    largest = float(expected.abs().max())
    np.testing.assert_allclose(ours, expected, atol=3e-6 * largest)
    np.testing.assert_allclose(covered, expected_covered, atol=1e-5 * largest)


def test_half_precision_equals_openai_clip_in_half_precision():
    network = random_clip(SMALL_VIT)
    import_clip().model.convert_weights(network)  # as on a GPU
    with torch.inference_mode():
        encode = VisionTransformer(network.visual)
        ours, covered, theirs = encode(PIXELS), encode(PIXELS[:1], COVERS), network.encode_image(PIXELS)
    assert ours.dtype == covered.dtype == theirs.dtype == torch.float16
    np.testing.assert_allclose(ours.float(), theirs.float(), atol=2e-2)
    expected = torch.stack([masked_by_openai_clip(network, PIXELS[:1], each) for each in COVERS])
    np.testing.assert_allclose(covered.float(), expected.float(), atol=2e-2)
