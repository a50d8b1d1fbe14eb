"""The HTML of the tab: pure functions."""

from html import escape

from ...datasets.base import Dataset
from ...datasets.catalog import CIFAR100, SHAPES100
from ...serving.searcher import Match, SearchResult
from ...serving.thumbnails import Thumbnails
from ..html import file_url, name_html, not_available, signed

PAGE = 24  # images in one answer
MOST = 40 * PAGE  # more would make the page slow
EXAMPLES = {
    CIFAR100: ("a snake in the grass", "mountains at sunset", "a skyscraper at night"),
    SHAPES100: ("a red circle", "something green", "a yellow triangle"),
}
_TOGETHER = " The sentence and the image count equally: this is the normalised sum of their two normalised vectors."


def example_sentences(dataset: Dataset) -> tuple[str, ...]:
    """Return three sentences that suit a dataset: for one that nobody wrote any for, about three of its classes."""
    n = len(dataset.classnames)
    names = dict.fromkeys(dataset.classnames[i].replace("_", " ") for i in (0, n // 2, n - 1))
    made = tuple(dataset.templates[0].rstrip(".").format(name) for name in names)
    return EXAMPLES.get(dataset.name, made)


def invitation(dataset: Dataset, model: str) -> str:
    """Return what stands in place of images while there is no query."""
    buttons = "".join(
        f'<button type="button" data-search="example">{escape(text)}</button>' for text in example_sentences(dataset)
    )
    return (
        f"<p>This searches {_images(dataset.sizes['test'])} of {_where(dataset, model)}. Type a sentence, or try one "
        f'of these:</p><div class="examples">{buttons}</div><p class="quiet">Or drop or paste a photo anywhere on this '
        "page. Another dataset is chosen on the tab Explore, another model at the top right.</p>"
    )


def about(result: SearchResult, dataset: Dataset, *, has_photo: bool) -> str:
    """Return what was searched for, where, and what the numbers mean."""
    sentence = [] if result.text is None else [f"“<bdi>{escape(result.text)}</bdi>”"]
    image = ["your photo"] if has_photo else [] if result.index is None else [f"test image {result.index:,}"]
    both = _TOGETHER if sentence and image else ""
    what = _images(result.n) if result.index is None else f"the {result.n:,} other test images"
    return (
        f'<h3>Nearest to {" and ".join([*sentence, *image])}</h3><p class="quiet">Among {what} of '
        f"{_where(dataset, result.model)}. A cosine of 1 is the same direction.{both} Click an image to open it in "
        "Explore.</p>"
    )


def _images(n: int) -> str:
    return f"the {n:,} test images" if n > 1 else "the only test image"


def _where(dataset: Dataset, model: str) -> str:
    return f"<b>{escape(dataset.title)}</b> with the model <b>{escape(model)}</b>"


def tiles(result: SearchResult, dataset: Dataset, thumbnails: Thumbnails) -> str:
    """Return an item for each image, with a button that opens it and one that searches for more like it."""
    images = thumbnails.get_all(dataset, [match.index for match in result.matches]) if dataset.available() else None
    return "".join(map(_tile, result.matches, images or [b""] * len(result.matches)))


def note(dataset: Dataset) -> str:
    """Return why there are no thumbnails; "" where there are."""
    if dataset.available():
        return ""
    return f'<p class="quiet">{not_available(dataset)} Their features were stored earlier.</p>'


def query_image(dataset: Dataset, index: int, thumbnails: Thumbnails) -> dict[str, str]:
    """Return the test image that is searched for: its thumbnail's address, and what it is called."""
    image = thumbnails.get(dataset, index) if dataset.available() else b""
    return {"url": file_url(image) if image else "", "name": f"Test image {index:,}."}


def counted(result: SearchResult) -> tuple[str, str]:
    """Return how many images are shown, and the label of the button for more; "" where there are no more."""
    shown = result.offset + len(result.matches)
    left = min(result.n, MOST) - shown
    says = f"{shown:,} of {result.n:,} images, the nearest first."
    if left <= 0:
        return says + (" More are not shown: try a more exact sentence." if shown < result.n else ""), ""
    return says, f"Show {min(PAGE, left)} more"


def _tile(match: Match, image: bytes) -> str:
    drawn = f'<img src="{file_url(image)}" alt="" loading="lazy">' if image else ""
    return (
        f'<li><button type="button" data-open="{match.index}" title="Open image {match.index} in Explore">'
        f'{drawn}<span class="truth">{name_html(match.truth)}</span> '
        f'<span class="cosine">cosine {signed(match.cosine, 3)}</span></button>'
        f'<button type="button" data-like="{match.index}" '
        f'aria-label="More like this: image {match.index}, {escape(match.truth)}">More like this</button></li>'
    )
