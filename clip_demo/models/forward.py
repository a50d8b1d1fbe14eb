"""The two encoders' forward passes, without what never reaches the features; exact, not approximations."""

from __future__ import annotations

import torch
from torch.nn import functional

from .openai_clip import import_clip

__all__ = ["encode_image", "encode_text"]


def encode_image(model: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Do what ``model.encode_image`` does; of a vision transformer's last block, only for the class token.

    The feature is read at that token alone. The last block's attention looks at all patches, but asks for one, and
    what it would go on to compute for the others is never read: a fifteenth of ViT-B/32.

    Parameters
    ----------
    model : clip.model.CLIP
    pixels : torch.Tensor, shape (n, 3, height, width), float
        Preprocessed.

    Returns
    -------
    torch.Tensor, shape (n, d)
        Not normalised.
    """
    visual = model.visual
    if not isinstance(visual, import_clip().model.VisionTransformer):
        return model.encode_image(pixels)
    patches = visual.conv1(pixels.type(model.dtype)).flatten(2).transpose(1, 2)  # (n, patches, width)
    token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    x = torch.cat([token, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
    x = visual.ln_pre(x).transpose(0, 1)  # (1 + patches, n, width)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = block(x)
    y = last.ln_1(x)
    x = x[:1] + last.attn(y[:1], y, y, need_weights=False)[0]
    x = x + last.mlp(last.ln_2(x))
    return visual.ln_post(x[0]) @ visual.proj


def encode_text(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Do what ``model.encode_text`` does; what prompts begin with in common, once for all of them.

    The attention is causal: what is computed at a token depends on it and on those before it alone. So prompts with
    the same beginning share what is computed there ("a photo of a" for all classes), and what stands behind the
    end-of-text token, where the feature is read, is not computed at all.

    Parameters
    ----------
    model : clip.model.CLIP
    tokens : torch.Tensor, shape (n, context), int
        As ``clip.tokenize`` gives them.

    Returns
    -------
    torch.Tensor, shape (n, d)
        Not normalised.
    """
    device = model.text_projection.device
    words, paths, ends = _beginnings(tokens.long().cpu())
    sizes, paths = [len(each) for each in words], [each.to(device) for each in paths]
    places = torch.cat([torch.full_like(each, place) for place, each in enumerate(words)]).to(device)
    x = model.token_embedding(torch.cat(words).to(device)).type(model.dtype)  # (beginnings, width)
    x = x + model.positional_embedding[places].type(model.dtype)
    for block in model.transformer.resblocks:
        own = block.attn
        qkv = functional.linear(block.ln_1(x), own.in_proj_weight, own.in_proj_bias)
        q, k, v = qkv.unflatten(-1, (3, own.num_heads, -1)).unbind(1)  # each (beginnings, heads, width)
        seen = [_look_back(each, k[path], v[path]) for each, path in zip(q.split(sizes), paths, strict=True)]
        x = x + own.out_proj(torch.cat(seen).flatten(1))
        x = x + block.mlp(block.ln_2(x))
    return model.ln_final(x[ends.to(device)]).type(model.dtype) @ model.text_projection


def _look_back(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attend from one token, (n, heads, width), to the whole beginning that it ends, (n, length, heads, width)."""
    return functional.scaled_dot_product_attention(q[:, :, None], k.transpose(1, 2), v.transpose(1, 2)).squeeze(2)


def _beginnings(tokens: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
    """Give a number to each different beginning of the prompts, up to the end-of-text token; the shortest first.

    Returns
    -------
    words : list of torch.Tensor, shape (beginnings,)
        For each length from 1, the last token of each beginning of that length.
    paths : list of torch.Tensor, shape (beginnings, length)
        The numbers of the beginnings that each consists of, itself last.
    ends : torch.Tensor, shape (n,)
        The number of each whole prompt.
    """
    end = tokens.argmax(dim=-1)  # the end-of-text token has the highest number
    numbers = torch.zeros_like(tokens)  # of the beginning that ends here
    words, paths, count = [], [], 0
    for place in range(int(end.max()) + 1):
        rows = (end >= place).nonzero().squeeze(1)
        # Two prompts begin alike where they did so one token ago, and have the same token here.
        pairs = torch.stack([numbers[rows, place - 1] if place else torch.zeros_like(rows), tokens[rows, place]])
        pairs, which = pairs.unique(dim=1, return_inverse=True)
        numbers[rows, place] = which + count
        paths.append(numbers.new_empty(pairs.shape[1], place + 1).index_copy(0, which, numbers[rows, : place + 1]))
        words.append(pairs[1])
        count += pairs.shape[1]
    return words, paths, numbers.gather(1, end[:, None]).squeeze(1)
