"""The HTML of the search tab: pure functions."""

from html import escape

from ...datasets.base import Dataset
from ...serving.image_search import FoundImage, SearchResult
from ..html import name_html
from ..thumbnails import thumbnail_of

PAGE, MAX_PAGES = 24, 20


def examples(dataset: Dataset) -> str:
    """Return three sentences to begin with, each a button."""
    names = dataset.classnames
    chosen = dict.fromkeys(names[len(names) * i // 8].replace("_", " ") for i in (1, 4, 7))
    buttons = "".join(
        f'<button type="button" data-example="{escape(sentence)}">{escape(sentence)}</button>'
        for sentence in (f"a photo of a {name}" for name in chosen)
    )
    return f'<div class="search-examples"><span>Try:</span> {buttons}</div>'


def found(result: SearchResult, dataset: Dataset, query: str, pages: int) -> str:
    """Return the images that were found, and how they were compared.

    Parameters
    ----------
    result : SearchResult
        Its first pages.
    dataset : Dataset
    query : str
        What was searched for, as HTML.
    pages : int
        Number of pages that are shown.
    """
    tiles = "".join(_tile(each, dataset) for each in result.images)
    left, more = result.n - len(result.images), ""
    if left and pages < MAX_PAGES:
        more = f'<button type="button" class="more" data-more="{pages + 1}">Show more of {left:,}</button>'
    elif left:
        more = f'<p class="caption">The other {left:,} are further away and not shown. Change the sentence.</p>'
    return (
        f'<section class="lab-gallery" aria-label="Images that were found"><p class="search-about" role="status">'
        f"{query}: the nearest of {result.n:,} test images of {escape(dataset.title)}, by {escape(result.model)}. "
        "The number is the cosine. The name is the true class.</p>"
        f'<div class="images">{tiles}</div>{more}</section>'
    )


def query_html(sentence: str | None, image: str) -> str:
    """Return what was searched for as HTML; `image` is the name of the image as HTML, "" without one."""
    parts = [f"<b>“{name_html(sentence)}”</b>"] if sentence else []
    if image:
        parts.append(f"{'like' if sentence else 'Like'} {image}")
    if len(parts) == 2:
        return " and ".join(parts) + " (the sum of both vectors, each of length 1)"
    return parts[0]


def _tile(image: FoundImage, dataset: Dataset) -> str:
    thumbnail, index = thumbnail_of(dataset, image.index), image.index
    return (
        f'<div class="found"><button type="button" data-open="{index}" title="Open image {index:,} in Explore">'
        f'{thumbnail.html() if thumbnail else ""}<span class="number">{image.cosine:.3f}</span> '
        f'<span class="truth">{name_html(image.truth)}</span></button>'
        f'<button type="button" class="like" data-like="{index}">More like this<span class="unseen">: image '
        f"{index:,}</span></button></div>"
    )
