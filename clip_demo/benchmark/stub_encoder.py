"""An encoder that computes nothing: it takes as long as it is told, such as the time of a GPU that is not here."""

import time
from collections.abc import Sequence

import numpy as np

from ..models.encoder import Anatomy

DIMENSIONS = 512


class StubEncoder:
    """An encoder for load tests with assumed service times.

    Features are deterministic and differ from input to input. The last number of each is the size of its batch.

    Parameters
    ----------
    batch_seconds, item_seconds : float
        A batch of n takes ``batch_seconds + n * item_seconds``.
    resolution : int
        Side of the input in pixels.
    """

    name, note, sha256 = "stub", "computes nothing, for load tests", "57" * 32
    logit_scale, heat_map_method = 100.0, "none"

    def __init__(self, batch_seconds: float, item_seconds: float, resolution: int = 224):
        self._batch_seconds, self._item_seconds = batch_seconds, item_seconds
        self.anatomy = Anatomy("ViT", resolution, 7, 7, DIMENSIONS, 77)

    def encode_images(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Wait, and return features: shape (n, 512), float32."""
        return self._encode([int(image[:, :, 0].sum()) for image in inputs])

    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Wait, and return features: shape (n, 512), float32."""
        return self._encode([sum(prompt.encode()) for prompt in prompts])

    def _encode(self, seeds: Sequence[int]) -> np.ndarray:
        time.sleep(self._batch_seconds + len(seeds) * self._item_seconds)
        numbers = np.arange(1, DIMENSIONS + 1)
        features = np.sin(np.outer(np.array(seeds) + 1, numbers)).astype(np.float32)
        features[:, -1] = len(seeds)
        return features
