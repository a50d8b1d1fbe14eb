"""The batch as HTML: images with captions to edit, the matrix with its shares, and the loss written out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from itertools import chain, zip_longest

import numpy as np

from ...inside.contrastive_batch import BatchImage, ContrastiveBatch
from ...paths import EXAMPLES
from ...zero_shot.prompts import MAX_LENGTH
from ..html import data_url, name_html, thumbnail
from .panel_text import number

COSINES, ROWS, COLUMNS = "Cosines", "Shares of each row", "Shares of each column"
VIEWS = (COSINES, ROWS, COLUMNS)
_HINTS = {
    COSINES: "Each number is the cosine of one image with one caption. The framed ones are the true pairs: training "
    "makes them large, and all others small.",
    ROWS: "In per cent: which caption belongs to this image? Each row adds up to 100; the last column is −ln of the "
    "framed share, of which 0 is perfect.",
    COLUMNS: "In per cent: which image belongs to this caption? Each column adds up to 100; the last row is −ln of the "
    "framed share, of which 0 is perfect.",
}

_LARGE = 10  # images; a larger matrix has smaller cells


def in_turn(images: Sequence[BatchImage]) -> list[BatchImage]:
    """Return the images in another order: photos and drawings in turn, so that a small batch has both."""
    photos = [each for each in images if _is_photo(each)]
    drawings = [each for each in images if not _is_photo(each)]
    return [each for each in chain(*zip_longest(photos, drawings)) if each is not None]


def _is_photo(image: BatchImage) -> bool:
    return image.source.endswith(".jpg")


def label(image: BatchImage) -> str:
    """Return what an image shows.

    >>> label(BatchImage("cat.jpg", "a photo of a cat.", None))
    'cat'
    """
    return image.caption.removeprefix("a photo of a ").rstrip(".")


def editor(images: Sequence[BatchImage], captions: Sequence[str]) -> str:
    """Return the images with a field for each caption, and buttons that rearrange them; inside_panels.js reads it."""
    rows = "".join(
        f'<li>{_picture(image)}<input type="text" value="{escape(caption)}" maxlength="{MAX_LENGTH}" '
        f'data-own="{escape(image.caption)}" aria-label="Caption of image {i}, {escape(label(image))}">'
        f'<button type="button" data-swap="-1" aria-label="Swap caption {i} with the one above">↑</button>'
        f'<button type="button" data-swap="1" aria-label="Swap caption {i} with the one below">↓</button></li>'
        for i, (image, caption) in enumerate(zip(images, captions, strict=True), 1)
    )
    return (
        f'<ol class="pairs">{rows}</ol><div class="pair-buttons"><button type="button" data-captions="shuffle">Shuffle '
        'the captions</button><button type="button" data-captions="own">Put them back</button></div>'
    )


def _picture(image: BatchImage) -> str:
    # The alternative text is that of the row or the field beside it.
    return f'<img class="{"photo" if _is_photo(image) else "small"}" src="{_source(image.source, image)}" alt="">'


@cache
def _source_of_photo(source: str) -> str:
    return thumbnail(EXAMPLES / source, 96)


def _source(source: str, image: BatchImage) -> str:
    return _source_of_photo(source) if _is_photo(image) else data_url(image.image)


# --- the matrix -------------------------------------------------------------------------------------------------------


def matrix(batch: ContrastiveBatch, images: Sequence[BatchImage], view: str) -> str:
    """Return the matrix as a table: a row for each image, a column for each caption.

    Parameters
    ----------
    batch : ContrastiveBatch
    images : sequence of BatchImage
        Of the rows.
    view : str
        One of `VIEWS`.
    """
    values = {COSINES: batch.cosines, ROWS: batch.to_text, COLUMNS: batch.to_image}[view]
    losses = -np.log(np.diagonal(values)) if view != COSINES else None
    heads = "".join(
        f'<th scope="col"><span class="caption-head" title="{escape(caption)}">{i}<span>. {name_html(caption)}</span>'
        "</span></th>"
        for i, caption in enumerate(batch.captions, 1)
    )
    if view == ROWS:
        heads += '<th scope="col" class="loss">−ln</th>'
    rows = []
    for i, image in enumerate(images):
        cells = "".join(_cell(values, i, j, view) for j in range(len(images)))
        if view == ROWS:
            cells += f'<td class="loss">{number(losses[i])}</td>'
        name = f'<span class="unseen">{escape(label(image))}</span>'
        rows.append(
            f'<tr><th scope="row"><span class="row-head">{i + 1} {_picture(image)}{name}</span></th>{cells}</tr>'
        )
    if view == COLUMNS:
        rows.append(f'<tr><th scope="row" class="loss">−ln</th>{"".join(f"<td>{number(x)}</td>" for x in losses)}</tr>')
    size = "matrix large" if len(images) > _LARGE else "matrix"
    caption = f"{view}: a row for each image, a column for each caption. {summary(batch)}"
    return (
        f'<p class="matrix-hint">{_HINTS[view]}</p>'
        '<div class="scroll matrix-scroll" tabindex="0" role="region" aria-label="Images and captions">'
        f'<table class="{size}" style="--n:{len(images)}"><caption class="unseen">{caption}</caption>'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(values: np.ndarray, i: int, j: int, view: str) -> str:
    value = float(values[i, j])
    # Cosines are compared with the largest of the matrix; a negative one has no colour.
    share = 100 * max(value, 0) / max(float(values.max()), 1e-9) if view == COSINES else 100 * value
    line = {ROWS: values[i], COLUMNS: values[:, j]}.get(view)
    kinds = ["pair"] if i == j else []
    if line is not None and i != j and value == line.max():
        kinds.append("largest")
    text = number(value) if view == COSINES else f"{100 * value:.0f}"
    mark = '<span class="unseen"> the true pair</span>' if i == j else ""
    return f'<td class="{" ".join(kinds)}" style="--share:{share:.0f}">{text}{mark}</td>'


# --- the loss ---------------------------------------------------------------------------------------------------------


def summary(batch: ContrastiveBatch) -> str:
    """Return the state of the batch as a sentence."""
    n = len(batch.captions)
    return (
        f"{batch.right_captions} of {n} images find their caption, {batch.right_images} of {n} captions find their "
        f"image. The loss is {number(batch.loss, 3)}; a model that knows nothing has {number(batch.chance, 3)}."
    )


def tiles(batch: ContrastiveBatch) -> str:
    """Return the loss, and how many images and captions find each other."""
    n = len(batch.captions)
    shown = (
        ("Loss", number(batch.loss, 3), f"knowing nothing: ln {n} = {number(batch.chance, 3)}"),
        ("Images that find their caption", f"{batch.right_captions} of {n}", "largest of their row"),
        ("Captions that find their image", f"{batch.right_images} of {n}", "largest of their column"),
    )
    drawn = "".join(
        f'<div class="tile zero-shot"><span class="name">{name}</span><strong>{value}</strong><span>{note}</span></div>'
        for name, value, note in shown
    )
    return f'<p class="unseen" role="status">{summary(batch)}</p><div class="tiles">{drawn}</div>'


def loss(batch: ContrastiveBatch) -> str:
    """Return the loss written out with every number."""
    half = f"({number(batch.image_loss, 3)} + {number(batch.text_loss, 3)}) ÷ 2"
    return (
        f'<dl class="formula"><dt>Images</dt><dd>{_mean(batch.to_text, batch.image_loss)}</dd>'
        f"<dt>Captions</dt><dd>{_mean(batch.to_image, batch.text_loss)}</dd>"
        f"<dt>Loss</dt><dd>{half} = <b>{number(batch.loss, 3)}</b></dd></dl>"
        f'<p class="caption">The shares are the softmax of the cosines times {batch.logit_scale:.4g} (the logit '
        "scale, which is learned, too). The loss is the mean of −ln of the true pairs’ shares, by rows and by columns; "
        "training changes both encoders so that it falls (Radford et al. 2021, figure 3).</p>"
    )


def _mean(shares: np.ndarray, result: float) -> str:
    terms = " + ".join(number(term) for term in -np.log(np.diagonal(shares)))
    return f"({terms}) ÷ {len(shares)} = <b>{number(result, 3)}</b>"


def training_note(progress: float | None, snapshots: Sequence[float], edited: bool) -> str:
    """Return what the matrix is of, and why the slider of the training is off.

    Parameters
    ----------
    progress : float or None
        Of the snapshot that is shown, 0 to 1.
    snapshots : sequence of float
        Those of the model; empty unless it is the built-in one.
    edited : bool
        Whether the captions are not those that the images come with.
    """
    if not snapshots:
        text = "This model’s training cannot be replayed: only moments of the built-in model’s are stored."
    elif edited:
        text = (
            "You changed the captions. The stored moments of the training are of those that come with the images, so "
        )
        text += "the slider is off and you see the trained model. “Put them back” turns it on again."
    elif progress == 1:
        text = "After the training. Move the slider to its left end, and then back: the frames fill up."
    elif not progress:
        text = "Before the training: the numbers are chance."
    else:
        text = f"After {100 * progress:.3g}\N{NO-BREAK SPACE}% of the training."
    return f'<p class="training-note" role="status">{text}</p>'
