"""Every published number of ViT-B/32 on CIFAR-100, compared with what this program computes."""

from collections.abc import Iterator
from pathlib import Path

from ..backend import Backend
from ..datasets.catalog import CIFAR100
from ..evaluation.published import (
    ARTICLE,
    DIAGRAM,
    IMAGES,
    ONE_TEMPLATE,
    ONE_TEMPLATE_SOURCE,
    ONE_TEMPLATE_TOP1,
    README,
    TEST_SET_TOLERANCE,
    Comparison,
    compare_image,
    image_tolerance,
)
from ..linear_probe.fit import RECIPE
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.templates import CIFAR100_TEMPLATES


def reproduce(
    backend: Backend,
    *,
    clip_png: str | Path | None = None,
    whole_test_set: bool = True,
    progress: Progress | None = None,
) -> list[Comparison]:
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
    list of Comparison
    """
    rows = [*_images(backend), *_diagram(backend, clip_png)]
    rows += _test_set(backend, progress) if whole_test_set else []
    return [*rows, _probe(backend, progress, whole_test_set)]


def _images(backend: Backend) -> Iterator[Comparison]:
    for index, source, expected in IMAGES:
        scores = backend.predict(index=index, dataset=CIFAR100, top_k=100).zero_shot
        yield from compare_image(index, source, expected, scores)


def _diagram(backend: Backend, clip_png: str | Path | None) -> Iterator[Comparison]:
    got, note = {}, "give the image with --clip-png; it is in openai/CLIP's repository, but not in its package"
    if clip_png is not None:
        # This example has no template: its prompts are the class names.
        prompts = PromptSet(tuple(name for name, _ in DIAGRAM), ("{}",))
        scores = backend.predict(image=clip_png, dataset=CIFAR100, prompts=prompts).zero_shot
        got, note = {score.label: 100 * score.probability for score in scores}, ""
    for name, percent in DIAGRAM:
        yield Comparison(f"CLIP.png {name!r}", README, percent, got.get(name), image_tolerance(percent), note)


def _test_set(backend: Backend, progress: Progress | None) -> Iterator[Comparison]:
    def accuracy(*templates: str):
        dataset = backend.datasets[CIFAR100]
        prompts = PromptSet.for_dataset(dataset, templates=templates, replace_underscores=True)
        return backend.evaluate(prompts, dataset=CIFAR100, progress=progress).accuracy

    one, ensemble = accuracy(ONE_TEMPLATE), accuracy(*CIFAR100_TEMPLATES)
    for what, source, expected, got, tolerance in (
        ("one template, top-1", ONE_TEMPLATE_SOURCE, ONE_TEMPLATE_TOP1, one.top1, 2 * TEST_SET_TOLERANCE),
        ("18 templates, top-1", "CLIP_benchmark", 64.53, ensemble.top1, TEST_SET_TOLERANCE),
        ("18 templates, top-5", "CLIP_benchmark", 88.80, ensemble.top5, TEST_SET_TOLERANCE),
    ):
        yield Comparison(f"zero-shot, {what}", source, expected, 100 * got, tolerance)


def _probe(backend: Backend, progress: Progress | None, whole_test_set: bool) -> Comparison:
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
    return Comparison("linear probe", ARTICLE, 78.31, got, 0.5, note)


def table(rows: list[Comparison]) -> str:
    """Return the rows as a table for a terminal."""
    lines = [f"{'what':<56}{'expected':>9}{'got':>9}{'within':>8}  source"]
    for row in rows:
        got = "-" if row.got is None else f"{row.got:.2f}"
        remark = "MISSED" if row.missed else row.note
        lines.append(
            f"{row.what:<56}{row.expected:>9.2f}{got:>9}{row.tolerance:>8.1f}  {row.source}  {remark}".rstrip()
        )
    return "\n".join(lines)
