"""Both predictions for each of many photos, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..datasets.base import Dataset
from ..errors import ImageError
from ..own_classes.photo_set import Photo
from ..zero_shot.prompt_set import PromptSet
from .model_handle import ModelHandle
from .prediction import Prediction
from .subject import Subject


@dataclass(frozen=True)
class PhotoPrediction:
    """Both predictions for a photo, or why it cannot be read.

    Attributes
    ----------
    prediction : Prediction or None
        None where the photo cannot be read.
    thumbnail : bytes
        A small copy as WebP; empty where the photo cannot be read.
    error : ImageError or None
    """

    prediction: Prediction | None
    thumbnail: bytes = b""
    error: ImageError | None = None


def predict_photos(
    photos: Iterable[Photo | ImageError],
    model: ModelHandle,
    dataset: Dataset,
    prompts: PromptSet,
    predict: Callable[[Subject], Prediction],
) -> Iterator[PhotoPrediction]:
    """Yield the predictions for photos that `clip_demo.serving.photo_encoder.PhotoEncoder` has encoded."""
    for photo in photos:
        if isinstance(photo, ImageError):
            yield PhotoPrediction(None, error=photo)
        else:
            subject = Subject(model, dataset, prompts, None, None, photo.features, photo.key, None)
            yield PhotoPrediction(predict(subject), photo.thumbnail)
