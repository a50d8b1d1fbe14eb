"""The evaluator: prompt sets on whole test sets, remembered, and safe to use from several threads."""

from functools import partial
from pathlib import Path

import numpy as np

from ..datasets.base import Dataset
from ..errors import HeadError
from ..evaluation.ablations import NameRow, TemplateRow, ablate_templates, compare_names
from ..evaluation.first_image import FirstImage, FirstImageStore, find_first_image
from ..evaluation.labelled_images import LabelledImages
from ..evaluation.predictions import Predictions, predict_all
from ..evaluation.report import EvaluationReport
from ..features.feature_store import FeatureStore, TestFeatures
from ..linear_probe.head import HeadStore
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from .memo import Memo
from .model_handle import ModelHandle

# Cosines of predictions that are kept; those for 10,000 images and 100 classes take 4 MB.
MAX_BYTES = 512_000_000
MAX_TEST_SETS = 4  # the images of one model and dataset; 10,000 take 20 MB


class Evaluator:
    """Evaluates prompt sets that name every class of a dataset, on its whole test set.

    Parameters
    ----------
    features : FeatureStore
        Features of test sets; missing ones are computed and stored.
    heads : HeadStore
        Linear probes. First images are kept in the same folders.
    """

    def __init__(self, features: FeatureStore, heads: HeadStore):
        self._features, self._heads = features, heads
        self._first_images = FirstImageStore(heads.folders)
        self._encoded: Memo[TestFeatures] = Memo(MAX_TEST_SETS)
        self._test_sets: Memo[LabelledImages] = Memo(MAX_TEST_SETS)
        self._predictions: Memo[Predictions] = Memo(MAX_BYTES, lambda each: each.cosines.nbytes)

    def evaluate(
        self,
        model: ModelHandle,
        dataset: Dataset,
        prompts: PromptSet,
        baseline: PromptSet | None = None,
        progress: Progress | None = None,
    ) -> EvaluationReport:
        """Evaluate a prompt set, and a baseline on the same images where one is given."""
        images = self.labelled_images(model, dataset, progress, prompts, *([] if baseline is None else [baseline]))

        def predict(each: PromptSet) -> Predictions:
            key = (model.encoder.sha256, dataset.key, len(images.labels), each)
            return self._predictions.get(key, partial(_predict, model, images, progress, each), progress)

        before = None if baseline is None else predict(baseline)
        return EvaluationReport(images, predict(prompts), before, model.assumption)

    def labelled_images(
        self, model: ModelHandle, dataset: Dataset, progress: Progress | None = None, *prompts: PromptSet
    ) -> LabelledImages:
        """Return all images of a test set with their features, which are computed where they are not stored.

        The prompt sets that will be evaluated on them are checked first: encoding the images may take an hour.
        """
        for each in prompts:
            model.features.check_distinct(each)
        encoder = model.encoder
        head = self._heads.get(encoder.sha256, dataset.key)

        def compute() -> LabelledImages:
            return LabelledImages.of(self.test_set(model, dataset, progress), dataset, encoder.logit_scale, head)

        # The head is a part of the key, so that one fitted meanwhile is used at once.
        return self._test_sets.get((*_identity(model, dataset), id(head)), compute, progress)

    def test_set(self, model: ModelHandle, dataset: Dataset, progress: Progress | None = None) -> TestFeatures:
        """Return the features of a test set, which are computed where they are not stored: once, whoever asks."""
        encoder, extract = model.encoder, model.features.extract
        compute = partial(self._features.get_or_encode, encoder, dataset, extract, progress)
        return self._encoded.get(_identity(model, dataset), compute, progress)

    def test_features(self, model: ModelHandle, dataset: Dataset) -> np.ndarray | None:
        """Return the stored features of a test set, shape (n, d), not normalised; None where there are none yet."""
        found = self._features.get(model.encoder.sha256, dataset.key)
        return None if found is None else found.features

    def zero_shot(
        self, model: ModelHandle, dataset: Dataset, part: TestFeatures | None = None
    ) -> tuple[float, tuple[str, ...]]:
        """Return the zero-shot accuracy, 0 to 1, with the dataset's own prompt set, and the templates of that.

        On all test images, or where it is given on a part of them.
        """
        prompts = PromptSet.for_dataset(dataset)
        if part is not None:
            images = LabelledImages.of(part, dataset, model.encoder.logit_scale, None)
            return float(_predict(model, images, None, prompts).correct.mean()), prompts.templates
        return self.evaluate(model, dataset, prompts).accuracy.top1, prompts.templates

    def first_image(self, model: ModelHandle, dataset: Dataset) -> FirstImage | None:
        """Return the stored first image of a loaded model; None where there is none."""
        return self._first_images.get(model.encoder.sha256, dataset.key)

    def find_first_image(
        self,
        model: ModelHandle,
        dataset: Dataset,
        folder: str | Path | None = None,
        progress: Progress | None = None,
    ) -> FirstImage | None:
        """Find the first image and store it, by default in the last folder of the heads; None where no image fits.

        Raises
        ------
        HeadError
            When there is no head.
        """
        if self._heads.get(model.encoder.sha256, dataset.key) is None:  # before any image is encoded
            raise HeadError(
                f"head: there is none for {model.name} on {dataset.name}, and the first image needs one; fit one with "
                f"`python -m clip_demo fit-probe --model {model.name} --dataset {dataset.argument}`."
            )
        report = self.evaluate(model, dataset, PromptSet.for_dataset(dataset), progress=progress)
        first = find_first_image(report.labelled_images, report.predictions)
        if first is not None:
            self._first_images.put(first, model.encoder, dataset, folder)
        return first

    def ablate_templates(
        self, model: ModelHandle, dataset: Dataset, prompts: PromptSet, progress: Progress | None = None
    ) -> tuple[TemplateRow, ...]:
        """Measure every template of a prompt set."""
        images = self.labelled_images(model, dataset, progress, prompts)
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
        images = self.labelled_images(model, dataset, progress, prompts, *renamed)
        members = np.flatnonzero(images.labels == position)
        return compare_names(partial(_predict, model, images, progress), prompts, renamed, position, members, progress)


def _identity(model: ModelHandle, dataset: Dataset) -> tuple[str, str, int]:
    # The key of a dataset stays when an image is left out, and those behind it have other indices then.
    return model.encoder.sha256, dataset.key, dataset.sizes["test"]


def _predict(model: ModelHandle, images: LabelledImages, progress: Progress | None, prompts: PromptSet) -> Predictions:
    return predict_all(prompts, model.features.class_weights(prompts, progress), images)
