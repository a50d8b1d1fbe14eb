"""The forward pass of a vision transformer."""

import torch
from torch.nn import functional

from .transformer import Block, attend, linear


class VisionTransformer:
    """The image encoder of a ViT; its last block only for the class token, at which the feature is read.

    Parameters
    ----------
    visual : clip.model.VisionTransformer
    """

    def __init__(self, visual: torch.nn.Module):
        self._visual = visual
        self._project_patches = linear(visual.conv1.weight.flatten(1), None)
        *blocks, last = visual.transformer.resblocks
        self._blocks, self._last = [Block(each) for each in blocks], last
        width = last.attn.embed_dim
        weights, biases = (
            each.split([width, 2 * width]) for each in (last.attn.in_proj_weight, last.attn.in_proj_bias)
        )
        self._query, self._keys_values = map(linear, weights, biases)

    def __call__(self, pixels: torch.Tensor, masked: torch.Tensor | None = None) -> torch.Tensor:
        """Return the features of images, as ``network.encode_image`` computes them.

        Parameters
        ----------
        pixels : torch.Tensor, shape (n, 3, height, width), float
            Preprocessed images; a single one where there are masks, of which each is applied to it.
        masked : torch.Tensor, shape (n, patches), bool, optional
            The patches that no token attends to, in any block. Nothing is read from them then, so the result is that of
            an image that never had them.

        Returns
        -------
        torch.Tensor, shape (n, d)
            Not normalised.
        """
        attended = None if masked is None else functional.pad(~masked, (1, 0), value=True)[:, None, None]
        x = self.before_last_block(pixels, attended)  # (n, tokens, width)
        heads = attend(*self.last_qkv(x), attended)
        return self.after_last_attention(x[:, 0], heads[:, 0])

    def before_last_block(self, pixels: torch.Tensor, attended: torch.Tensor | None = None) -> torch.Tensor:
        """Return the input of the last block, shape (n, 1 + patches, width); `attended` as in `Block`."""
        visual, side = self._visual, self._visual.conv1.kernel_size[0]
        patches = pixels.type(visual.conv1.weight.dtype).unfold(2, side, side).unfold(3, side, side)
        patches = patches.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)  # (n, patches, 3 * side * side)
        patches = self._project_patches(patches)
        token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = torch.cat([token, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        x = visual.ln_pre(x)
        if attended is not None:
            x = x.expand(len(attended), -1, -1)
        for block in self._blocks:
            x = block(x, attended)
        return x

    def last_qkv(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the last block's query of the class token, and its keys and values of all tokens; see `Block.qkv`."""
        y, heads = self._last.ln_1(x), self._last.attn.num_heads
        query = self._query(y[:, :1]).unflatten(-1, (heads, -1))
        return query, *self._keys_values(y).unflatten(-1, (2, heads, -1)).unbind(-3)

    def after_last_attention(self, token: torch.Tensor, heads: torch.Tensor) -> torch.Tensor:
        """Return the features from the class token and what its heads found, both of shape (n, width)."""
        last, visual = self._last, self._visual
        token = token + last.attn.out_proj(heads)
        token = token + last.mlp(last.ln_2(token))
        return visual.ln_post(token) @ visual.proj
