"""Runs a CLIP: images and prompts in, features out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from ..errors import PromptTooLongError
from .data_parallel import divided
from .forward import encode_image, encode_text
from .openai_clip import import_clip

__all__ = ["ClipModel"]

BATCH = 128
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
        # openai-clip's own steps: resize, crop, convert; then to numbers, and normalise.
        *self._on_image, _, normalize = import_clip().clip._transform(model.visual.input_resolution).transforms
        self._mean, self._std = (torch.tensor(each).view(3, 1, 1) for each in (normalize.mean, normalize.std))
        self._device = model.logit_scale.device

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Bring an RGB image of any size to the model's: shape (height, width, 3), uint8.

        What openai-clip's preprocessing does with Pillow. What it does with torch is left to `encode_pixels`: torch
        keeps helpers for every thread that calls it, and those of thirty visitors would keep the encoder from its work.
        """
        for step in self._on_image:
            image = step(image)
        return np.asarray(image)

    def encode_pixels(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Encode images that `preprocess` has made ready.

        Parameters
        ----------
        batch : sequence of numpy.ndarray, shape (height, width, 3), uint8

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            As ``model.encode_image`` gives them: not normalised.
        """
        return divided(self._forward, batch) if self._device.type == "cpu" else self._forward(batch)

    @torch.inference_mode()
    def _forward(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        pixels = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).contiguous()  # (n, 3, height, width)
        pixels = pixels.float().div(255).sub_(self._mean).div_(self._std)
        return encode_image(self.model, pixels.to(self._device)).float().cpu().numpy()

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Preprocess and encode RGB images of any size: shape (n, d), float32, not normalised."""
        starts = range(0, len(images), BATCH)
        return np.concatenate(
            [self.encode_pixels([self.preprocess(each) for each in images[i : i + BATCH]]) for i in starts]
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
        return encode_text(self.model, tokens).float().cpu().numpy()

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
