"""The steps from one image and one prompt to the bars, with their numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..errors import ClassnamesError
from ..linear_probe.head import Head, LinearProbe, ProbeScore, linear_probe
from ..models.encoder import Anatomy, InspectableEncoder, Token
from ..numerics import best, normalize, softmax
from ..zero_shot.classifier import zero_shot_scores
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import same_class

TERMS = 5  # dimensions that are listed on each side


@dataclass(frozen=True, eq=False)
class ImageInput:
    """What a model gets of an image.

    Attributes
    ----------
    original : PIL image
        In RGB, as an image viewer shows it.
    pixels : numpy.ndarray, shape (resolution, resolution, 3), uint8
        The model's input before it is scaled to numbers around 0.
    crop : tuple of float
        Left, top, right and bottom of the part that the model gets, as fractions of the original's width and height.
    """

    original: Image.Image
    pixels: np.ndarray
    crop: tuple[float, float, float, float]


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as the text encoder reads it: its tokens, from start to end of text; zeros fill the other places."""

    prompt: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class Term:
    """One dimension's share of a sum of products.

    Attributes
    ----------
    dimension : int
        From 0.
    image, weight : float
        The two factors: the image vector's number, and the text vector's or the probe's.
    product : float
    """

    dimension: int
    image: float
    weight: float
    product: float


@dataclass(frozen=True, eq=False)
class Cosine:
    """The cosine of the image with one class, term by term.

    Attributes
    ----------
    classname : str
    image, text : numpy.ndarray, shape (d,), float32
        L2-normalised.
    image_length : float
        Length of the image's features before they were normalised.
    products : numpy.ndarray, shape (d,), float32
        ``image * text``; their sum is the cosine.
    value : float
        The cosine, as Explore shows it.
    most, least : tuple of Term
        The terms that add most, the largest first, and those that take away most, the smallest first.
    """

    classname: str
    image: np.ndarray
    text: np.ndarray
    image_length: float
    products: np.ndarray
    value: float
    most: tuple[Term, ...]
    least: tuple[Term, ...]


@dataclass(frozen=True)
class ClassShare:
    """One class in the softmax: logit = logit scale × cosine, and its share of the whole list, 0 to 1."""

    label: str
    cosine: float
    logit: float
    probability: float


@dataclass(frozen=True)
class ProbeLogit:
    """One class of the linear probe: logit = W·f + b, with W·f as `product` and b as `intercept`."""

    label: str
    product: float
    intercept: float
    logit: float
    probability: float


@dataclass(frozen=True, eq=False)
class ProbeStep:
    """The linear probe on the same image vector.

    Attributes
    ----------
    prediction : LinearProbe
        All classes, the most probable first, as Explore shows them.
    first, second : ProbeLogit
        The best two classes.
    normalized : bool
        Whether the probe was fitted on vectors of length 1; otherwise f has the length `Cosine.image_length`.
    products : numpy.ndarray, shape (d,), float64
        ``(W_first - W_second) * f``: with the difference of the intercepts they add up to that of the logits.
    most, least : tuple of Term
        The dimensions that decide: most for `first`, and most for `second`.
    """

    prediction: LinearProbe
    first: ProbeLogit
    second: ProbeLogit
    normalized: bool
    products: np.ndarray
    most: tuple[Term, ...]
    least: tuple[Term, ...]


@dataclass(frozen=True)
class Agreement:
    """Why the two methods differ here, or not.

    Attributes
    ----------
    zero_shot, probe : str
        The first class of each.
    agree : bool
        Whether these name the same class.
    rank_of_probe : int or None
        Rank, from 1, of the probe's class in the zero-shot list; None where it is not on the list.
    rank_of_zero_shot : int or None
        Rank of the zero-shot class among the probe's classes; None where the probe has no such class.
    """

    zero_shot: str
    probe: str
    agree: bool
    rank_of_probe: int | None
    rank_of_zero_shot: int | None


@dataclass(frozen=True, eq=False)
class Walk:
    """All steps for one image and one prompt set.

    Attributes
    ----------
    anatomy : Anatomy
        Sizes of the model.
    image : ImageInput or None
        None for a test image that is not on this machine, though its stored features are.
    prompts : tuple of PromptTokens
        The prompts of the class that is followed, one for each template.
    cosine : Cosine
        Of that class.
    logit_scale : float
        The factor in use: Explore's sharpness, or the model's own.
    classes : tuple of ClassShare
        The whole list, the most probable first.
    probe : ProbeStep or None
        None without a head for this model and dataset.
    agreement : Agreement or None
        Likewise.
    truth : str or None
        See `clip_demo.serving.prediction.Prediction`.
    """

    anatomy: Anatomy
    image: ImageInput | None
    prompts: tuple[PromptTokens, ...]
    cosine: Cosine
    logit_scale: float
    classes: tuple[ClassShare, ...]
    probe: ProbeStep | None
    agreement: Agreement | None
    truth: str | None


