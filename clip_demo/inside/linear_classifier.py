"""One form for both methods: logits that are linear in the image features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..linear_probe.head import Head
from ..numerics import normalize, softmax
from ..zero_shot.prompt_set import PromptSet


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """The zero-shot classifier, or a linear probe.

    Attributes
    ----------
    classnames : tuple of str
    weights : numpy.ndarray, shape (n_classes, d), float64
        For zero-shot prediction, logit scale × text features.
    intercept : numpy.ndarray, shape (n_classes,), float64
    normalized : bool
        Whether the image features are L2-normalised first.
    """

    classnames: tuple[str, ...]
    weights: np.ndarray
    intercept: np.ndarray
    normalized: bool

    @classmethod
    def zero_shot(cls, prompts: PromptSet, weights: np.ndarray, logit_scale: float) -> LinearClassifier:
        """Return the zero-shot classifier; see `clip_demo.zero_shot.classifier.class_weights`."""
        return cls(prompts.classnames, logit_scale * weights.astype(np.float64), np.zeros(len(weights)), True)

    @classmethod
    def probe(cls, head: Head) -> LinearClassifier:
        """Return a linear probe."""
        weights, intercept = head.coef.astype(np.float64), head.intercept.astype(np.float64)
        return cls(head.classes_, weights, intercept, head.provenance.normalized)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits, shape (n, n_classes), of features of shape (n, d) that are not normalised."""
        features = features.astype(np.float64)
        return (normalize(features) if self.normalized else features) @ self.weights.T + self.intercept

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return the softmax of the logits."""
        return softmax(self.logits(features))
