"""Published numbers of ViT-B/32 on CIFAR-100, compared with what this program computes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..backend import Backend
from ..datasets.catalog import CIFAR100
from ..linear_probe.fit import RECIPE
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.templates import CIFAR100_TEMPLATES

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
DIAGRAM = (("a diagram", 99.28), ("a dog", 0.42), ("a cat", 0.30))


def _image_tolerance(percent: float) -> float:
    """Return the tolerance of one image's probability, in percentage points.

    "The exact numbers may be slightly different depending on the compute device" (openai/CLIP's README). In half
    precision the error of a logit of 25 is a few hundredths, and so is the relative error of the probability.
    """
    return min(max(0.05 * percent, 0.15), 1.5)


@dataclass(frozen=True)
class Row:
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
        return self.got is not None and abs(self.got - self.expected) > self.tolerance


def reproduce(
    backend: Backend,
    *,
    clip_png: str | Path | None = None,
    whole_test_set: bool = True,
    progress: Progress | None = None,
) -> list[Row]:
    """Compute every published number for which the files are available.

    Parameters
    ----------
    backend : Backend
        With ViT-B/32 and CIFAR-100.
    clip_png : path, optional
        ``CLIP.png`` of openai/CLIP's repository, the image in the first example of its README.
    whole_test_set : bool
        Whether to encode all test images.
    progress : callable, optional
        See `clip_demo.progress.Progress`.

    Returns
    -------
    list of Row
    """
    rows = [*_images(backend), *_diagram(backend, clip_png)]
    rows += _test_set(backend, progress) if whole_test_set else []
    return [*rows, _probe(backend, progress, whole_test_set)]


def _images(backend: Backend) -> Iterator[Row]:
    for index, source, expected in IMAGES:
        scores = backend.predict(index=index, dataset=CIFAR100, top_k=100).zero_shot
        got = {score.label: 100 * score.probability for score in scores}
        for label, percent in expected:
            yield Row(f"test[{index}] {label}", source, percent, got[label], _image_tolerance(percent))
        in_order = sum(score.label == label for score, (label, _) in zip(scores, expected, strict=False))
        yield Row(f"test[{index}] ranks of the top five", source, 5, in_order, 0)


def _diagram(backend: Backend, clip_png: str | Path | None) -> Iterator[Row]:
    got, note = {}, "give the image with --clip-png; it is in openai/CLIP's repository, but not in its package"
    if clip_png is not None:
        # This example has no template: its prompts are the class names.
        prompts = PromptSet(tuple(name for name, _ in DIAGRAM), ("{}",))
        scores = backend.predict(image=clip_png, dataset=CIFAR100, prompts=prompts).zero_shot
        got, note = {score.label: 100 * score.probability for score in scores}, ""
    for name, percent in DIAGRAM:
        yield Row(f"CLIP.png {name!r}", README, percent, got.get(name), _image_tolerance(percent), note)


def _test_set(backend: Backend, progress: Progress | None) -> Iterator[Row]:
    def accuracy(*templates: str):
        dataset = backend.datasets[CIFAR100]
        prompts = PromptSet.for_dataset(dataset, templates=templates, replace_underscores=True)
        return backend.evaluate(prompts, dataset=CIFAR100, progress=progress).accuracy

    one, ensemble = accuracy("a photo of a {}."), accuracy(*CIFAR100_TEMPLATES)
    for what, source, expected, got, tolerance in (
        ("one template, top-1", "open_clip's documentation", 62.24, one.top1, 2 * TEST_SET_TOLERANCE),
        ("18 templates, top-1", "CLIP_benchmark", 64.53, ensemble.top1, TEST_SET_TOLERANCE),
        ("18 templates, top-5", "CLIP_benchmark", 88.80, ensemble.top5, TEST_SET_TOLERANCE),
    ):
        yield Row(f"zero-shot, {what}", source, expected, 100 * got, tolerance)


def _probe(backend: Backend, progress: Progress | None, whole_test_set: bool) -> Row:
    head, got, note = backend.head(CIFAR100), None, ""
    if head is None:
        note = f"no head yet: python -m clip_demo fit-probe --model {backend.default_model} --dataset cifar100"
    elif {name: getattr(head.provenance, name) for name in RECIPE} != RECIPE:
        note = f"the head was fitted with other settings than {RECIPE}"
    elif head.provenance.n_train < backend.datasets[CIFAR100].sizes["train"]:
        note = f"the head was fitted on only {head.provenance.n_train:,} training images so far"
    elif not whole_test_set:
        note = "needs the whole test set"
    else:
        got = 100 * backend.evaluate(dataset=CIFAR100, progress=progress).accuracy.probe_top1
    return Row("linear probe", ARTICLE, 78.31, got, 0.5, note)


def table(rows: list[Row]) -> str:
    """Return the rows as a table for a terminal."""
    lines = [f"{'what':<36}{'expected':>9}{'got':>9}{'within':>8}  source"]
    for row in rows:
        got = "-" if row.got is None else f"{row.got:.2f}"
        remark = "MISSED" if row.missed else row.note
        lines.append(
            f"{row.what:<36}{row.expected:>9.2f}{got:>9}{row.tolerance:>8.1f}  {row.source}  {remark}".rstrip()
        )
    return "\n".join(lines)
