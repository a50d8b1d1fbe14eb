"""One form for both methods: logits that are linear in the image features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ClassnamesError, OptionError, quoted
from ..linear_probe.head import Head
from ..numerics import best, normalize, softmax
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import same_class


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
        """Return the logits, shape (..., n_classes), of features of shape (..., d) that are not normalised."""
        features = features.astype(np.float64)
        return (normalize(features) if self.normalized else features) @ self.weights.T + self.intercept

    def position(self, classname: str) -> int:
        """Return the position of a class name; case, spaces and underscores do not count.

        Raises
        ------
        ClassnamesError
            When there is no such class.
        """
        for i, each in enumerate(self.classnames):
            if isinstance(classname, str) and same_class(each, classname):
                return i
        raise ClassnamesError(
            f"classname: {classname!r} is none of the {len(self.classnames)} classes; use one of their names, such as "
            f"{self.classnames[0]!r}.",
            page=f"{quoted(str(classname))} is not one of the classes. Choose one of their names.",
        )


@dataclass(frozen=True, eq=False)
class Score:
    """The logit of one class, or how far it is above that of another.

    Attributes
    ----------
    classifier : LinearClassifier
    first : int
    second : int or None
        Positions in the classifier's class names.
    """

    classifier: LinearClassifier
    first: int
    second: int | None

    @classmethod
    def of_pair(
        cls, classifier: LinearClassifier, features: np.ndarray, first: str | None = None, second: str | None = None
    ) -> Score:
        """Return the score of two classes; those that are not given are the most probable others.

        Parameters
        ----------
        classifier : LinearClassifier
        features : numpy.ndarray, shape (d,)
            Of the image, not normalised.
        first, second : str, optional
        """
        given = [None if name is None else classifier.position(name) for name in (first, second)]
        if None not in given and given[0] == given[1]:
            raise OptionError(
                f"first, second: both are {first!r}; name two classes.", page="Choose two different classes to compare."
            )
        free = (int(i) for i in best(classifier.logits(features), 3) if i not in given)
        pair = [next(free) if position is None else position for position in given]
        return cls(classifier, *pair)

    @classmethod
    def of_class(cls, classifier: LinearClassifier, features: np.ndarray, classname: str | None = None) -> Score:
        """Return the logit of one class; default the most probable one."""
        if classname is None:
            return cls(classifier, int(classifier.logits(features).argmax()), None)
        return cls(classifier, classifier.position(classname), None)

    @property
    def names(self) -> tuple[str, str]:
        """Names of the classes; "" where there is no second."""
        names = self.classifier.classnames
        return names[self.first], "" if self.second is None else names[self.second]

    @property
    def direction(self) -> np.ndarray:
        """The weights of the score, shape (d,), float64; the intercepts do not change where it comes from."""
        weights = self.classifier.weights
        return weights[self.first] if self.second is None else weights[self.first] - weights[self.second]

    def of(self, features: np.ndarray) -> np.ndarray:
        """Return the scores, shape (n,), of features of shape (n, d)."""
        logits = self.classifier.logits(features)
        return logits[:, self.first] if self.second is None else logits[:, self.first] - logits[:, self.second]

    def probability(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of the first class among all, shape (n,)."""
        return softmax(self.classifier.logits(features))[:, self.first]
