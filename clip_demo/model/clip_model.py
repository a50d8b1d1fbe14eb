"""Runs a CLIP: pictures and prompts in, features out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from ..errors import PromptTooLongError
from .openai_clip import import_clip

__all__ = ["ClipModel", "encode_text"]

BATCH = 128
TEXT_BATCH = 32
MAX_WORDS = 50_000


class ClipModel:
    """A `clip.model.CLIP` behind the form that the backend asks for; see `clip_demo.encoder.Encoder`.

    Parameters
    ----------
    model : clip.model.CLIP
        In evaluation mode.
    name, note, sha256 : str
        What it is called, what it is, and its checkpoint's checksum.
    """

    def __init__(self, model: torch.nn.Module, *, name: str, note: str, sha256: str):
        self.model = model.eval().requires_grad_(False)
        self.name, self.note, self.sha256 = name, note, sha256
        self.logit_scale = float(model.logit_scale.exp())
        *resize_and_crop, _, _, normalise = import_clip().clip._transform(model.visual.input_resolution).transforms
        self._transforms = resize_and_crop
        # A byte of a channel has one of 256 values: looked up, they are openai-clip's to the last bit, and quicker.
        mean, std = torch.tensor(normalise.mean)[:, None], torch.tensor(normalise.std)[:, None]
        self._values = torch.arange(256).float().div(255).sub(mean).div(std).numpy()  # (3, 256)
        self._device = model.logit_scale.device

    def preprocess(self, picture: Image.Image) -> torch.Tensor:
        """Do openai-clip's own preprocessing of one RGB picture of any size: shape (3, height, width), float32."""
        for transform in self._transforms:
            picture = transform(picture)
        pixels = np.asarray(picture)  # (height, width, 3)
        return torch.from_numpy(np.stack([self._values[channel].take(pixels[..., channel]) for channel in range(3)]))

    @torch.inference_mode()
    def encode_pixels(self, batch: Sequence[torch.Tensor]) -> np.ndarray:
        """Encode pictures that `preprocess` has made ready.

        Parameters
        ----------
        batch : sequence of torch.Tensor, shape (3, height, width), float32

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            As ``model.encode_image`` gives them: not normalised.
        """
        return self.model.encode_image(torch.stack(list(batch)).to(self._device)).float().cpu().numpy()

    def encode_images(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Preprocess and encode RGB pictures of any size: shape (n, d), float32, not normalised."""
        starts = range(0, len(pictures), BATCH)
        return np.concatenate(
            [self.encode_pixels([self.preprocess(each) for each in pictures[i : i + BATCH]]) for i in starts]
        )

    @torch.inference_mode()
    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Encode prompts with openai-clip's tokenizer.

        Parameters
        ----------
        prompts : sequence of str
            Each at most 77 tokens, start and end included.

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            As ``model.encode_text`` gives them: not normalised.

        Raises
        ------
        PromptTooLongError
            When a prompt is too long; the message says which.
        """
        tokens = self._tokenize(list(prompts))
        # Short ones together, so that a long one stretches the context of few others.
        order = tokens.argmax(dim=-1).argsort(stable=True)
        batches = [encode_text(self.model, tokens[rows].to(self._device)) for rows in order.split(TEXT_BATCH)]
        features = torch.cat(batches).float().cpu()
        return features[order.argsort()].numpy()  # back in the order in which they came

    def _tokenize(self, prompts: list[str]) -> torch.Tensor:
        clip, limit = import_clip(), self.model.context_length
        words = clip.clip._tokenizer.cache  # openai-clip keeps every word that was ever typed
        if len(words) > MAX_WORDS:
            for word in list(words)[MAX_WORDS // 2 :]:
                words.pop(word, None)
        try:
            return clip.tokenize(prompts, context_length=limit)
        except RuntimeError:
            for prompt in prompts:
                # Two more: the marks of start and end.
                count = len(clip.clip._tokenizer.encode(prompt)) + 2
                if count > limit:
                    shown = repr(prompt if len(prompt) <= 80 else prompt[:77] + "...")
                    raise PromptTooLongError(
                        f"prompt: {shown} has {count} tokens, start and end included; at most {limit} are allowed. "
                        "Shorten the template or the class name."
                    ) from None
            raise


def encode_text(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Do what ``model.encode_text`` does, on the context cut to the longest prompt.

    The attention is causal and the feature is read at the end-of-text token, so what stands behind it changes
    nothing; for a hundred short prompts this is about ten times faster.

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
    end = tokens.argmax(dim=-1)  # the end-of-text token has the highest number, (n,)
    length = int(end.max()) + 1
    mask = model.build_attention_mask()[:length, :length].to(tokens.device, model.dtype)
    x = model.token_embedding(tokens[:, :length]).type(model.dtype)  # (n, length, width)
    x = x + model.positional_embedding[:length].type(model.dtype)
    x = x.permute(1, 0, 2)  # (length, n, width)
    for block in model.transformer.resblocks:
        y = block.ln_1(x)
        x = x + block.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        x = x + block.mlp(block.ln_2(x))
    x = model.ln_final(x.permute(1, 0, 2)).type(model.dtype)
    return x[torch.arange(len(x)), end] @ model.text_projection  # (n, d)
