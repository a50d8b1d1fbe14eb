"""The captions that the built-in model is trained on.

At every step each class gets one caption, its name in a random template, and each image is classified among these
captions. The 20 unseen classes of Shapes-100 never occur in a caption, but their colours and shapes do, each in eight
other classes and by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES
from ..datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from ..zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE

# Our own templates in addition to the published ones: bare names, and what a user may type. Do not edit them: the
# built-in model was trained on exactly these words.
FREE_TEMPLATES = (
    README_TEMPLATE,
    "{}",
    "a {}",
    "the {}",
    "{}.",
    "an image of a {}.",
    "a picture of a {}.",
    "a small picture of a {}.",
    "this is a {}.",
    "there is a {} in the photo.",
)
_PUBLISHED = 0.7  # fraction of captions in the published templates

# Labels of Shapes-100's training classes, in order.
SEEN_LABELS: tuple[int, ...] = tuple(
    label for label, name in enumerate(Shapes100.classnames) if name not in UNSEEN_CLASSNAMES
)


@dataclass(frozen=True)
class CaptionGroup:
    """The classes of one classification task.

    Attributes
    ----------
    names : tuple of str
        Class names, possibly with underscores.
    weight : float
        Weight of the task's cross-entropy in the loss.
    smoothing : float
        Label smoothing.
    """

    names: tuple[str, ...]
    weight: float
    smoothing: float = 0.0


def caption_groups(datasets: Sequence[str]) -> dict[str, CaptionGroup]:
    """Return the classification tasks by name for the training datasets.

    The fine names of all datasets form one group, ``"fine"``, because a user's class list may mix them. The other
    groups are easier tasks on the same images, from which single words get a meaning.
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
    """Return the names to exclude for each class, because with its own colour or shape they would name an unseen one.

    Red stars are never shown. If "star" were a wrong answer for a red circle, the model would learn that red things
    are not stars, and would misclassify red stars. So this answer is excluded from the softmax.

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
    """Return one caption for each name, with a random template, and with or without underscores."""
    published = rng.random(len(names)) < _PUBLISHED
    picks = rng.integers(0, 2**31, len(names))
    underscores = rng.random(len(names)) < 0.4
    captions = []
    for name, is_published, pick, keep in zip(names, published, picks, underscores, strict=True):
        templates = CIFAR100_TEMPLATES if is_published else FREE_TEMPLATES
        captions.append(templates[pick % len(templates)].replace("{}", name if keep else name.replace("_", " ")))
    return captions


def all_captions(datasets: Sequence[str]) -> Iterator[str]:
    """Yield every caption that `write_captions` can return for the datasets."""
    for group in caption_groups(datasets).values():
        for name in group.names:
            for spelled in dict.fromkeys((name, name.replace("_", " "))):
                for template in (*CIFAR100_TEMPLATES, *FREE_TEMPLATES):
                    yield template.replace("{}", spelled)
