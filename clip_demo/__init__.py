"""CLIP Explorer: zero-shot prediction beside a linear probe.

>>> from clip_demo import Backend
>>> Backend.open("tiny", dataset="shapes100").predict(index=0).truth  # doctest: +SKIP

Importing this package imports neither gradio nor torch; a model is loaded when a `Backend` is opened.
"""

from .backend import Backend, Prediction, Status
from .datasets.cifar100_classes import CIFAR100_CLASSNAMES
from .datasets.openai_templates import CIFAR100_TEMPLATES
from .errors import (
    ArtifactError,
    BusyError,
    Cancelled,
    ClassnamesError,
    ClipDemoError,
    DatasetError,
    HeadError,
    ImageError,
    IndexRangeError,
    InputError,
    ModelError,
    OptionError,
    PromptTooLongError,
    TemplateError,
)
from .linear_probe.head import LinearProbe, ProbeScore, Provenance
from .zero_shot.classifier import ZeroShotScore
from .zero_shot.prompt_set import PromptSet
from .zero_shot.templates import README_TEMPLATE
from .zero_shot.word_knowledge import WordKnowledge

__all__ = [
    "CIFAR100_CLASSNAMES",
    "CIFAR100_TEMPLATES",
    "README_TEMPLATE",
    "ArtifactError",
    "Backend",
    "BusyError",
    "Cancelled",
    "ClassnamesError",
    "ClipDemoError",
    "DatasetError",
    "HeadError",
    "ImageError",
    "IndexRangeError",
    "InputError",
    "LinearProbe",
    "ModelError",
    "OptionError",
    "Prediction",
    "ProbeScore",
    "PromptSet",
    "PromptTooLongError",
    "Provenance",
    "Status",
    "TemplateError",
    "WordKnowledge",
    "ZeroShotScore",
]
