"""The forward pass of a vision transformer in which nothing attends to some of the patches."""

import torch
from torch.nn import functional

from .forward import embed_patches

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


def encode_masked(network: torch.nn.Module, pixels: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    """Compute ``network.encode_image(pixels)`` for each mask: no token attends to the masked patches in any layer.

    A masked patch has the attention logit minus infinity as a key. Nothing is read from it then, so the result is that
    of an image that never had the patch.

    Parameters
    ----------
    network : clip.model.CLIP
        With a vision transformer.
    pixels : torch.Tensor, shape (1, 3, height, width), float
        One preprocessed image.
    masked : torch.Tensor, shape (n, patches), bool

    Returns
    -------
    torch.Tensor, shape (n, d)
        Not normalised.
    """
    visual = network.visual
    attended = functional.pad(~masked, (1, 0), value=True)[:, None, None]  # (n, 1, 1, 1 + patches)
    x = embed_patches(network, pixels).expand(len(masked), -1, -1)  # (n, 1 + patches, width)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = x + attend(block.attn, block.ln_1(x), attended)
        x = x + block.mlp(block.ln_2(x))
    x = x[:, :1] + attend(last.attn, last.ln_1(x), attended, queries=1)  # (n, 1, width), as in `encode_image`
    x = x + last.mlp(last.ln_2(x))
    return visual.ln_post(x[:, 0]) @ visual.proj


def attend(attn: torch.nn.Module, y: torch.Tensor, attended: torch.Tensor, queries: int | None = None) -> torch.Tensor:
    """Return the attention's output, shape (n, queries, width), at the first tokens of y, (n, tokens, width)."""
    qkv = functional.linear(y, attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = qkv.unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)  # each (n, heads, tokens, head width)
    out = functional.scaled_dot_product_attention(q[:, :, :queries], k, v, attn_mask=attended)
    return attn.out_proj(out.transpose(1, 2).flatten(2))
