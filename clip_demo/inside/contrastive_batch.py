"""How CLIP learns: a batch of images and captions, and its symmetric loss (Radford et al. 2021, figure 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False)
class BatchImage:
    """An image that may be in the batch.

    Attributes
    ----------
    source : str
        Its name: ``"shapes100 220"`` or ``"cat.jpg"``.
    caption : str
        The caption that it comes with.
    image : PIL image
        In RGB: 32×32 for Shapes-100.
    """

    source: str
    caption: str
    image: Image.Image


@dataclass(frozen=True, eq=False)
class ContrastiveBatch:
    """A batch of n images, n captions and their loss.

    Attributes
    ----------
    sources, captions : tuple of str
        Image i belongs to caption i.
    cosines : numpy.ndarray, shape (n, n), float64
        Image i with caption j.
    logit_scale : float
    to_text : numpy.ndarray, shape (n, n), float64
        Softmax of each row of the logits: which caption belongs to image i. Rows sum to 1.
    to_image : numpy.ndarray, shape (n, n), float64
        Softmax of each column: which image belongs to caption j. Columns sum to 1.
    image_loss, text_loss : float
        Mean of ``-log`` of the diagonals of `to_text` and of `to_image`.
    loss : float
        Their mean.
    chance : float
        The loss of a model that knows nothing: ``log n``.
    right_captions, right_images : int
        How many rows, and columns, have their largest cosine on the diagonal.
    progress : float or None
        Of a training snapshot: how much of the training was done, 0 to 1; None for the model as it is.
    """

    sources: tuple[str, ...]
    captions: tuple[str, ...]
    cosines: np.ndarray
    logit_scale: float
    to_text: np.ndarray
    to_image: np.ndarray
    image_loss: float
    text_loss: float
    loss: float
    chance: float
    right_captions: int
    right_images: int
    progress: float | None
