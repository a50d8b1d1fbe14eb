"""The check that ViT-B/32 gives published numbers: made once, behind visitors' predictions, and stored."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactStore, atomic_write, file_name
from ..datasets.base import Dataset
from ..datasets.catalog import CIFAR100
from ..errors import ArtifactError
from ..evaluation.published import IMAGES, ONE_TEMPLATE, Comparison, compare_image, compare_sample
from ..models.catalog import PREFERRED
from ..numerics import normalize
from ..paths import cache_folder
from ..progress import Progress
from ..zero_shot.classifier import cosine_similarity, zero_shot_scores
from ..zero_shot.prompt_set import PromptSet
from .background import BackgroundTask
from .model_handle import ModelHandle

logger = logging.getLogger(__name__)

SAMPLE = 1000  # test images; a CPU encodes them in about a minute


class PublishedCheck:
    """Compares ViT-B/32 on CIFAR-100 with published numbers as soon as both are there.

    Parameters
    ----------
    folder : path, optional
        Where results are kept; default in the cache folder.
    """

    def __init__(self, folder: str | Path | None = None):
        self._store = ArtifactStore([folder or cache_folder() / "published"], _load, ".json")
        self._lock = threading.Lock()
        self._tasks: dict[str, BackgroundTask] = {}

    def comparisons(self, model: ModelHandle, dataset: Dataset) -> tuple[Comparison, ...] | None:
        """Return the comparisons with published numbers; None where there are none (yet). Never waits.

        The first call with a model and a dataset that are ready starts the check.
        """
        if model.name != PREFERRED or dataset.name != CIFAR100 or model.state != "ready":
            return None
        sha256 = model.encoder.sha256
        found = self._store.get(sha256, dataset.name)
        if found is None and dataset.available():
            with self._lock:
                if sha256 not in self._tasks:
                    self._tasks[sha256] = BackgroundTask(
                        lambda progress: self._check(model, dataset, progress), "published-check"
                    )
        return found

    def _check(self, model: ModelHandle, dataset: Dataset, progress: Progress) -> None:
        try:
            self._compare(model, dataset, progress)
        except Exception:
            logger.exception("The comparison with published numbers failed; the next start of the program tries again.")

    def _compare(self, model: ModelHandle, dataset: Dataset, progress: Progress) -> None:
        rows = (*_compare_snake(model, dataset), _compare_sample(model, dataset, progress))
        encoder = model.encoder
        content = {
            "model_sha256": encoder.sha256,
            "dataset": dataset.name,
            "comparisons": [asdict(row) for row in rows],
        }
        self._store.remember(rows, encoder.sha256, dataset.name)
        with atomic_write(self._store.folders[-1] / file_name(model.name, dataset.name, ".json")) as path:
            path.write_text(json.dumps(content, indent=1))


def _compare_snake(model: ModelHandle, dataset: Dataset) -> tuple[Comparison, ...]:
    index, source, expected = IMAGES[0]  # the example of openai/CLIP's README
    prompts = PromptSet.for_dataset(dataset)
    features = model.features.encode_in_background([model.encoder.preprocess(dataset.image(index))])[0]
    weights, scale = model.features.class_weights(prompts), model.encoder.logit_scale
    scores = zero_shot_scores(weights, features, scale, prompts.classnames, len(prompts.classnames))
    return tuple(compare_image(index, source, expected, scores))


def _compare_sample(model: ModelHandle, dataset: Dataset, progress: Progress) -> Comparison:
    prompts = PromptSet.for_dataset(dataset, templates=(ONE_TEMPLATE,), replace_underscores=True)
    weights, found = model.features.class_weights(prompts, progress), []
    for features in model.features.extract(dataset, "test", np.arange(SAMPLE)):
        found.append(cosine_similarity(normalize(features), weights).argmax(axis=1))
        progress("published numbers", sum(map(len, found)), SAMPLE)
    return compare_sample(np.concatenate(found) == dataset.labels()[:SAMPLE])


def _load(path: Path) -> tuple[tuple[Comparison, ...], str, str]:
    try:
        stored = json.loads(path.read_text())
        rows = tuple(Comparison(**row) for row in stored["comparisons"])
        return rows, str(stored["model_sha256"]), str(stored["dataset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not a result of the comparison with published numbers ({error})") from error
