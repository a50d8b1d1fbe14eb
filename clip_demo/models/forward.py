"""Faster forward passes of both encoders; exact up to rounding, not approximate."""

from itertools import pairwise

import torch
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from .openai_clip import import_clip


def fold_batch_norm(network: torch.nn.Module) -> None:
    """Make each batch normalisation after a convolution a part of that convolution, in place.

    In evaluation mode both are linear. ResNets have such pairs, vision transformers have none. The convolutions then
    keep the channels of a pixel together in memory, which oneDNN computes faster.

    Parameters
    ----------
    network : clip.model.CLIP
        In evaluation mode, in float32: in half precision the product of both weights would lose digits.
    """
    found = False
    for module in list(network.visual.modules()):
        for (name, conv), (next_name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, next_name, torch.nn.Identity())
                found = True
    if found:
        network.visual.to(memory_format=torch.channels_last)


def encode_image(network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Compute ``network.encode_image(pixels)``; the last block of a vision transformer only for the class token.

    The feature is read at the class token. The last block's attention needs the keys and values of all patches but
    only one query, and the MLP's output for the patches is never used: 1/15 of the work in ViT-B/32.

    Parameters
    ----------
    network : clip.model.CLIP
    pixels : torch.Tensor, shape (n, 3, height, width), float
        Preprocessed images.

    Returns
    -------
    torch.Tensor, shape (n, d)
        Not normalised.
    """
    visual = network.visual
    if not isinstance(visual, import_clip().model.VisionTransformer):
        return network.encode_image(pixels.contiguous(memory_format=torch.channels_last))
    x = embed_patches(network, pixels).transpose(0, 1)  # (1 + patches, n, width)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = block(x)
    y = last.ln_1(x)
    x = x[:1] + last.attn(y[:1], y, y, need_weights=False)[0]  # (1, n, width)
    x = x + last.mlp(last.ln_2(x))
    return visual.ln_post(x[0]) @ visual.proj


def embed_patches(network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Return the input of a vision transformer's first block, shape (n, 1 + patches, width)."""
    visual = network.visual
    patches = visual.conv1(pixels.type(network.dtype)).flatten(2).transpose(1, 2)  # (n, patches, width)
    token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    return visual.ln_pre(torch.cat([token, patches], dim=1) + visual.positional_embedding.to(patches.dtype))


def encode_text(network: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Compute ``network.encode_text(tokens)``; prefixes that prompts share only once.

    The attention is causal: the activations at a token depend on this token and those before it. So prompts with the
    same prefix, such as "a photo of a", share the activations there, and nothing is computed after the end-of-text
    token, where the feature is read.

    Parameters
    ----------
    network : clip.model.CLIP
    tokens : torch.Tensor, shape (n, context), int
        From ``clip.tokenize``.

    Returns
    -------
    torch.Tensor, shape (n, d)
        Not normalised.
    """
    device = network.text_projection.device
    last_tokens, paths, ends = _distinct_prefixes(tokens.long().cpu())
    sizes, paths = [len(each) for each in last_tokens], [each.to(device) for each in paths]
    positions = torch.cat([torch.full_like(each, position) for position, each in enumerate(last_tokens)]).to(device)
    x = network.token_embedding(torch.cat(last_tokens).to(device)).type(network.dtype)  # (prefixes, width)
    x = x + network.positional_embedding[positions].type(network.dtype)
    for block in network.transformer.resblocks:
        attn = block.attn
        qkv = functional.linear(block.ln_1(x), attn.in_proj_weight, attn.in_proj_bias)
        q, k, v = qkv.unflatten(-1, (3, attn.num_heads, -1)).unbind(1)  # each (prefixes, heads, head width)
        attended = [_attend(each, k[path], v[path]) for each, path in zip(q.split(sizes), paths, strict=True)]
        x = x + attn.out_proj(torch.cat(attended).flatten(1))
        x = x + block.mlp(block.ln_2(x))
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
