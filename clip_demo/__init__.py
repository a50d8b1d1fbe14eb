"""CLIP Explorer: zero-shot prediction beside a linear probe.

>>> from clip_demo import Backend
>>> Backend.open("tiny", images="shapes100").predict(index=0).truth  # doctest: +SKIP

Importing this package imports neither gradio nor torch; a model is loaded when a `Backend` is opened.
"""

from .backend import Backend
from .errors import Cancelled, ClassnamesError, ClipDemoError, HeadError, ImageSetError, IndexRangeError, InputError, ModelError, OptionError, PictureError, PromptTooLongError, TemplateError
from .zero_shot.templates import ARTICLE_TEMPLATE, CIFAR100_TEMPLATES
from .datasets.cifar100_classes import CIFAR100_CLASSNAMES
from .linear_probe.head import LinearProbe, ProbeScore, Provenance
from .backend import Prediction, Status
from .zero_shot.classifier import ZeroShotScore

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
