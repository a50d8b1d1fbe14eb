"""Every published number of ViT-B/32 on CIFAR-100, compared with what this program computes."""

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from ..backend import Backend
from ..datasets.base import Dataset
from ..datasets.catalog import CIFAR100
from ..evaluation.published import (
    ARTICLE,
    DIAGRAM,
    IMAGES,
    PROBE_C,
    PROBE_METHOD,
    PROBE_SOURCE,
    PROBES,
    README,
    ZERO_SHOT,
    Comparison,
    PublishedProbe,
    compare_image,
    image_tolerance,
)
from ..features.extract import encode_directly
from ..linear_probe.fit import RECIPE, ProbeFitter
from ..linear_probe.pipeline import Stores
from ..progress import Progress
from ..zero_shot.prompt_set import PromptSet

WIDTH = 100  # of the table, in characters


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
        Whether to encode all test images, and the training images of the few-shot probes.
    progress : callable, optional
        See `clip_demo.progress.Progress`.

    Returns
    -------
    list of Comparison
    """
    rows = [*_images(backend), *_diagram(backend, clip_png), *_test_set(backend, progress, whole_test_set)]
    return [*rows, *_few_shot(backend, progress, whole_test_set), _probe(backend, progress, whole_test_set)]


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
        tolerance = image_tolerance(percent)
        yield Comparison(f"CLIP.png {name!r}", README, percent, got.get(name), tolerance, note, "these three texts")


def _test_set(backend: Backend, progress: Progress | None, whole_test_set: bool) -> Iterator[Comparison]:
    for each in ZERO_SHOT:
        got, note = {}, "needs the whole test set, so not with --quick"
        if not each.templates:
            note = "it is not known which prompts make this number"
        elif whole_test_set:
            dataset = backend.datasets[CIFAR100]
            prompts = PromptSet.for_dataset(dataset, None, each.templates, each.replace_underscores)
            accuracy = backend.evaluate(prompts, dataset=CIFAR100, progress=progress).accuracy
            got, note = {"top-1": 100 * accuracy.top1, "top-5": 100 * accuracy.top5}, ""
        for metric, expected in (("top-1", each.top1), ("top-5", each.top5)):
            if expected is not None:
                what = f"zero-shot, {each.what}, {metric}"
                yield Comparison(what, each.source, expected, got.get(metric), each.tolerance, note, each.prompts)


def _few_shot(backend: Backend, progress: Progress | None, whole_test_set: bool) -> Iterator[Comparison]:
    dataset = backend.datasets[CIFAR100]
    for each in PROBES:
        got, images = None, "all images" if each.per_class is None else f"{each.per_class} images per class"
        if not whole_test_set:
            note = "needs the features of many images, so not with --quick"
        elif not dataset.available():
            note = f"needs the training images: python -m clip_demo download {CIFAR100}"
        else:
            got, note = _probe_accuracy(backend, dataset, each, progress)
        what = f"linear probe, normalised features, {images}"
        yield Comparison(what, PROBE_SOURCE, each.percent, got, each.tolerance, note, PROBE_METHOD)


def _probe_accuracy(
    backend: Backend, dataset: Dataset, published: PublishedProbe, progress: Progress | None
) -> tuple[float | None, str]:
    """Return the mean accuracy over the draws, in per cent; or None, and why."""
    encoder, stores, n_train = backend.encoder(), Stores.open(), dataset.sizes["train"]
    extract = encode_directly(encoder)
    fitter = ProbeFitter(encoder, dataset, stores.shards, extract if published.per_class else _not_encoded)
    size = published.per_class * len(dataset.classnames) if published.per_class else n_train
    try:
        fitter.encode("train", size * published.draws, progress)
    except LookupError:
        name = f"--model {encoder.name} --dataset {dataset.argument}"
        return None, f"needs the features of all {n_train:,} training images: python -m clip_demo fit-probe {name}"
    test, order = stores.features.get_or_encode(encoder, dataset, extract, progress), fitter.shards["train"].order
    found = []
    for start in range(0, size * published.draws, size):
        train = np.sort(order[start : start + size])
        head = fitter.fit_on(train, test.features, test.labels, C=PROBE_C, normalized=True)
        found.append(head.provenance.test_accuracy)
    return 100 * float(np.mean(found)), ""


def _not_encoded(dataset: Dataset, split: str, indices: np.ndarray):
    # An hour of work for one row: it is only looked up.
    raise LookupError(f"{len(indices)} {split} images are not encoded yet")


def _probe(backend: Backend, progress: Progress | None, whole_test_set: bool) -> Comparison:
    head, got, note = backend.head(CIFAR100), None, ""
    if head is None:
        note = f"no head yet: python -m clip_demo fit-probe --model {backend.default_model} --dataset cifar100"
    elif {name: getattr(head.provenance, name) for name in RECIPE} != RECIPE:
        note = f"the head was fitted with other settings than {RECIPE}"
    elif head.provenance.n_train < backend.datasets[CIFAR100].sizes["train"]:
        note = f"the head was fitted on only {head.provenance.n_train:,} training images so far"
    elif not whole_test_set:
        note = "needs the whole test set, so not with --quick"
    else:
        got = 100 * backend.evaluate(dataset=CIFAR100, progress=progress).accuracy.probe_top1
    method = "no prompts. The recipe of openai/CLIP's README, on features that are not normalised"
    return Comparison("linear probe, the recipe of the README", ARTICLE, 78.31, got, 0.5, note, method)


def table(rows: list[Comparison]) -> str:
    """Return the rows as a table for a terminal: below each source and its prompts, the numbers."""
    lines = [f"{'':<58}{'expected':>9}{'got':>9}{'within':>8}"]
    for (source, prompts), group in groupby(rows, lambda row: (row.source, row.prompts)):
        group = list(group)
        lines += ["", *textwrap.wrap(f"{source}: {prompts}" if prompts else source, WIDTH)]
        for row in group:
            got = "-" if row.got is None else f"{row.got:.2f}"
            numbers = f"{row.expected:>9.2f}{got:>9}{row.tolerance:>8.1f}"
            lines.append(f"  {row.what:<56}{numbers}{'  MISSED' if row.missed else ''}")
        for note in dict.fromkeys(row.note for row in group if row.note):
            lines += textwrap.wrap(f"not computed: {note}", WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