def without(classes: Sequence[ClassShare], removed: Collection[str]) -> tuple[ClassShare, ...]:
    """Return the shares when some classes are taken from the list; the cosines and logits stay as they are.

    Parameters
    ----------
    classes : sequence of ClassShare
        See `Walk`.
    removed : collection of str
        Names as they are in `classes`; others are ignored.

    Raises
    ------
    ClassnamesError
        When fewer than two classes would be left.
    """
    kept = [each for each in classes if each.label not in removed]
    if len(kept) < 2:
        raise ClassnamesError(
            f"removed: {len(removed)} names leave {len(kept)} of {len(classes)} classes; leave at least 2.",
            page="Keep at least two classes on the list.",
        )
    shares = softmax(np.array([each.logit for each in kept]))
    return tuple(replace(each, probability=float(share)) for each, share in zip(kept, shares, strict=True))


def image_input(encoder: InspectableEncoder, original: Image.Image) -> ImageInput:
    """Return what the model gets of an image in RGB.

    openai-clip resizes the shorter side to the model's and cuts the longer one at both ends.
    """
    side, sizes = encoder.anatomy.resolution, original.size
    margins = []
    for length in sizes:
        resized = int(side * length / min(sizes))  # as torchvision's `Resize` and `CenterCrop` round
        start = round((resized - side) / 2)
        margins.append((start / resized, (start + side) / resized))
    (left, right), (top, bottom) = margins
    return ImageInput(original, encoder.preprocess(original), (left, top, right, bottom))


def follow(
    encoder: InspectableEncoder,
    features: np.ndarray,
    weights: np.ndarray,
    prompts: PromptSet,
    logit_scale: float,
    head: Head | None,
    *,
    classname: str | None = None,
    original: Image.Image | None = None,
    truth: str | None = None,
) -> Walk:
    """Return all steps.

    Parameters
    ----------
    encoder : InspectableEncoder
    features : numpy.ndarray, shape (d,)
        Of the image, not normalised.
    weights : numpy.ndarray, shape (n_classes, d)
        See `clip_demo.zero_shot.classifier.class_weights`.
    prompts : PromptSet
    logit_scale : float
    head : Head or None
    classname : str, optional
        The class to follow; default the first of the prediction.
    original : PIL image, optional
        The image in RGB.
    truth : str, optional
    """
    scores = zero_shot_scores(weights, features, logit_scale, prompts.classnames, len(prompts.classnames))
    classes = tuple(ClassShare(s.label, s.cosine, logit_scale * s.cosine, s.probability) for s in scores)
    position = prompts.position(classes[0].label if classname is None else classname)
    probe = None if head is None else _probe_step(head, features)
    return Walk(
        anatomy=encoder.anatomy,
        image=None if original is None else image_input(encoder, original),
        prompts=tuple(PromptTokens(prompt, encoder.token_pieces(prompt)) for prompt in prompts.prompts[position]),
        cosine=_cosine(prompts.classnames[position], features, weights[position], classes),
        logit_scale=logit_scale,
        classes=classes,
        probe=probe,
        agreement=None if probe is None else _agreement(classes, probe.prediction),
        truth=truth,
    )


def _cosine(classname: str, features: np.ndarray, text: np.ndarray, classes: Sequence[ClassShare]) -> Cosine:
    image = normalize(features)
    value = next(each.cosine for each in classes if each.label == classname)
    length = float(np.linalg.norm(features))
    products = image * text
    return Cosine(classname, image, text, length, products, value, *_terms(image, text, products))


def _probe_step(head: Head, features: np.ndarray) -> ProbeStep:
    prediction = linear_probe(head, features, len(head.classes_))
    normalized = head.provenance.normalized
    vector = (normalize(features) if normalized else features).astype(np.float64)
    weights = []
    logits = []
    for score in prediction.top[:2]:
        position = head.classes_.index(score.label)
        weights.append(head.coef[position].astype(np.float64))
        product, intercept = float(weights[-1] @ vector), float(head.intercept[position])
        logits.append(ProbeLogit(score.label, product, intercept, product + intercept, score.probability))
    difference = weights[0] - weights[1]
    products = difference * vector
    return ProbeStep(prediction, *logits, normalized, products, *_terms(vector, difference, products))


def _terms(image: np.ndarray, weight: np.ndarray, products: np.ndarray) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
    """Return the terms that add most to the sum of products, and those that take away most."""

    def listed(order: np.ndarray) -> tuple[Term, ...]:
        return tuple(Term(int(i), float(image[i]), float(weight[i]), float(products[i])) for i in order)

    return listed(best(products, TERMS)), listed(best(-products, TERMS))


def _agreement(classes: Sequence[ClassShare], probe: LinearProbe) -> Agreement:
    def rank(name: str, scores: Sequence[ClassShare] | Sequence[ProbeScore]) -> int | None:
        return next((i for i, each in enumerate(scores, 1) if same_class(each.label, name)), None)

    first, second = classes[0].label, probe.top[0].label
    return Agreement(first, second, same_class(first, second), rank(second, classes), rank(first, probe.top))
