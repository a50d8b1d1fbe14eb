"""The captions that the built-in model is trained on.

At every step each class gets one caption, a random phrasing of its name, so that an image is told from all classes
at once. The 20 unseen pairs of Shapes-100 are never written: their colour and their shape are, each in eight other
pairs and by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES
from ..datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from ..zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE

__all__ = [
    "FREE_TEMPLATES",
    "SEEN_LABELS",
    "CaptionGroup",
    "all_captions",
    "caption_groups",
    "hidden_names",
    "write_captions",
]

# Our own phrasings, beside the published ones: bare words and what a user may type.
FREE_TEMPLATES = (
    README_TEMPLATE,
    "{}",
    "a {}",
    "the {}",
    "{}.",
    "an image of a {}.",
    "an image of a {}.",
    "a small image of a {}.",
    "this is a {}.",
    "there is a {} in the photo.",
)
_PUBLISHED = 0.7  # share of captions in the published templates

# Labels of Shapes-100 whose images and names may be used in training, in order.
SEEN_LABELS: tuple[int, ...] = tuple(
    label for label, name in enumerate(Shapes100.classnames) if name not in UNSEEN_CLASSNAMES
)


@dataclass(frozen=True)
class CaptionGroup:
    """Names among which an image's one is to be found.

    Attributes
    ----------
    names : tuple of str
        Spelled as a class list spells them, perhaps with underscores.
    weight : float
        Weight of this group's cross-entropy in the loss.
    smoothing : float
        Label smoothing.
    """

    names: tuple[str, ...]
    weight: float
    smoothing: float = 0.0


def caption_groups(datasets: Sequence[str]) -> dict[str, CaptionGroup]:
    """Return the groups of names for the datasets trained on.

    The fine names of all datasets are one group, ``"fine"``: whoever types a list may mix them. The other groups
    are easier questions about the same image that make the words mean something by themselves.
    """
    fine: tuple[str, ...] = ()
    groups = {}
    if "cifar100" in datasets:
        fine += CIFAR100_CLASSNAMES
        groups["coarse"] = CaptionGroup(CIFAR100_COARSE_NAMES, 0.2, smoothing=0.1)
    if "shapes100" in datasets:
        fine += tuple(Shapes100.classnames[label] for label in SEEN_LABELS)
        groups["colour"] = CaptionGroup(tuple(f"{colour} shape" for colour in COLOURS), 0.25)
        groups["shape"] = CaptionGroup(SHAPES, 1.0)
    return {"fine": CaptionGroup(fine, 1.0, smoothing=0.1), **groups}


def hidden_names(groups: dict[str, CaptionGroup]) -> dict[str, np.ndarray]:
    """Return the names that an image is not told from, because together they would name an unseen pair.

    No red star is ever shown. Were "star" among the choices for a red circle, the model would learn that what is
    red is no star, and would be wrong about red stars. So the choice is left out, not answered with no.

    Returns
    -------
    dict of str to numpy.ndarray, shape (fine names, names of the group), bool
        For the groups ``"colour"`` and ``"shape"``.
    """
    hidden = {
        name: np.zeros((len(groups["fine"].names), len(groups[name].names)), bool) for name in ("colour", "shape")
    }
    for row, name in enumerate(groups["fine"].names):
        if name not in Shapes100.classnames:
            continue
        colour, shape = name.split()
        hidden["colour"][row] = [f"{other} {shape}" in UNSEEN_CLASSNAMES for other in COLOURS]
        hidden["shape"][row] = [f"{colour} {other}" in UNSEEN_CLASSNAMES for other in SHAPES]
    return hidden


def write_captions(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Write one caption a name, each in a template and a spelling of its own.

    Parameters
    ----------
    names : sequence of str
    rng : numpy.random.Generator

    Returns
    -------
    list of str
        As long as `names`.
    """
    published = rng.random(len(names)) < _PUBLISHED
    picks = rng.integers(0, 2**31, len(names))
    underscores = rng.random(len(names)) < 0.4
    captions = []
    for name, known, pick, under in zip(names, published, picks, underscores, strict=True):
        templates = CIFAR100_TEMPLATES if known else FREE_TEMPLATES
        spelled = name if under else name.replace("_", " ")
        captions.append(templates[pick % len(templates)].replace("{}", spelled))
    return captions


def all_captions(datasets: Sequence[str]) -> Iterator[str]:
    """Yield every caption that `write_captions` can write for the datasets."""
    for group in caption_groups(datasets).values():
        for name in group.names:
            for spelled in dict.fromkeys((name, name.replace("_", " "))):
                for template in (*CIFAR100_TEMPLATES, *FREE_TEMPLATES):
                    yield template.replace("{}", spelled)
