"""The teacher: turns photos into classes, and predicts with what was learned from them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from ..datasets.base import Dataset
from ..errors import ImageError, OptionError
from ..numerics import best, blas_threads, softmax
from ..own_classes.archive import read_archive, write_archive
from ..own_classes.classifiers import Examples
from ..own_classes.held_out import HeldOut, can_be_tested, held_out
from ..own_classes.photo_set import Photo, PhotoSet
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.templates import README_TEMPLATE
from .kept_sets import KeptSets
from .model_handle import ModelHandle
from .photo_encoder import ImageSource, PhotoEncoder

# Sets whose classifiers are remembered: with the most photos of all, about 1 MB each.
_REMEMBERED = 32


@dataclass(frozen=True)
class Answer:
    """What one classifier says of a photo.

    Attributes
    ----------
    classifier : str
        A key of `clip_demo.own_classes.classifiers.CLASSIFIERS`.
    classes : tuple of (str, float)
        Class names and probabilities, the most probable first.
    """

    classifier: str
    classes: tuple[tuple[str, float], ...]


class Teacher:
    """Own classes for several visitors at once. Nothing of a photo is kept outside the set that it returns.

    Parameters
    ----------
    choose : callable
        Turns the names of a model and a dataset, or None, into both.
    encoder : PhotoEncoder

    Attributes
    ----------
    kept : KeptSets
        The sets of the page's visitors.
    """

    def __init__(self, choose: Callable[[str | None, str | None], tuple[ModelHandle, Dataset]], encoder: PhotoEncoder):
        self._choose, self._encoder = choose, encoder
        self.kept = KeptSets()
        # Weak: what is remembered of a set goes with it.
        self._examples: WeakKeyDictionary[PhotoSet, tuple[tuple, Examples]] = WeakKeyDictionary()
        self._held_out: WeakKeyDictionary[Examples, HeldOut] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def photos(
        self, images: Iterable[ImageSource], *, model: str | None = None, progress: Progress | None = None
    ) -> tuple[tuple[Photo, ...], tuple[str, ...], ModelHandle]:
        """Read and encode photos.

        Parameters
        ----------
        images : iterable of PIL image, path or bytes
        model : str, optional
        progress : callable, optional
            See `clip_demo.progress.Progress`.

        Returns
        -------
        photos : tuple of Photo
        problems : tuple of str
            A sentence for each image that cannot be read; the others are not lost with it.
        model : ModelHandle
        """
        chosen = self._model(model)
        found = list(self._encoder.encode(images, chosen, progress))
        photos = tuple(each for each in found if isinstance(each, Photo))
        problems = tuple(each.page_message for each in found if isinstance(each, ImageError))
        return photos, problems, chosen

    def add(
        self,
        photo_set: PhotoSet,
        position: int,
        images: Iterable[ImageSource],
        *,
        model: str | None = None,
        progress: Progress | None = None,
    ) -> PhotoSet:
        """Return the set with more photos of the class at a position.

        Raises
        ------
        ImageError
            When an image cannot be read.
        """
        photos, problems, chosen = self.photos(images, model=model, progress=progress)
        if problems:
            raise ImageError(f"images: {problems[0]}", page=problems[0])
        return photo_set.with_photos(position, photos, chosen.name, chosen.encoder.sha256)

    def examples(
        self, photo_set: PhotoSet, *, templates: Sequence[str] = (README_TEMPLATE,), model: str | None = None
    ) -> Examples:
        """Return what the classifiers learn from: the photos, and the names in the templates.

        The same object for the same set, so that its classifiers are fitted once.
        """
        chosen = self._model(model)
        if photo_set.photos and photo_set.model_sha256 != chosen.encoder.sha256:
            raise OptionError(
                f"model: the photos were encoded with {photo_set.model}, not with {chosen.name}; use that model.",
                page=f"Your photos were read with {photo_set.model}. Choose that model again, or start anew.",
            )
        key = tuple(templates), chosen.encoder.sha256
        with self._lock:
            known, examples = self._examples.get(photo_set, (None, None))
        if known != key:
            text = chosen.features.class_weights(PromptSet(photo_set.classnames, tuple(templates)))
            examples = photo_set.examples(text, chosen.encoder.logit_scale)
            with self._lock:
                self._examples[photo_set] = key, examples
                while len(self._examples) > _REMEMBERED:
                    self._examples.pop(next(iter(self._examples)))
        return examples

    def predict(self, examples: Examples, image: ImageSource, *, model: str | None = None) -> tuple[Answer, ...]:
        """Return what each classifier says of an image, which is not remembered."""
        chosen = self._model(model)
        inputs = [self._encoder.prepare(image, chosen)]
        features = chosen.features.run(lambda: chosen.encoder.encode_images(inputs))[0]
        return answers(examples, features)

    def held_out(
        self, examples: Examples, *, model: str | None = None, progress: Progress | None = None
    ) -> HeldOut | None:
        """Return how good the classifiers are on photos that they did not learn from; None with too few photos.

        Between two fits, visitors who wait for a prediction come first.
        """
        features = self._model(model).features

        def behind_visitors(what: str, done: int, total: int) -> None:
            features.wait_for_visitors()
            if progress:
                progress(what, done, total)

        if examples not in self._held_out and can_be_tested(examples):
            with blas_threads(1):
                self._held_out[examples] = held_out(examples, behind_visitors)
        return self._held_out.get(examples)

    def save(self, photo_set: PhotoSet, examples: Examples, *, thumbnails: bool = True) -> bytes:
        """Return a zip of the set and its classifiers; see `clip_demo.own_classes.archive`."""
        if not photo_set.photos:
            raise OptionError("photo_set: it has no photos to save; add some.", page="Add a photo first.")
        learned = examples.classifiers
        chosen = [(name, learned[name]) for name in ("text_and_photos", "linear_probe") if name in learned]
        return write_archive(photo_set, chosen or [*learned.items()], thumbnails=thumbnails)

    def open(self, content: bytes) -> PhotoSet:
        """Return the set in a zip; see `clip_demo.own_classes.archive.read_archive`."""
        return read_archive(content)

    def _model(self, model: str | None) -> ModelHandle:
        return self._choose(model, None)[0]


def answers(examples: Examples, features: np.ndarray) -> tuple[Answer, ...]:
    """Return what each classifier says of an image with these features, shape (d,), not normalised."""
    found = []
    for name, classifier in examples.classifiers.items():
        probabilities = softmax(classifier.logits(features))
        order = best(probabilities, len(probabilities))
        found.append(Answer(name, tuple((classifier.classnames[i], float(probabilities[i])) for i in order)))
    return tuple(found)
