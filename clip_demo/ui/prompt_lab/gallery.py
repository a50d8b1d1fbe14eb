"""Test images with their true class and both predictions, as HTML."""

from collections.abc import Sequence

from ...datasets.base import Dataset
from ...evaluation.report import EvaluationReport, LabelledPrediction
from ...serving.thumbnails import Thumbnails
from ..html import file_url, not_available
from .text import bdi

PAGE = 24  # images per page
MAX_PAGES = 20  # a page of all 10,000 images would keep the server busy for half a minute
# The kinds of `EvaluationReport.images` that can be browsed, and their names on the page.
KINDS = {
    "only probe": "Only the probe is right",
    "only zero-shot": "Only zero-shot is right",
    "both right": "Both right",
    "both wrong": "Both wrong",
    "gained": "Right now, wrong with the baseline",
    "lost": "Wrong now, right with the baseline",
}


def gallery_of(
    thumbnails: Thumbnails, report: EvaluationReport, dataset: Dataset, title: str, indices: Sequence[int], pages: int
) -> str:
    """Return the first `pages` pages of some images; the thumbnails only where the dataset is available."""
    pages = min(pages, MAX_PAGES)
    shown = indices[: PAGE * pages]
    images = thumbnails.get_all(dataset, shown) if shown and dataset.available() else None
    predictions = [report.labelled_prediction(index) for index in shown]
    return gallery(title, len(indices), pages, predictions, images, not_available(dataset))


def gallery(
    title: str,
    n: int,
    pages: int,
    predictions: Sequence[LabelledPrediction],
    images: Sequence[bytes] | None,
    why: str = "",
) -> str:
    """Return a button per image, and one for more images.

    Parameters
    ----------
    title : str
        What the images have in common, as HTML.
    n : int
        Number of images, including those that are not shown.
    pages : int
        Number of pages that are shown.
    predictions : sequence of LabelledPrediction
        Of the images that are shown.
    images : sequence of bytes or None
        Their thumbnails; None where they are not available.
    why : str
        A sentence that says it then.
    """
    left = n - len(predictions)
    more = ""
    if left > 0 and pages >= MAX_PAGES:
        more = f'<p class="caption">{left:,} more are not shown. Choose a class or a cell to see fewer at a time.</p>'
    elif left > 0:
        label = f"Show {PAGE} more of {left:,}" if left > PAGE else f"Show the last {left}"
        more = f'<button type="button" class="more" data-more="{pages + 1}">{label}</button>'
    note = ""
    if predictions and images is None:
        note = f'<p class="caption">{why} The predictions were stored earlier.</p>'
    tiles = "".join(map(_tile, predictions, images or [None] * len(predictions)))
    return (
        f'<section class="lab-gallery" aria-label="Images"><h3>{title}: {n:,} image{"" if n == 1 else "s"}</h3>'
        f'{_legend(predictions)}{note}<div class="images">{tiles}</div>{more}</section>'
    )


def _legend(predictions: Sequence[LabelledPrediction]) -> str:
    """Return what the colours and marks of the predictions mean."""
    if not predictions:
        return ""
    probe = '<span class="predicted probe">amber: linear probe</span> · ' if predictions[0].probe is not None else ""
    return (
        '<p class="caption legend"><b>bold: true class</b> · '
        f'<span class="predicted zero-shot">indigo: zero-shot</span> · {probe}'
        "✓ right · ✗ wrong. Click an image to open it in Explore.</p>"
    )


def _tile(prediction: LabelledPrediction, image: bytes | None) -> str:
    lines = _line("zero-shot", prediction.zero_shot, prediction.truth)
    if prediction.probe is not None:
        lines += _line("probe", prediction.probe, prediction.truth)
    index, thumbnail = prediction.index, "" if not image else f'<img src="{file_url(image)}" alt="">'
    return (
        f'<button type="button" data-open="{index}" title="Open image {index} in Explore">{thumbnail}'
        f'<span class="number">{index}</span> <span class="truth">{bdi(prediction.truth)}</span> {lines}</button>'
    )


def _line(kind: str, answer: str, truth: str) -> str:
    mark = "✓" if answer == truth else "✗"
    return f'<span class="predicted {kind}"><span class="unseen">{kind}: </span>{mark} {bdi(answer)}</span> '
