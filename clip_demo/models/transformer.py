"""The blocks of a transformer, in which both encoders spend their time; exact up to rounding, not approximate."""

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional

from .packing import PackedLinear, give_back, packs

QUICK_GELU = 1.702  # QuickGELU(x) = x · sigmoid(1.702 x)


class Block:
    """A residual attention block of openai-clip's.

    Parameters
    ----------
    block : clip.model.ResidualAttentionBlock
    """

    def __init__(self, block: torch.nn.Module):
        attn = block.attn
        self.heads, self.ln_1, self.ln_2 = attn.num_heads, block.ln_1, block.ln_2
        self._qkv = linear(attn.in_proj_weight, attn.in_proj_bias)
        self.out = linear(attn.out_proj.weight, attn.out_proj.bias)
        self._mlp = mlp(block.mlp)

    def qkv(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values of all heads, each of shape (..., heads, head width)."""
        return self._qkv(self.ln_1(x)).unflatten(-1, (3, self.heads, -1)).unbind(-3)

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` plus the MLP's output."""
        return x + self._mlp(self.ln_2(x))

    def __call__(self, x: torch.Tensor, attended: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the block.

        Parameters
        ----------
        x : torch.Tensor, shape (n, tokens, width)
        attended : torch.Tensor, shape (n, 1, 1, tokens), bool, optional
            False for the tokens that nothing attends to.
        """
        return self.mlp(x + self.out(attend(*self.qkv(x), attended)))


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function ``x @ weight.T + bias``, with a packed weight where that is faster."""
    if not packs(weight):
        return partial(functional.linear, weight=weight, bias=bias)
    packed = PackedLinear(weight, bias)
    give_back(weight)
    return packed


def mlp(module: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function of a block's MLP, with packed weights where that is faster.

    oneDNN has no QuickGELU, but ``QuickGELU(x) = swish(1.702 x) / 1.702``, and the factors can be part of the weights.
    """
    first, second = module.c_fc, module.c_proj
    if not packs(first.weight):
        return module
    factor, activation = (1.0, "gelu") if isinstance(module.gelu, torch.nn.GELU) else (QUICK_GELU, "swish")
    expand = PackedLinear(first.weight * factor, first.bias * factor, activation)
    reduce = PackedLinear(second.weight / factor, second.bias)
    for each in (first.weight, second.weight):
        give_back(each)
    return lambda x: reduce(expand(x))


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, attended: torch.Tensor | None = None) -> torch.Tensor:
    """Attend from queries, (n, queries, heads, head width), to keys and values, (n, tokens, heads, head width).

    Returns
    -------
    torch.Tensor, shape (n, queries, width)
        The heads side by side.
    """
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=attended).transpose(1, 2).flatten(2)
