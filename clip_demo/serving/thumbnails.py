"""Thumbnails of test images, each made once and remembered up to a number of bytes."""

import io
import threading
from collections.abc import Hashable, Sequence

import numpy as np
from cachetools import LRUCache
from PIL import Image

from ..datasets.base import Dataset

SIDE = 96  # pixels
_EXACT = 64  # pixels; up to this size an image is kept as it is, and a page may enlarge it with sharp pixels
MAX_BYTES = 64_000_000  # about 20,000 thumbnails
_AT_ONCE = 4  # images that are decoded at the same time; one of 50 megapixels takes 150 MB


class Thumbnails:
    """Makes small versions of test images.

    Parameters
    ----------
    max_bytes : int
        The least recently used thumbnails are dropped beyond this size together.
    """

    def __init__(self, max_bytes: int = MAX_BYTES):
        self._made: LRUCache[Hashable, bytes] = LRUCache(max_bytes, len)
        self._lock = threading.Lock()

    def get(self, dataset: Dataset, index: int) -> bytes:
        """Return the thumbnail of a test image as a PNG or WebP file; see `get_all`."""
        return self.get_all(dataset, [index])[0]

    def get_all(self, dataset: Dataset, indices: Sequence[int]) -> list[bytes]:
        """Return the thumbnails of some test images.

        Images of up to 64 pixels a side are as they were, losslessly; larger ones become at most `SIDE` pixels long.
        The thumbnail of an image that cannot be read is empty.
        Two callers that miss the same one at the same moment may both make it.

        Parameters
        ----------
        dataset : Dataset
        indices : sequence of int
            Not checked.

        Raises
        ------
        DatasetError
            When the images are not available.
        """
        # After others have been left out, an index is another image, and its identity is not.
        key = dataset.key
        ids = dict(zip(indices, dataset.ids()[np.asarray(indices, dtype=np.int64)].tolist(), strict=True))
        with self._lock:
            made = {index: self._made.get((key, ids[index])) for index in indices}
        missing = [index for index, thumbnail in made.items() if thumbnail is None]
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            for index, image in zip(part, dataset.readable_images([ids[index] for index in part]), strict=True):
                made[index] = _encode(image) if image else b""
        with self._lock:
            # An image that cannot be read now may be back the next time.
            self._made.update({(key, ids[index]): made[index] for index in missing if made[index]})
        return [made[index] for index in indices]


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    if max(image.size) <= _EXACT:
        image.save(buffer, "png")
    else:
        small = image.copy()
        small.thumbnail((SIDE, SIDE))
        small.save(buffer, "webp", quality=80)
    return buffer.getvalue()
