"""Visitors' photos, read and encoded one after the other, behind the requests of those who wait for a prediction."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import ImageError
from ..models.image_input import read_image
from ..own_classes.photo_set import Photo, thumbnail_of
from ..progress import Progress
from .model_handle import ModelHandle

# Photos of all visitors that are in memory in full size: each has up to 150 MB, and as much again while it is copied.
_READ_AT_ONCE = 2
ImageSource = Image.Image | str | Path | bytes


class PhotoEncoder:
    """Reads and encodes photos; nothing of them is remembered."""

    def __init__(self):
        self._reading = threading.BoundedSemaphore(_READ_AT_ONCE)

    def encode(
        self, images: Iterable[ImageSource], model: ModelHandle, progress: Progress | None = None
    ) -> Iterator[Photo | ImageError]:
        """Yield each photo, or why it cannot be read: the others are not lost with it.

        Parameters
        ----------
        images : iterable of PIL image, path or bytes
        model : ModelHandle
        progress : callable, optional
            See `clip_demo.progress.Progress`.
        """
        images = list(images)
        for number, source in enumerate(images, 1):
            try:
                key, thumbnail, prepared = self._read(source, model)
            except ImageError as error:
                yield error
            else:
                (rows,) = model.features.in_background(model.encoder.encode_images, [prepared])
                yield Photo(key, thumbnail, rows[0])
            if progress:
                progress("photos", number, len(images))

    def prepare(self, image: ImageSource, model: ModelHandle) -> Any:
        """Return the encoder's input for a photo."""
        with self._reading:
            return model.encoder.preprocess(read_image(image))

    def _read(self, source: ImageSource, model: ModelHandle) -> tuple[str, bytes, Any]:
        """Return a photo's key, its thumbnail and the input of the encoder."""
        with self._reading:
            image = read_image(source)
            # Equal pixels are the same photo.
            key = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
            return key, thumbnail_of(image), model.encoder.preprocess(image)
