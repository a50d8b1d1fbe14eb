"""A CLIP in torch behind the encoder interface."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from ..errors import ModelError
from .checkpoint import Checkpoint
from .cover_grid import MAX_CELLS, cells_per_side, patch_groups
from .data_parallel import run_data_parallel
from .encoder import Anatomy, Token
from .gradient_maps import grad_eclip, hires_cam
from .openai_clip import import_clip
from .preprocessing import Preprocessing
from .resnet import ResNet
from .text_encoder import TextEncoder
from .tokenizer import token_pieces, tokenize, tokens
from .vision_transformer import VisionTransformer


class ClipModel:
    """A `clip.model.CLIP` that implements `clip_demo.models.encoder.InspectableEncoder`.

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
        In evaluation mode, for what the encoder interface does not offer, such as gradients or hooks. The features are
        computed with copies of most of its weights, so after a change make another ``ClipModel`` of it.
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
        self._preprocessing = Preprocessing(network.visual.input_resolution)
        self.transform, normalize = self._preprocessing.transform, self._preprocessing.normalize
        if checkpoint is not None:
            normalize.mean, normalize.std = checkpoint.marks.mean, checkpoint.marks.std
        self._mean, self._std = (torch.tensor(each).view(3, 1, 1) for each in (normalize.mean, normalize.std))
        self._device = network.logit_scale.device
        self._is_vit = isinstance(network.visual, import_clip().model.VisionTransformer)
        self.heat_map_method = "Grad-ECLIP" if self._is_vit else "HiResCAM"
        self._encode_image = (VisionTransformer if self._is_vit else ResNet)(network.visual)
        self._encode_text = TextEncoder(network)

    @property
    def _same(self) -> Callable[[torch.nn.Module], Self]:
        """What makes this model from its network, or from a copy of that."""
        return partial(type(self), name=self.name, note=self.note, sha256=self.sha256, checkpoint=self.checkpoint)

    def __reduce__(self):
        return self._same, (self.network,)  # packed weights cannot be pickled

    @property
    def assumption(self) -> str:
        """What was assumed of a checkpoint that does not say it; see `clip_demo.models.checkpoint.Checkpoint`."""
        return self.checkpoint.assumption if self.checkpoint else ""

    def on_gpu(self) -> Self:
        """Return a copy on the GPU if there is one, otherwise on the CPU: in float32, and its features are the same.

        For a process that has a GPU for a short time only: this process then computes without TF32, which has only
        10 bits of each number's fraction.
        """
        torch.backends.cudnn.allow_tf32 = False
        network = copy.deepcopy(self.network).to("cuda" if torch.cuda.is_available() else "cpu")
        return self._same(network)

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Resize and crop an RGB image of any size to the model's: shape (height, width, 3), uint8."""
        return self._preprocessing.pixels(image)

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
        return self._checked(self._in_parallel(self._forward, inputs))

    def _in_parallel(self, work: Callable[[Sequence], np.ndarray], items: Sequence) -> np.ndarray:
        # The convolutions of a ResNet are packed for all cores.
        parallel = self._device.type == "cpu" and self._is_vit
        return run_data_parallel(work, items) if parallel else work(items)

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
        return self._encode_image(self._scaled(inputs)).float().cpu().numpy()

    def _scaled(self, inputs: Sequence[np.ndarray]) -> torch.Tensor:
        """Return the network's input, shape (n, 3, height, width), float32."""
        pixels = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2).contiguous()
        return pixels.float().div(255).sub_(self._mean).div_(self._std).to(self._device)

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
        return self._checked(self._encode_text(numbers).float().cpu().numpy())

    # --- the inside -----------------------------------------------------------------------------------------------

    @property
    def anatomy(self) -> Anatomy:
        """Sizes of the model."""
        visual = self.network.visual
        side = visual.input_resolution
        grid = side // visual.conv1.kernel_size[0] if self._is_vit else side // 32
        return Anatomy(
            kind="ViT" if self._is_vit else "ResNet",
            resolution=side,
            grid=grid,
            cover_grid=cells_per_side(grid) if self._is_vit else MAX_CELLS,
            dimensions=self.network.text_projection.shape[1],
            context_length=self.network.context_length,
        )

    def token_pieces(self, prompt: str) -> tuple[Token, ...]:
        """Return a prompt's tokens, from start to end of text."""
        return token_pieces(prompt, self.network.context_length)

    def encode_covered(self, pixels: np.ndarray, covers: np.ndarray) -> np.ndarray:
        """Return the features of one image with cells covered; see `InspectableEncoder.encode_covered`.

        In a vision transformer nothing attends to the patches of a covered cell. In a ResNet the cell gets the image's
        mean colour.
        """
        work = partial(self._encode_masked, pixels) if self._is_vit else partial(self._encode_painted, pixels)
        return self._in_parallel(work, covers)

    @torch.inference_mode()
    def _encode_masked(self, pixels: np.ndarray, covers: np.ndarray) -> np.ndarray:
        masked = torch.from_numpy(covers).flatten(1)[:, patch_groups(self.anatomy.grid)]  # (n, patches)
        return self._encode_image(self._scaled([pixels]), masked.to(self._device)).float().cpu().numpy()

    def _encode_painted(self, pixels: np.ndarray, covers: np.ndarray) -> np.ndarray:
        cell = np.arange(len(pixels)) * covers.shape[1] // len(pixels)  # of each row and column of pixels
        painted = covers[:, cell[:, None], cell, None]  # (n, height, width, 1)
        mean = np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8)
        return self._forward(np.where(painted, mean, pixels))

    def gradient_maps(self, pixels: np.ndarray, directions: np.ndarray, normalized: bool) -> np.ndarray:
        """Return a heat map for each score ``direction · features``; see `InspectableEncoder.gradient_maps`."""
        weights = torch.from_numpy(np.asarray(directions, np.float32)).to(self._device)

        def scores(features: torch.Tensor) -> torch.Tensor:
            features = features.float()
            return weights @ (functional.normalize(features) if normalized else features)[0]

        maps = (grad_eclip if self._is_vit else hires_cam)(self._encode_image, self._scaled([pixels]), scores)
        return maps.double().cpu().numpy()
