"""Covered cells of an image."""

import numpy as np
import pytest

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.models.clip_model import ClipModel
from clip_demo.models.cover_grid import cells_per_side, patch_groups


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
