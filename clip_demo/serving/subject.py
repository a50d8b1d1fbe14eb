"""What a prediction is about: an image and a prompt set, with a model and a dataset."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..features.feature_store import FeatureStore
from ..models.image_input import image_key, read_image
from ..zero_shot.prompt_set import PromptSet
from .model_handle import ModelHandle


@dataclass(frozen=True, eq=False)
class Subject:
    """One image and one prompt set, with a model and a dataset that are ready.

    Attributes
    ----------
    model : ModelHandle
    dataset : Dataset
    prompts : PromptSet
    index : int or None
    truth : str or None
        See `clip_demo.serving.prediction.Prediction`.
    features : numpy.ndarray, shape (d,), float32
        Not normalised.
    key : hashable
        Identifies the image.
    read : callable or None
        Returns the image in RGB; None where only its features are on this machine.
    """

    model: ModelHandle
    dataset: Dataset
    prompts: PromptSet
    index: int | None
    truth: str | None
    features: np.ndarray
    key: Hashable
    read: Callable[[], Image.Image] | None

    @classmethod
    def of_image(
        cls, model: ModelHandle, dataset: Dataset, prompts: PromptSet, image: Image.Image | str | Path | bytes
    ) -> Subject:
        """Return the subject of any image."""
        key, read = image_key(image), partial(read_image, image)
        return cls(model, dataset, prompts, None, None, model.features.encode_image(key, read), key, read)

    @classmethod
    def of_index(
        cls, model: ModelHandle, dataset: Dataset, prompts: PromptSet, index: int, stored: FeatureStore
    ) -> Subject:
        """Return the subject of a test image; stored features serve where the image is not on this machine."""
        index = dataset.check_index(index)
        key, read = (dataset.key, int(dataset.ids()[index])), partial(dataset.image, index)
        test = None if dataset.available() else stored.get(model.encoder.sha256, dataset.key)
        label = dataset.label(index) if test is None else test.labels[index]
        features = model.features.encode_image(key, read) if test is None else test.features[index]
        truth = dataset.classnames[label]
        return cls(model, dataset, prompts, index, truth, features, key, read if test is None else None)
