"""Whether an image shows none of a visitor's classes: the negative labels of a list, and thresholds from a test set."""

from __future__ import annotations

import numpy as np

from ..datasets.base import Dataset
from ..errors import TemplateError
from ..evaluation.ood_detection import HIDDEN, HiddenClasses, choose_hidden, hidden_classes
from ..numerics import softmax
from ..progress import Progress
from ..zero_shot.none_of_these import NegativeLabels, NoneOfThese, judge, negative_labels, nouns_of, threshold_of
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import MAX_PROMPTS, class_key
from .evaluator import Evaluator
from .memo import Memo
from .model_handle import ModelHandle
from .subject import Subject

MAX_THRESHOLDS = 256  # numbers


class NoneOfTheseJudge:
    """Judges images, and measures how well that works.

    Parameters
    ----------
    evaluator : Evaluator
        Has the features of test sets.
    """

    def __init__(self, evaluator: Evaluator):
        self._evaluator = evaluator
        self._thresholds: Memo[float] = Memo(MAX_THRESHOLDS)

    def judge(
        self, subject: Subject, weights: np.ndarray, logit_scale: float, progress: Progress | None = None
    ) -> tuple[NoneOfThese, NegativeLabels]:
        """Return what speaks for an image that shows none of the classes, and the nouns that were asked.

        Parameters
        ----------
        subject : Subject
        weights : numpy.ndarray, shape (n_classes, d)
            Of its prompt set.
        logit_scale : float
        progress : callable, optional
        """
        negatives = self._negatives(subject.model, subject.prompts, weights, subject.prompts.classnames, progress)
        return judge(weights, subject.features, logit_scale, negatives, *self._known(subject, weights)), negatives

    def measure(
        self,
        model: ModelHandle,
        dataset: Dataset,
        prompts: PromptSet,
        hidden: int = HIDDEN,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> HiddenClasses:
        """Hide some classes of a dataset, and measure how well their test images are detected.

        Parameters
        ----------
        prompts : PromptSet
            One class name for each class of the dataset.
        hidden, seed : int
            See `clip_demo.evaluation.ood_detection.choose_hidden`. Classes without test images stay known.
        """
        choose_hidden(len(dataset.classnames), hidden, seed)  # before any image is encoded
        report = self._evaluator.evaluate(model, dataset, prompts, progress=progress)
        tested = np.unique(report.labelled_images.labels)
        chosen = tested[choose_hidden(len(tested), hidden, seed)]
        known = np.delete(model.features.class_weights(prompts, progress), chosen, axis=0)
        # A noun that names a hidden class would give it away.
        taken = (*dataset.classnames, *prompts.classnames)
        negatives = self._negatives(model, prompts, known, taken, progress)
        features = self._evaluator.test_features(model, dataset)
        return hidden_classes(report.labelled_images, features, report.predictions.cosines, negatives, chosen)

    def _negatives(
        self,
        model: ModelHandle,
        prompts: PromptSet,
        weights: np.ndarray,
        taken: tuple[str, ...],
        progress: Progress | None,
    ) -> NegativeLabels:
        nouns, templates = nouns_of(model.encoder.sha256), prompts.templates
        if len(nouns) * len(templates) > MAX_PROMPTS:
            most = MAX_PROMPTS // len(nouns)
            raise TemplateError(
                f"templates: got {len(templates)}; with none_of_these, {len(nouns)} more words are encoded in each, "
                f"and at most {most} templates are allowed. Use fewer, or leave none_of_these out.",
                page=f"“None of these” tries {len(nouns)} more words in each prompt. Use at most {most} prompts.",
            )
        noun_weights = model.features.class_weights(PromptSet(nouns, templates), progress)
        return negative_labels(nouns, noun_weights, weights, taken)

    def _known(self, subject: Subject, weights: np.ndarray) -> tuple[float | None, float | None, str]:
        """Return the thresholds of MCM and of the probe, and why there is none of MCM."""
        model, dataset, prompts = subject.model, subject.dataset, subject.prompts
        if self._evaluator.test_features(model, dataset) is None:
            return None, None, f"The test images of {dataset.title} are not encoded yet: the Prompt Lab does that."
        images = self._evaluator.labelled_images(model, dataset)
        probe = None
        if images.probe is not None:
            key = (model.encoder.sha256, dataset.key, id(images.probe.head))
            probe = self._thresholds.get(key, lambda: threshold_of(images.probe.confidence))
        tested = set(images.labels.tolist())
        position = {class_key(name): i for i, name in enumerate(dataset.classnames) if i in tested}
        found = [position.get(class_key(name)) for name in prompts.classnames]
        if None in found:
            name = prompts.classnames[found.index(None)]
            return None, probe, f"{dataset.title} has no test images of “{name}”, and a threshold needs some."

        def compute() -> float:
            features = images.features[np.isin(images.labels, found)]
            return threshold_of(softmax(features @ weights.T).max(axis=1))

        return self._thresholds.get((model.encoder.sha256, dataset.key, prompts), compute), probe, ""
