"""The forward pass of the text encoder; prefixes that prompts share only once."""

import torch
from torch.nn import functional

from .transformer import Block


class TextEncoder:
    """The text encoder of a CLIP.

    The attention is causal: the activations at a token depend on this token and those before it. So prompts with the
    same prefix, such as "a photo of a", share the activations there, and nothing is computed after the end-of-text
    token, where the feature is read.

    Parameters
    ----------
    network : clip.model.CLIP
    """

    def __init__(self, network: torch.nn.Module):
        self._network = network
        self._blocks = [Block(each) for each in network.transformer.resblocks]

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the features of prompts, as ``network.encode_text`` computes them.

        Parameters
        ----------
        tokens : torch.Tensor, shape (n, context), int
            From ``clip.tokenize``.

        Returns
        -------
        torch.Tensor, shape (n, d)
            Not normalised.
        """
        network, device = self._network, self._network.text_projection.device
        last_tokens, paths, ends = _distinct_prefixes(tokens.long().cpu())
        sizes, paths = [len(each) for each in last_tokens], [each.to(device) for each in paths]
        positions = torch.cat([torch.full_like(each, position) for position, each in enumerate(last_tokens)]).to(device)
        x = network.token_embedding(torch.cat(last_tokens).to(device)).type(network.dtype)  # (prefixes, width)
        x = x + network.positional_embedding[positions].type(network.dtype)
        for block in self._blocks:
            q, k, v = block.qkv(x)  # each (prefixes, heads, head width)
            heads = [_attend(each, k[path], v[path]) for each, path in zip(q.split(sizes), paths, strict=True)]
            x = block.mlp(x + block.out(torch.cat(heads).flatten(1)))
        return network.ln_final(x[ends.to(device)]).type(network.dtype) @ network.text_projection


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attend from one token, (n, heads, width), to the prefix that ends with it, (n, length, heads, width)."""
    return functional.scaled_dot_product_attention(q[:, :, None], k.transpose(1, 2), v.transpose(1, 2)).squeeze(2)


def _distinct_prefixes(tokens: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Enumerate the distinct prefixes of the prompts, up to the end-of-text token, in order of their length.

    Returns
    -------
    last_tokens : list of torch.Tensor, shape (prefixes of this length,)
        For each length from 1, the last token of each prefix.
    paths : list of torch.Tensor, shape (prefixes of this length, length)
        For each length from 1, the numbers of all prefixes of each prefix, its own last.
    ends : torch.Tensor, shape (n,)
        The number of each whole prompt.
    """
    end = tokens.argmax(dim=-1)  # the end-of-text token has the highest number
    numbers = torch.zeros_like(tokens)  # of the prefix that ends here
    last_tokens, paths, count = [], [], 0
    for position in range(int(end.max()) + 1):
        rows = (end >= position).nonzero().squeeze(1)
        # Two prefixes are equal if they were so without their last tokens, and these are equal.
        before = numbers[rows, position - 1] if position else torch.zeros_like(rows)
        pairs, which = torch.stack([before, tokens[rows, position]]).unique(dim=1, return_inverse=True)
        numbers[rows, position] = which + count
        path = numbers.new_empty(pairs.shape[1], position + 1)
        paths.append(path.index_copy(0, which, numbers[rows, : position + 1]))
        last_tokens.append(pairs[1])
        count += pairs.shape[1]
    return last_tokens, paths, numbers.gather(1, end[:, None]).squeeze(1)
