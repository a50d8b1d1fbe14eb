"""CLIP Explorer: zero-shot prediction beside a linear probe.

>>> from clip_demo import Backend
>>> Backend.open("tiny", images="shapes100").predict(index=0).truth  # doctest: +SKIP

Importing this package imports neither gradio nor torch; a model is loaded when a `Backend` is opened.
"""

from .backend import Backend
from .errors import (
    Cancelled,
    ClassnamesError,
    ClipDemoError,
    HeadError,
    ImageSetError,
    IndexRangeError,
    InputError,
    ModelError,
    OptionError,
    PictureError,
    PromptTooLongError,
    TemplateError,
)
from .metadata import ARTICLE_TEMPLATE, CIFAR100_CLASSNAMES, CIFAR100_TEMPLATES
from .results import LinearProbe, Prediction, ProbeScore, Provenance, Status, ZeroShotScore

__all__ = [
    "ARTICLE_TEMPLATE",
    "CIFAR100_CLASSNAMES",
    "CIFAR100_TEMPLATES",
    "Backend",
    "Cancelled",
    "ClassnamesError",
    "ClipDemoError",
    "HeadError",
    "ImageSetError",
    "IndexRangeError",
    "InputError",
    "LinearProbe",
    "ModelError",
    "OptionError",
    "PictureError",
    "Prediction",
    "ProbeScore",
    "PromptTooLongError",
    "Provenance",
    "Status",
    "TemplateError",
    "ZeroShotScore",
]
