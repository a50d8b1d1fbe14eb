"""Both predictions for each of many photos of one visitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..datasets.base import Dataset
from ..errors import ImageError
from ..linear_probe.head import HeadStore
from ..numerics import check_top_k
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet, check_prompts, check_switch
from .model_handle import ModelHandle
from .none_of_these import NoneOfTheseJudge
from .photo_encoder import ImageSource, PhotoEncoder
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


class PhotoPredictor:
    """Predicts many photos behind the requests of those who wait for one; nothing of the photos is remembered.

    Parameters
    ----------
    choose : callable
        Turns the names of a model and a dataset, or None, into both.
    encoder : PhotoEncoder
    heads : HeadStore
    judge : NoneOfTheseJudge
    """

    def __init__(
        self,
        choose: Callable[[str | None, str | None], tuple[ModelHandle, Dataset]],
        encoder: PhotoEncoder,
        heads: HeadStore,
        judge: NoneOfTheseJudge,
    ):
        self._choose, self._encoder, self._heads, self._judge = choose, encoder, heads, judge

    def predict_many(
        self,
        images: Iterable[ImageSource],
        *,
        prompts: PromptSet | None = None,
        dataset: str | None = None,
        model: str | None = None,
        top_k: int = 5,
        logit_scale: float | None = None,
        none_of_these: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[PhotoPrediction]:
        """Yield the predictions for photos in their order; one that cannot be read does not end the work.

        Parameters
        ----------
        images : iterable of PIL image, path or bytes
        dataset, prompts, model, top_k, logit_scale, none_of_these, progress
            As in `clip_demo.backend.Backend.predict`.
        """
        top_k, (chosen, on) = check_top_k(top_k), self._choose(model, dataset)
        prompts, judge = (
            check_prompts(prompts, on),
            self._judge if check_switch("none_of_these", none_of_these) else None,
        )
        head = self._heads.get(chosen.encoder.sha256, on.key)
        for photo in self._encoder.encode(images, chosen, progress):
            if isinstance(photo, ImageError):
                yield PhotoPrediction(None, error=photo)
                continue
            subject = Subject(chosen, on, prompts, None, None, photo.features, photo.key, None)
            yield PhotoPrediction(Prediction.of(subject, head, top_k, logit_scale, judge, progress), photo.thumbnail)
