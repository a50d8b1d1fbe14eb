"""Search for test images by a sentence, by an image, or by both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..errors import OptionError
from ..features.feature_store import FeatureStore
from ..features.nearest import cosines, lengths, ranking
from ..models.image_input import image_key, read_image
from ..numerics import normalize
from ..progress import Progress
from ..zero_shot.prompts import MAX_LENGTH, is_broken
from .memo import Memo
from .model_handle import ModelHandle

MAX_FOUND = 1_000  # images of one answer
_MAX_SETS, _MAX_BYTES = 4, 64_000_000  # test sets whose lengths are remembered, and bytes of all remembered searches


@dataclass(frozen=True)
class FoundImage:
    """A test image that was found.

    Attributes
    ----------
    index : int
    cosine : float
        Of its features with the query.
    truth : str
        Its true class name.
    """

    index: int
    cosine: float
    truth: str


@dataclass(frozen=True)
class SearchResult:
    """The test images nearest to a query, the nearest first; of equal ones the earlier.

    Attributes
    ----------
    model, dataset : str
        Names.
    n : int
        Number of images that were searched.
    offset : int
        Rank of the first of `images`, 0 for the nearest image.
    images : tuple of FoundImage
    """

    model: str
    dataset: str
    n: int
    offset: int
    images: tuple[FoundImage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form that the command line and the endpoint share."""
        return {**asdict(self), "images": [asdict(each) for each in self.images]}


class ImageSearch:
    """Compares a query with all test images, exactly.

    Parameters
    ----------
    choose : callable
        Returns the model and the dataset of two names.
    features : FeatureStore
        Features of test sets; missing ones are computed and stored.
    """

    def __init__(self, choose: Callable[..., tuple[ModelHandle, Dataset]], features: FeatureStore):
        self._choose, self._features = choose, features
        self._lengths: Memo[np.ndarray] = Memo(_MAX_SETS)
        self._found: Memo[tuple[np.ndarray, np.ndarray]] = Memo(_MAX_BYTES, lambda pair: sum(x.nbytes for x in pair))

    def find(
        self,
        text: str | None = None,
        *,
        image: Image.Image | str | Path | bytes | None = None,
        index: int | None = None,
        dataset: str | None = None,
        model: str | None = None,
        offset: int = 0,
        limit: int = 24,
        progress: Progress | None = None,
    ) -> SearchResult:
        """Return the test images nearest to a sentence, an image, or the normalised sum of both normalised vectors.

        Parameters
        ----------
        text : str, optional
            Encoded as it is, without a template.
        image : PIL image, path or bytes, optional
        index : int, optional
            A test image in place of `image`; it is not among the images that are found.
        dataset, model : str, optional
        offset, limit : int
            Which part of the result: at most `MAX_FOUND` images.
        progress : callable, optional
            See `clip_demo.progress.Progress`.

        Raises
        ------
        OptionError
            When there is neither a sentence nor an image, or both kinds of images, or an argument is not allowed.
        """
        text, (offset, limit) = check_sentence(text), _check_part(offset, limit)
        if (image is not None and index is not None) or (text is None and image is None and index is None):
            given = "both" if image is not None else "no sentence and no image"
            raise OptionError(
                f"text, image, index: got {given}; give a sentence, an image or an index, or a sentence and one.",
                page="Type what to look for.",
            )
        chosen, on = self._choose(model, dataset)
        index = None if index is None else on.check_index(index)
        test = self._features.get_or_encode(chosen.encoder, on, chosen.features.extract, progress)
        vectors = []
        if text is not None:
            vectors.append(chosen.features.encode_prompts([text], progress)[0])
        if image is not None:
            vectors.append(normalize(chosen.features.encode_image(image_key(image), partial(read_image, image))))
        elif index is not None:
            vectors.append(normalize(np.asarray(test.features[index])))
        query = normalize(sum(vectors)).astype(np.float32)
        key = (chosen.encoder.sha256, on.key, len(test.features))
        norms = self._lengths.get(key, partial(lengths, test.features), progress)

        def compare() -> tuple[np.ndarray, np.ndarray]:
            scores = cosines(test.features, norms, query)
            return scores, ranking(scores).astype(np.int32)

        scores, ranked = self._found.get((*key, query.tobytes()), compare, progress)
        ranked = ranked[ranked != index] if index is not None else ranked
        images = tuple(
            FoundImage(int(i), float(scores[i]), on.classnames[test.labels[i]]) for i in ranked[offset : offset + limit]
        )
        return SearchResult(chosen.name, on.name, len(ranked), offset, images)


def check_sentence(text: str | None) -> str | None:
    """Return a sentence without space around it, None for an empty one, or raise an OptionError."""
    if text is not None and not isinstance(text, str):
        raise OptionError(f"text: {text!r:.80} is not text; give a sentence.")
    text = (text or "").strip()
    if len(text) > MAX_LENGTH or is_broken(text):
        reason = f"has {len(text):,} characters; at most {MAX_LENGTH} are allowed. Shorten it"
        reason = "has half of a character, which no text can have; type it again" if is_broken(text) else reason
        raise OptionError(f"text: the sentence {reason}.", page=f"The sentence {reason}.")
    return text or None


def _check_part(offset: Any, limit: Any) -> tuple[int, int]:
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (offset, limit))
    if not whole or offset < 0 or not 1 <= limit <= MAX_FOUND:
        raise OptionError(
            f"offset, limit: got {offset!r} and {limit!r}; use whole numbers from 0, and from 1 to {MAX_FOUND:,}."
        )
    return offset, limit
