"""The evaluator: prompt sets on whole test sets, remembered, and safe to use from several threads."""

from functools import partial

import numpy as np

from ..datasets.base import Dataset
from ..evaluation.ablations import NameRow, TemplateRow, ablate_templates, compare_names
from ..evaluation.labelled_images import LabelledImages
from ..evaluation.predictions import Predictions, predict_all
from ..evaluation.report import EvaluationReport
from ..features.extract import in_small_batches
from ..features.feature_store import FeatureStore
from ..linear_probe.head import HeadStore
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from .memo import Memo
from .model_handle import ModelHandle

# Predictions for 10,000 images and 100 classes take 4 MB, the images of one model and dataset 20 MB.
MAX_PREDICTIONS, MAX_TEST_SETS = 16, 4


class Evaluator:
    """Evaluates prompt sets that name every class of a dataset, on its whole test set.

    Parameters
    ----------
    features : FeatureStore
        Features of test sets; missing ones are computed and stored.
    heads : HeadStore
        Linear probes.
    """

    def __init__(self, features: FeatureStore, heads: HeadStore):
        self._features, self._heads = features, heads
        self._test_sets: Memo[LabelledImages] = Memo(MAX_TEST_SETS)
        self._predictions: Memo[Predictions] = Memo(MAX_PREDICTIONS)

    def evaluate(
        self,
        model: ModelHandle,
        dataset: Dataset,
        prompts: PromptSet,
        baseline: PromptSet | None = None,
        progress: Progress | None = None,
    ) -> EvaluationReport:
        """Evaluate a prompt set, and a baseline on the same images where one is given."""
        images = self._labelled_images(model, dataset, progress)

        def predict(each: PromptSet) -> Predictions:
            key = (model.encoder.sha256, dataset.name, each)
            return self._predictions.get(key, partial(_predict, model, images, progress, each), progress)

        before = None if baseline is None else predict(baseline)
        return EvaluationReport(images, predict(prompts), before)

    def ablate_templates(
        self, model: ModelHandle, dataset: Dataset, prompts: PromptSet, progress: Progress | None = None
    ) -> tuple[TemplateRow, ...]:
        """Measure every template of a prompt set."""
        images = self._labelled_images(model, dataset, progress)
        # Not remembered, as in `compare_names`: many prompt sets would displace everything that visitors look at.
        return ablate_templates(partial(_predict, model, images, progress), prompts, progress)

    def compare_names(
        self,
        model: ModelHandle,
        dataset: Dataset,
        prompts: PromptSet,
        position: int,
        renamed: list[PromptSet],
        progress: Progress | None = None,
    ) -> tuple[NameRow, ...]:
        """Measure other names for the class at `position`: each prompt set of `renamed` has one of them."""
        images = self._labelled_images(model, dataset, progress)
        members = np.flatnonzero(images.labels == position)
        return compare_names(partial(_predict, model, images, progress), prompts, renamed, position, members, progress)

    def _labelled_images(self, model: ModelHandle, dataset: Dataset, progress: Progress | None) -> LabelledImages:
        encoder = model.encoder
        head = self._heads.get(encoder.sha256, dataset.name)

        def compute() -> LabelledImages:
            extract = in_small_batches(model.features.encode_in_background)
            test = self._features.get_or_encode(encoder, dataset, extract, progress)
            return LabelledImages.of(test, dataset, encoder.logit_scale, head)

        # The head is a part of the key, so that one fitted meanwhile is used at once.
        return self._test_sets.get((encoder.sha256, dataset.name, id(head)), compute, progress)


def _predict(model: ModelHandle, images: LabelledImages, progress: Progress | None, prompts: PromptSet) -> Predictions:
    return predict_all(prompts, model.features.class_weights(prompts, progress), images)
