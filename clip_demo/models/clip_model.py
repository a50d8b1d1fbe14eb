"""A CLIP in torch behind the encoder interface."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError
from .checkpoint import Checkpoint
from .data_parallel import run_data_parallel
from .forward import encode_image, encode_text, fold_batch_norm
from .openai_clip import import_clip
from .tokenizer import tokenize, tokens


class ClipModel:
    """A `clip.model.CLIP` that implements `clip_demo.models.encoder.Encoder`.

    Parameters
    ----------
    network : clip.model.CLIP
    name, note, sha256 : str
        See `Encoder`.
    checkpoint : Checkpoint, optional
        The checkpoint that the network came from, where it is not a model with a name.

    Attributes
    ----------
    network : clip.model.CLIP
        In evaluation mode, for what the encoder interface does not offer, such as gradients or hooks. On a CPU, the
        batch normalisations of a ResNet are folded into its convolutions.
    transform : torchvision.transforms.Compose
        Turns an RGB image into the network's input, shape (3, height, width), as openai-clip's ``preprocess``.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        *,
        name: str,
        note: str,
        sha256: str,
        checkpoint: Checkpoint | None = None,
    ):
        self.network, self.checkpoint = network.eval().requires_grad_(False), checkpoint
        self.name, self.note, self.sha256 = name, note, sha256
        self.logit_scale = float(network.logit_scale.exp())
        # openai-clip's transforms: resize, crop and convert with Pillow; then to a tensor, and normalise.
        self.transform = import_clip().clip._transform(network.visual.input_resolution)
        *self._image_transforms, _, normalize = self.transform.transforms
        if checkpoint is not None:
            normalize.mean, normalize.std = checkpoint.marks.mean, checkpoint.marks.std
        self._mean, self._std = (torch.tensor(each).view(3, 1, 1) for each in (normalize.mean, normalize.std))
        self._device = network.logit_scale.device
        if self._device.type == "cpu":
            fold_batch_norm(network)

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Resize and crop an RGB image of any size to the model's: shape (height, width, 3), uint8.

        This is the part of openai-clip's preprocessing that uses Pillow. The part that uses torch is left to
        `encode_images`, because torch starts helper threads for every thread that calls it, and those of many visitors
        would slow down the encoder.
        """
        for transform in self._image_transforms:
            image = transform(image)
        return np.asarray(image)

    def encode_images(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the features of images from `preprocess`, as ``network.encode_image`` computes them.

        Parameters
        ----------
        inputs : sequence of numpy.ndarray, shape (height, width, 3), uint8

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            Not normalised.
        """
        return self._checked(
            run_data_parallel(self._forward, inputs) if self._device.type == "cpu" else self._forward(inputs)
        )

    def _checked(self, features: np.ndarray) -> np.ndarray:
        """Return features of which the cosines are numbers; finite weights can be too large, or all zero."""
        lengths = np.linalg.norm(features.astype(np.float64), axis=-1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise ModelError(
                f"model: {self.name!r} computes features that are zero or no numbers, so it has no predictions; its "
                "weights are damaged or too large. Use another model.",
                page=f"{self.name} gives no usable numbers: its weights are damaged. Choose another model.",
            )
        return features

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        pixels = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2).contiguous()  # (n, 3, height, width)
        pixels = pixels.float().div(255).sub_(self._mean).div_(self._std)
        return encode_image(self.network, pixels.to(self._device)).float().cpu().numpy()

    def tokens(self, prompt: str) -> bytes:
        """Return what the features of a prompt depend on; see `clip_demo.models.tokenizer.tokens`."""
        return tokens(prompt)

    @torch.inference_mode()
    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the features of prompts, as ``network.encode_text`` computes them.

        Parameters
        ----------
        prompts : sequence of str
            At most 77 tokens each, including start and end of text.

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            Not normalised.

        Raises
        ------
        PromptTooLongError
            When a prompt has too many tokens; the message names it.
        """
        numbers = torch.from_numpy(tokenize(list(prompts), self.network.context_length))
        return self._checked(encode_text(self.network, numbers).float().cpu().numpy())
