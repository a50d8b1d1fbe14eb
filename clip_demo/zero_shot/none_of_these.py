"""Whether an image shows none of the classes of a list.

A softmax over a list says nothing about that: its shares make 100 % for any image. NegLabel (Jiang et al. 2024,
"Negative label guided OOD detection with pretrained vision-language models", ICLR) adds words that are far from the
list to the sum, and takes the share that the list keeps as the score of a known image:

    score = sum of exp(s / τ) over the list / sum of exp(s / τ) over the list and the negative labels

The paper takes thousands of labels from WordNet; here they are a few hundred plain nouns. MCM (Ming et al. 2022,
"Delving into out-of-distribution detection with vision-language representations", NeurIPS) needs no other words: its
score is the largest value of the softmax of the cosines at temperature 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..numerics import best, normalize, softmax
from .classifier import cosine_similarity
from .nouns import NOUNS
from .word_knowledge import word_knowledge

# NegLabel's mining ranks the words by their cosine with the list and keeps those that are farthest. Of 15, 50, 75 and
# 90 %, 75 % had the highest AUROC on CIFAR-100 with the built-in model, 20 classes hidden, seeds 0 to 4.
KEPT = 0.75
KNOWN_KEPT = 0.95  # share of the known images that a threshold keeps, as in both papers


@dataclass(frozen=True, eq=False)
class NegativeLabels:
    """Nouns that are not near a class list, and the weights of their classifier, shape (n, d)."""

    nouns: tuple[str, ...]
    weights: np.ndarray


@dataclass(frozen=True)
class NoneOfThese:
    """What speaks for an image that shows none of the classes.

    Attributes
    ----------
    probability : float
        NegLabel: the share of all other nouns together in the softmax over the list and them, 0 to 1. The shares of the
        classes are what is left.
    wins : bool
        Whether that is more than the share of the best class.
    strongest : str or None
        The noun with the largest share; None without nouns.
    strongest_probability : float
        Its share.
    mcm : float
        The largest value of the softmax of the cosines at temperature 1.
    mcm_threshold : float or None
        95 % of the test images of these classes have at least this `mcm`; None where that is not known.
    probe_threshold : float or None
        95 % of all test images have at least this largest probability of the linear probe; None without one.
    note : str
        Why there is no `mcm_threshold`; otherwise empty.
    nouns : tuple of str
        The other nouns.
    """

    probability: float
    wins: bool
    strongest: str | None
    strongest_probability: float
    mcm: float
    mcm_threshold: float | None
    probe_threshold: float | None
    note: str
    nouns: tuple[str, ...]


@cache
def nouns_of(model_sha256: str) -> tuple[str, ...]:
    """Return the nouns for a model.

    Of the built-in model only those that it learned with images: it guesses the others from their word vectors, and
    would often take one of them for what it sees.
    """
    known = word_knowledge(NOUNS, model_sha256)
    return tuple(each.name for each in known if each.state == "learned") or NOUNS


def names_class(noun: str, words: frozenset[str]) -> bool:
    """Whether a noun, or its plural, is among the `words_of` a class list."""
    return not words.isdisjoint((noun, f"{noun}s", f"{noun}es", f"{noun.removesuffix('y')}ies"))


def words_of(classnames: Sequence[str]) -> frozenset[str]:
    """Return the words of all class names in lower case."""
    return frozenset(word for name in classnames for word in name.casefold().replace("_", " ").split())


def negative_labels(
    nouns: Sequence[str], noun_weights: np.ndarray, weights: np.ndarray, taken: Sequence[str]
) -> NegativeLabels:
    """Return the nouns that are not near a class list, in the order of `nouns`.

    Nouns that name a class, alone or as one of its words, are left out first. Of the others, those with the highest
    cosine to any class are left out, so that `KEPT` of them stay.

    Parameters
    ----------
    nouns : sequence of str
    noun_weights : numpy.ndarray, shape (n_nouns, d)
    weights : numpy.ndarray, shape (n_classes, d)
        Of the class list; see `clip_demo.zero_shot.classifier.class_weights`.
    taken : sequence of str
        Names that no noun may name: those of the list, or of more classes.
    """
    words = words_of(taken)
    free = np.array([i for i, noun in enumerate(nouns) if not names_class(noun, words)], dtype=int)
    nearness = (noun_weights[free] @ weights.T).max(axis=1, initial=-1)
    kept = np.sort(free[best(-nearness, int(KEPT * len(free)))])
    return NegativeLabels(tuple(nouns[i] for i in kept), noun_weights[kept])


def judge(
    weights: np.ndarray,
    image: np.ndarray,
    logit_scale: float,
    negatives: NegativeLabels,
    mcm_threshold: float | None = None,
    probe_threshold: float | None = None,
    note: str = "",
) -> NoneOfThese:
    """Return what speaks for an image that shows none of the classes.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_classes, d)
    image : numpy.ndarray, shape (d,)
        Image features, normalised or not.
    logit_scale : float
    negatives : NegativeLabels
    mcm_threshold, probe_threshold, note
        See `NoneOfThese`.
    """
    n, image = len(weights), normalize(image)
    cosines = cosine_similarity(image, weights)
    shares = softmax(logit_scale * np.concatenate([cosines, image @ negatives.weights.T]))
    known, others = shares[:n], shares[n:]
    first = int(others.argmax()) if len(others) else None
    return NoneOfThese(
        probability=float(others.sum()),
        wins=bool(others.sum() > known.max()),
        strongest=None if first is None else negatives.nouns[first],
        strongest_probability=0.0 if first is None else float(others[first]),
        mcm=float(softmax(cosines).max()),
        mcm_threshold=mcm_threshold,
        probe_threshold=probe_threshold,
        note=note,
        nouns=negatives.nouns,
    )


def neglabel_scores(cosines: np.ndarray, negative_cosines: np.ndarray, logit_scale: float) -> np.ndarray:
    """Return NegLabel's score of images, the share that the list keeps, shape (n,); arguments of shape (n, k)."""
    shares = softmax(logit_scale * np.concatenate([cosines, negative_cosines], axis=1))
    return shares[:, : cosines.shape[1]].sum(axis=1)


def threshold_of(known_scores: np.ndarray) -> float:
    """Return the highest threshold that at least `KNOWN_KEPT` of the scores, shape (n,), reach."""
    return float(np.sort(known_scores)[cut_of(len(known_scores))])


def cut_of(n: int) -> int:
    """Return how many of `n` known images a threshold may leave out."""
    return n - int(np.ceil(KNOWN_KEPT * n))
