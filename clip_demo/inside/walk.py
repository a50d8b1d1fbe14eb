"""The steps from one image and one prompt to the bars, with their numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..linear_probe.head import Head, LinearProbe
from ..models.encoder import Anatomy, InspectableEncoder, Token
from ..zero_shot.prompt_set import PromptSet

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


def without(classes: tuple[ClassShare, ...], removed: Collection[str]) -> tuple[ClassShare, ...]:
    """Return the shares when some classes are taken from the list; the cosines and logits stay as they are.

    Raises
    ------
    ClassnamesError
        When no class would be left.
    """
    raise NotImplementedError


def image_input(encoder: InspectableEncoder, original: Image.Image) -> ImageInput:
    """Return what the model gets of an image in RGB."""
    raise NotImplementedError


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
    raise NotImplementedError
