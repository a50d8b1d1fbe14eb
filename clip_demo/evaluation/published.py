"""Published numbers of ViT-B/32 on CIFAR-100, and the two quickest comparisons with them.

They tell whether the weights, the preprocessing and the tokenizer are the right ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..zero_shot.classifier import ZeroShotScore

README = "openai/CLIP's README"
ARTICLE = '"[CLIP] Zero-shot Prediction & Linear Probe"'
TEST_SET_TOLERANCE = 1.0  # percentage points

# Index of a CIFAR-100 test image, source, and the five most probable classes with their probabilities in per cent.
IMAGES = (
    (
        3637,
        README,
        (("snake", 65.31), ("turtle", 12.29), ("sweet_pepper", 3.83), ("lizard", 1.88), ("crocodile", 1.75)),
    ),
    (
        15,
        "a public notebook",
        (("lion", 96.34), ("tiger", 1.04), ("camel", 0.28), ("lawn_mower", 0.26), ("leopard", 0.26)),
    ),
)
# Accuracy on the whole test set, in per cent, with underscores replaced by spaces.
ONE_TEMPLATE, ONE_TEMPLATE_TOP1, ONE_TEMPLATE_SOURCE = "a photo of a {}.", 62.24, "open_clip's documentation"
DIAGRAM = (("a diagram", 99.28), ("a dog", 0.42), ("a cat", 0.30))


def image_tolerance(percent: float) -> float:
    """Return the tolerance of one image's probability, in percentage points.

    "The exact numbers may be slightly different depending on the compute device" (openai/CLIP's README). In half
    precision the error of a logit of 25 is a few hundredths, and so is the relative error of the probability.
    """
    return min(max(0.05 * percent, 0.15), 1.5)


@dataclass(frozen=True)
class Comparison:
    """One published number and the result of this program.

    Attributes
    ----------
    what, source : str
        What is measured, and where it is published.
    expected : float
        Per cent, or a count.
    got : float or None
        The same; None if it was not computed.
    tolerance : float
        Largest difference that counts as reproduced.
    note : str
        Why it was not computed.
    """

    what: str
    source: str
    expected: float
    got: float | None
    tolerance: float
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the number was computed and lies outside the tolerance."""
        return self.got is not None and not abs(self.got - self.expected) <= self.tolerance  # NaN is missed


def compare_image(
    index: int, source: str, expected: Sequence[tuple[str, float]], scores: Sequence[ZeroShotScore]
) -> Iterator[Comparison]:
    """Yield a comparison for each of the published classes of an image, and one for their order.

    Parameters
    ----------
    index, source, expected
        An item of `IMAGES`.
    scores : sequence of ZeroShotScore
        Of all classes, the most probable first.
    """
    got = {score.label: 100 * score.probability for score in scores}
    for label, percent in expected:
        yield Comparison(f"test image {index}: {label}", source, percent, got[label], image_tolerance(percent))
    in_order = sum(score.label == label for score, (label, _) in zip(scores, expected, strict=False))
    yield Comparison(f"test image {index}: classes in their published place", source, 5, in_order, 0)


def compare_sample(correct: np.ndarray) -> Comparison:
    """Compare the accuracy on some test images with the published one on all.

    Parameters
    ----------
    correct : numpy.ndarray, shape (n,), bool
        Whether each image was classified correctly with `ONE_TEMPLATE`.

    Returns
    -------
    Comparison
        The tolerance is the half width of the 95 % interval of an accuracy on n images (normal approximation).
    """
    p = ONE_TEMPLATE_TOP1 / 100
    tolerance = 100 * 1.96 * (p * (1 - p) / len(correct)) ** 0.5
    what = f"zero-shot, one template, the first {len(correct):,} test images"
    return Comparison(what, ONE_TEMPLATE_SOURCE, ONE_TEMPLATE_TOP1, 100 * float(correct.mean()), tolerance)
