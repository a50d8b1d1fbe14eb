"""Images of the test set with their true labels and what both predictors said: pure functions to HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...datasets.base import Dataset
from ...evaluation.report import EvaluationReport, Verdict
from ..html import data_url, escape

__all__ = ["KINDS", "PAGE", "gallery", "gallery_of"]

PAGE = 24  # images at a time
# The kinds of `EvaluationReport.images` that one can browse, as the page calls them.
KINDS = {
    "only probe": "Only the probe is right",
    "only zero-shot": "Only zero-shot is right",
    "both right": "Both right",
    "both wrong": "Both wrong",
    "gained": "Became right since the baseline",
    "lost": "Became wrong since the baseline",
}


def gallery_of(found: EvaluationReport, dataset: Dataset, title: str, indices: Sequence[int], pages: int) -> str:
    """Return the images of an examination; thumbnails only where the images are on disk."""
    url = (lambda index: data_url(dataset.image(index))) if dataset.available() else None
    return gallery(title, indices, pages, found.verdict, url)


def gallery(
    title: str, indices: Sequence[int], pages: int, said: Callable[[int], Verdict], url: Callable[[int], str] | None
) -> str:
    """Return the first images, and a button for more.

    Parameters
    ----------
    title : str
        What they have in common.
    indices : sequence of int
        All images.
    pages : int
        How many times `PAGE` are shown.
    said : callable
        What is known of an image, by its index.
    url : callable or None
        The image itself as an address, by its index; None where the images are not on disk.
    """
    shown = [said(index) for index in indices[: PAGE * pages]]
    figures = "".join(_figure(each, url) for each in shown)
    left = len(indices) - len(shown)
    more = ""
    if left > 0:
        words = f"Show {PAGE} more of {left:,}" if left > PAGE else f"Show the last {left}"
        more = f'<button type="button" class="more" data-more="{pages + 1}">{words}</button>'
    gone = ""
    if url is None and shown:
        gone = (
            '<p class="caption">The images themselves are not on disk: Explore has a button to get them. All numbers '
            "come from stored features.</p>"
        )
    count = f"{len(indices):,} image{'' if len(indices) == 1 else 's'}"
    return (
        f'<section class="lab-gallery" aria-label="Images"><h4>{escape(title)}: {count}</h4>{gone}'
        f'<div class="shots">{figures}</div>{more}</section>'
    )


def _figure(image: Verdict, url: Callable[[int], str] | None) -> str:
    image = (
        '<span class="blank" aria-hidden="true"></span>'
        if url is None
        else (f'<img src="{url(image.index)}" alt="" width="32" height="32">')
    )
    lines = _line("zero-shot", image.zero_shot, image.truth)
    if image.probe is not None:
        lines += _line("probe", image.probe, image.truth)
    return (
        f'<button type="button" data-open="{image.index}" title="Open image {image.index} in Explore">{image}'
        f'<span class="number">{image.index}</span> <span class="truth">{escape(image.truth)}</span> '
        f"{lines}</button>"
    )


def _line(kind: str, answer: str, truth: str) -> str:
    mark = "✓" if answer == truth else "✗"
    return f'<span class="said {kind}"><span class="unseen">{kind}: </span>{mark} {escape(answer)}</span> '
