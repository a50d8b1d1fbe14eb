"""The cells of an image that can be covered: in a vision transformer, patches that nothing attends to."""

import torch

MAX_CELLS = 8  # a side: 64 forward passes are what a visitor may wait for


def patch_groups(grid: int) -> torch.Tensor:
    """Return the cell of each patch, shape (grid * grid,), int64: single patches, or squares of them.

    The squares are the smallest with at most `MAX_CELLS` cells a side, so 2×2 patches of ViT-B/16 make a cell.
    """
    side = cells_per_side(grid)
    row = torch.arange(grid) // -(-grid // side)
    return (side * row[:, None] + row).flatten()


def cells_per_side(grid: int) -> int:
    """Return how many cells a side a grid of patches is grouped into.

    >>> [cells_per_side(grid) for grid in (7, 14, 16, 24)]
    [7, 7, 8, 8]
    """
    return -(-grid // -(-grid // MAX_CELLS))
