"""The searcher: ranks the test images of a dataset by a sentence, an image, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..datasets.base import Dataset
from ..features.feature_store import TestFeatures
from ..models.image_input import image_key, read_image
from ..progress import Progress
from ..search.nearest import Ranking
from ..search.query import MAX_LIMIT, check_sentence, check_source, check_whole, combine
from .evaluator import Evaluator
from .memo import Memo
from .model_handle import ModelHandle

# Of all remembered rankings together: those of 16 queries to a million images, or 1,600 to 10,000.
_MAX_BYTES = 64_000_000
ImageSource = Image.Image | str | Path | bytes


@dataclass(frozen=True)
class Match:
    """One image of a search result.

    Attributes
    ----------
    index : int
        In the test split.
    cosine : float
        Between the image and the query, -1 to 1.
    truth : str
        The true class.
    """

    index: int
    cosine: float
    truth: str


@dataclass(frozen=True)
class SearchResult:
    """A part of a ranking.

    Attributes
    ----------
    model, dataset : str
        Names.
    text : str or None
        The sentence.
    index : int or None
        The test image that was searched for; it is not in the result itself.
    n : int
        Number of images that were ranked.
    offset : int
        Number of images before the first match.
    matches : tuple of Match
        The nearest first.
    """

    model: str
    dataset: str
    text: str | None
    index: int | None
    n: int
    offset: int
    matches: tuple[Match, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


class Searcher:
    """Searches for several visitors at once, and remembers the latest rankings for their next parts.

    Parameters
    ----------
    choose : callable
        Turns the names of a model and a dataset, or None, into both.
    evaluator : Evaluator
        Has the features of the test images, or computes them.
    """

    def __init__(self, choose: Callable[[str | None, str | None], tuple[ModelHandle, Dataset]], evaluator: Evaluator):
        self._choose, self._evaluator = choose, evaluator
        self._rankings: Memo[Ranking] = Memo(_MAX_BYTES, lambda ranking: ranking.nbytes)

    def search(
        self,
        text: str | None = None,
        *,
        image: ImageSource | None = None,
        index: int | None = None,
        dataset: str | None = None,
        model: str | None = None,
        offset: int = 0,
        limit: int = 24,
        progress: Progress | None = None,
    ) -> SearchResult:
        """Return a part of the ranking; see `clip_demo.backend.Backend.search`."""
        text = check_sentence(text)
        check_source(text, image, index)
        offset, limit = check_whole("offset", offset, 0, 10**9), check_whole("limit", limit, 1, MAX_LIMIT)
        chosen, on = self._choose(model, dataset)
        index = None if index is None else on.check_index(index)
        key = None if image is None else image_key(image)
        # First what may be wrong: encoding all test images may take an hour.
        parts = [] if text is None else [chosen.features.encode_prompts([text])[0]]
        if image is not None:
            parts.append(chosen.features.encode_image(key, partial(read_image, image)))
        test = self._evaluator.test_set(chosen, on, progress)
        asked = (chosen.encoder.sha256, on.key, len(test.labels), text, key, index)
        ranking = self._rankings.get(asked, partial(_rank, test, parts, index), progress)
        indices, cosines = ranking.page(offset, limit)
        found = zip(indices.tolist(), cosines.tolist(), test.labels[indices].tolist(), strict=True)
        matches = tuple(Match(each, cosine, on.classnames[label]) for each, cosine, label in found)
        return SearchResult(chosen.name, on.name, text, index, ranking.n, offset, matches)


def _rank(test: TestFeatures, parts: list[np.ndarray], index: int | None) -> Ranking:
    parts = parts if index is None else [*parts, test.features[index]]
    return Ranking(test.features, test.norms, combine(*parts), leave_out=index)
