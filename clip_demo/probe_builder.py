"""From pictures to a head: the article's second experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from .encoder import Encoder, Report
from .images import ImageSet
from .probe import Head, fit_head

__all__ = ["EncodeImages", "build_head", "encode_split"]

# Turns pictures into features, shape (n, d); `Encoder.encode_images` is one.
EncodeImages = Callable[[Sequence[Image.Image]], np.ndarray]

BATCH = 128


def build_head(encoder: Encoder, image_set: ImageSet, progress: Report | None = None, **options) -> Head:
    """Fit a head on all training pictures and test it on all test pictures.

    Parameters
    ----------
    encoder : Encoder
        Whose features are used, not normalised.
    image_set : ImageSet
        The pictures.
    progress : callable, optional
        See `clip_demo.encoder.Report`.
    **options
        Passed to `clip_demo.probe.fit_head`, such as ``C``.

    Returns
    -------
    Head
    """
    train, test = (encode_split(encoder.encode_images, image_set, split, progress) for split in ("train", "test"))
    return fit_head(
        train,
        image_set.labels("train"),
        test,
        image_set.labels("test"),
        classnames=image_set.classnames,
        model=encoder.name,
        model_sha256=encoder.sha256,
        image_set=image_set.name,
        **options,
    )


def encode_split(
    encode_images: EncodeImages, image_set: ImageSet, split: str, progress: Report | None = None
) -> np.ndarray:
    """Return the features of all pictures of a split: shape (n, d), float32, not normalised."""
    size, parts = image_set.sizes[split], []
    for start in range(0, size, BATCH):
        pixels = image_set.pixels(np.arange(start, min(start + BATCH, size)), split)
        parts.append(encode_images([Image.fromarray(each) for each in pixels]))
        if progress:
            progress(f"{split} features", min(start + BATCH, size), size)
    return np.concatenate(parts)
