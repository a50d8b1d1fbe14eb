"""The article's two experiments on the real weights, held against every published number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..backend import Backend
from ..datasets.catalog import CIFAR100
from ..linear_probe.head import RECIPE
from ..models.encoder import Report
from ..zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE

__all__ = ["Row", "reproduce", "table"]

README = "openai/CLIP README"
TEST_SET_TOLERANCE = 1.0  # per cent points

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
    """Return how far a probability may be off, in per cent points.

    "The exact numbers may be slightly different depending on the compute device" (README): in half precision a logit
    of 25 is off by some hundredths, and the probability by as many hundredths of itself.
    """
    return min(max(0.05 * percent, 0.15), 1.5)


@dataclass(frozen=True)
class Row:
    """One published number and what came here.

    Attributes
    ----------
    what, source : str
        What is measured, and who published the number.
    expected : float
        Per cent, or a count.
    got : float or None
        The same; None where it was not computed.
    tolerance : float
        How far the two may be apart.
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
    progress: Report | None = None,
) -> list[Row]:
    """Compute every published number that can be computed here.

    Parameters
    ----------
    backend : Backend
        With ViT-B/32 and CIFAR-100.
    clip_png : path, optional
        ``CLIP.png`` of openai/CLIP's repository, the image of its README's first example.
    whole_test_set : bool
        Whether to encode all 10,000 test images.
    progress : callable, optional
        See `clip_demo.encoder.Report`.

    Returns
    -------
    list of Row
    """
    rows = [*_images(backend), *_diagram(backend, clip_png)]
    rows += _test_set(backend, progress) if whole_test_set else []
    return [*rows, _probe(backend, progress, whole_test_set)]


def _images(backend: Backend) -> Iterator[Row]:
    for index, source, expected in IMAGES:
        scores = backend.predict(index=index, dataset=CIFAR100, templates=[README_TEMPLATE], top_k=100).zero_shot
        got = {score.label: 100 * score.probability for score in scores}
        for label, percent in expected:
            yield Row(f"test[{index}] {label}", source, percent, got[label], _image_tolerance(percent))
        in_place = sum(score.label == label for score, (label, _) in zip(scores, expected, strict=False))
        yield Row(f"test[{index}] places of the top five", source, 5, in_place, 0)


def _diagram(backend: Backend, clip_png: str | Path | None) -> Iterator[Row]:
    got, note = {}, "give the image with --clip-png: it comes with openai/CLIP's repository, not with its package"
    if clip_png is not None:
        # This example has no template: its prompts are the class names themselves.
        names = [name for name, _ in DIAGRAM]
        scores = backend.predict(image=clip_png, dataset=CIFAR100, classnames=names, templates=["{}"]).zero_shot
        got, note = {score.label: 100 * score.probability for score in scores}, ""
    for name, percent in DIAGRAM:
        yield Row(f"CLIP.png {name!r}", README, percent, got.get(name), _image_tolerance(percent), note)


def _test_set(backend: Backend, progress: Report | None) -> Iterator[Row]:
    one = backend.evaluate(
        dataset=CIFAR100, templates=["a photo of a {}."], replace_underscores=True, progress=progress
    )
    yield Row("zero-shot, one template, top-1", "open_clip docs", 62.24, 100 * one.top1, 2 * TEST_SET_TOLERANCE)
    ensemble = backend.evaluate(
        dataset=CIFAR100, templates=CIFAR100_TEMPLATES, replace_underscores=True, progress=progress
    )
    for what, expected, got in (("top-1", 64.53, ensemble.top1), ("top-5", 88.80, ensemble.top5)):
        yield Row(f"zero-shot, 18 templates, {what}", "CLIP_benchmark", expected, 100 * got, TEST_SET_TOLERANCE)


def _probe(backend: Backend, progress: Report | None, whole_test_set: bool) -> Row:
    head, got, note = backend.head(CIFAR100), None, ""
    if head is None:
        note = f"no head yet: python -m clip_demo fit-probe --model {backend.default_model} --dataset cifar100"
    elif {name: getattr(head.provenance, name) for name in RECIPE} != RECIPE:
        note = f"the head was not fitted by the article's recipe {RECIPE}"
    elif head.provenance.n_train < backend.datasets[CIFAR100].sizes["train"]:
        note = f"the head knows {head.provenance.n_train:,} training images only, so far"
    elif not whole_test_set:
        note = "needs the whole test set"
    else:
        got = 100 * backend.evaluate(dataset=CIFAR100, progress=progress).probe_top1
    return Row("linear probe", "the article", 78.31, got, 0.5, note)


def table(rows: list[Row]) -> str:
    """Return the rows for a terminal."""
    lines = [f"{'what':<36}{'expected':>9}{'got':>9}{'within':>8}  source"]
    for row in rows:
        got = "-" if row.got is None else f"{row.got:.2f}"
        verdict = "MISSED" if row.missed else row.note if row.got is None else ""
        lines.append(
            f"{row.what:<36}{row.expected:>9.2f}{got:>9}{row.tolerance:>8.1f}  {row.source}"
            + (f"  {verdict}" if verdict else "")
        )
    return "\n".join(lines)
