"""openai-clip's preprocessing of an image, in two parts: with Pillow, and with torch."""

import numpy as np
from PIL import Image

from .openai_clip import import_clip


class Preprocessing:
    """Turns an RGB image of any size into pixels, and says how an encoder normalises these.

    Parameters
    ----------
    resolution : int
        Side of the model's input in pixels.

    Attributes
    ----------
    transform : torchvision.transforms.Compose
        Both parts together, as openai-clip's ``preprocess``: from an RGB image to a tensor, shape (3, height, width).
    normalize : torchvision.transforms.Normalize
        The last step of it.
    """

    def __init__(self, resolution: int):
        # openai-clip's transforms: resize, crop and convert with Pillow; then to a tensor, and normalise.
        self.transform = import_clip().clip._transform(resolution)
        *self._with_pillow, _, self.normalize = self.transform.transforms

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Resize and crop an image: shape (resolution, resolution, 3), uint8.

        The part that uses torch is left to the encoder, because torch starts helper threads for every thread that calls
        it, and those of many visitors would slow down the encoder.
        """
        for transform in self._with_pillow:
            image = transform(image)
        return np.asarray(image)
