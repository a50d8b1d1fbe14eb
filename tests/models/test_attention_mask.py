"""The forward pass with covered patches against openai-clip's own modules."""

import copy

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, VIT_B_32, random_clip
from clip_demo.models.attention_mask import cells_per_side, encode_masked, patch_groups
from clip_demo.models.clip_model import ClipModel
from clip_demo.models.openai_clip import import_clip

PIXELS = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
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


def test_without_a_mask_it_equals_encode_image(network):
    with torch.no_grad():
        expected = network.encode_image(PIXELS)
        np.testing.assert_allclose(
            encode_masked(network, PIXELS, torch.zeros(1, 16, dtype=torch.bool)), expected, atol=1e-6
        )


def test_masks_equal_openai_clips_attention_mask_in_every_block(network):
    with torch.no_grad():
        ours = encode_masked(network, PIXELS, COVERS)
    expected = torch.stack([masked_by_openai_clip(network, PIXELS, each) for each in COVERS])
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert (ours[0] - ours[1]).abs().max() > 1e-3


def test_what_is_in_a_covered_patch_does_not_matter(network):
    other = PIXELS.clone()
    other[:, :, :8, 8:16] = 5.0  # the patch in the first row, second column
    masked = torch.arange(16)[None] == 1
    with torch.no_grad():
        torch.testing.assert_close(encode_masked(network, other, masked), encode_masked(network, PIXELS, masked))
        assert (network.encode_image(other) - network.encode_image(PIXELS)).abs().max() > 1e-3


def test_a_full_size_vit_b_32_equals_openai_clip_with_and_without_a_mask():
    network = random_clip(VIT_B_32)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    masked = torch.stack([torch.zeros(49, dtype=torch.bool), torch.arange(49) == 24])
    with torch.no_grad():
        ours = encode_masked(network, pixels, masked)
        expected = torch.stack([network.encode_image(pixels)[0], masked_by_openai_clip(network, pixels, masked[1])])
    np.testing.assert_allclose(ours, expected, atol=1e-5 * float(expected.abs().max()))


def test_half_precision_equals_openai_clip_in_half_precision():
    network = random_clip(SMALL_VIT)
    import_clip().model.convert_weights(network)  # as on a GPU
    with torch.no_grad():
        ours = encode_masked(network, PIXELS, COVERS)
    assert ours.dtype == torch.float16
    expected = torch.stack([masked_by_openai_clip(network, PIXELS, each) for each in COVERS])
    np.testing.assert_allclose(ours.float(), expected.float(), atol=2e-2)


@pytest.mark.parametrize(("grid", "side"), [(4, 4), (7, 7), (14, 7), (16, 8), (24, 8), (9, 5)])
def test_patches_are_grouped_into_at_most_64_cells(grid, side):
    cells = patch_groups(grid).reshape(grid, grid)
    assert cells_per_side(grid) == side and sorted(set(cells.flatten().tolist())) == list(range(side * side))
    size = -(-grid // side)
    for row in range(grid):
        for column in range(grid):
            assert cells[row, column] == side * (row // size) + column // size


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_covers_at_once_equal_covers_one_by_one(sizes, images):
    model = ClipModel(random_clip(sizes), name="x", note="", sha256="0" * 64)
    pixels, side = model.preprocess(images[3]), model.anatomy.cover_grid
    covers = np.random.default_rng(0).random((7, side, side)) < 0.3
    covers[0] = False
    one_by_one = np.concatenate([model.encode_covered(pixels, cover[None]) for cover in covers])
    np.testing.assert_allclose(model.encode_covered(pixels, covers), one_by_one, atol=1e-6)
    np.testing.assert_allclose(one_by_one[:1], model.encode_images([pixels]), atol=1e-6)


def test_a_resnet_sees_the_mean_colour_in_covered_cells(images):
    model = ClipModel(random_clip(SMALL_RESNET), name="x", note="", sha256="0" * 64)
    pixels = model.preprocess(images[3])  # 32×32, so 4×4 pixels a cell
    cover = np.zeros((1, 8, 8), dtype=bool)
    cover[0, 2, 5] = True
    painted = pixels.copy()
    painted[8:12, 20:24] = np.rint(pixels.mean(axis=(0, 1)))
    np.testing.assert_array_equal(model.encode_covered(pixels, cover), model.encode_images([painted]))
