"""The HTML of the Explore tab besides the prediction cards: pure functions."""

from functools import cache
from html import escape

from ...datasets.base import Dataset
from ...datasets.example_photos import ExamplePhoto
from ...errors import ClassnamesError, ClipDemoError, ImageError, IndexRangeError, PromptTooLongError, TemplateError
from ...serving.model_handle import ModelStatus
from ...switches import is_offline
from ..html import data_url, name_html, photo_url, thumbnail
from ..probe_job_panel import job_button

WAITING = ("downloading", "loading")  # states of a model that will be ready without a click
NO_PHOTO = (
    '<p class="waiting">Drop a photo anywhere on this page, paste one, or choose one. Photos are not kept: after a '
    "reload, choose it again.</p>"
)
_SMALL = 128  # pixels; smaller images are enlarged with sharp pixels
_LARGE = 768  # pixels; larger images are sent smaller
# The fields below which an error is shown; any other error stands above the cards.
MESSAGE_FIELDS = {
    "image": (IndexRangeError, ImageError),
    "templates": (TemplateError, PromptTooLongError),
    "classes": (ClassnamesError,),
}


def waiting(model: ModelStatus, what: str = "The bars") -> str:
    """Return a note that a model is loading, and that `what` will appear without a click."""
    return (
        f'<div class="waiting" role="status"><span class="spinner" aria-hidden="true"></span>'
        f"{escape(model.message)} {what} will appear when the model is ready.</div>"
    )


def missing_model(model: ModelStatus, *, may_download: bool = True) -> str:
    """Return a note that a model is not loaded, and the button that downloads and loads it, for who may do that."""
    if not may_download:
        off = ", and downloads are switched off" if is_offline() else ""
        return (
            f'<div class="waiting"><p>{escape(model.name)} is not on this server{off}. Choose another model.</p></div>'
        )
    size = f" ({model.megabytes:,} MB)" if model.megabytes else ""
    button = job_button("load", f"Download and load {model.name}{size}")
    return f'<div class="waiting"><p>{escape(model.name)} is not loaded.</p>{button}</div>'


def figure(dataset: Dataset, index: float) -> str:
    """Return a test image with its true label.

    Raises
    ------
    IndexRangeError, DatasetError
    """
    image, truth = dataset.image(index), dataset.classnames[dataset.label(index)]
    width, height = image.size
    name, small = _name(dataset, index), max(width, height) < _SMALL
    kind, url = (' class="small"', data_url(image)) if small else ("", photo_url(image, _LARGE))
    # The natural width, beyond which it would be blurred.
    size = f'width="{width}" height="{height}" style="--natural: {min(width, _LARGE)}px"'
    img = f'<img{kind} src="{url}" alt="{name}: {escape(truth)}" {size}>'
    return _figure(img, truth, f"{name}, {width:,}×{height:,} pixels", dataset.name)


@cache
def example_figure(photo: ExamplePhoto) -> str:
    """Return an example photo with its label."""
    img = (
        f'<img src="{thumbnail(photo.path, 528)}" alt="Example photo: {escape(photo.label)}" width="528" height="528">'
    )
    return _figure(img, photo.label, "Example photo")


def missing_image(dataset: Dataset, index: float, truth: str, *, may_download: bool = True) -> str:
    """Return what is shown in place of a test image that is not available, though its stored features are."""
    note = "The image itself is not on this machine; these predictions come from stored features."
    if may_download:
        note += (
            f" To see it, press “Download {escape(dataset.title)}”, or run <code>python -m clip_demo download "
            f"{escape(dataset.name)}</code>"
        )
    return _figure(f'<p class="gone">{note}</p>', truth, _name(dataset, index), dataset.name)


def _name(dataset: Dataset, index: float) -> str:
    return f"Test image {int(index):,} of {escape(dataset.title)}"


def _figure(content: str, truth: str, source: str, dataset: str = "") -> str:
    return (
        f'<figure class="shot" data-dataset="{escape(dataset)}">{content}<figcaption>'
        f'<span class="truth">True label: <strong>{name_html(truth)}</strong></span>'
        f'<span class="source">{source}</span></figcaption></figure>'
    )


def alert(message: str, *, stale: bool, what: str = "bars") -> str:
    """Return an error message; if it is `stale`, with a note that `what` below belong to an earlier input."""
    if not message:
        return ""
    after = f' <span class="after">The {what} below are those of before.</span>'
    kind = "alert stale" if stale else "alert"
    dismiss = '<button type="button" class="dismiss" aria-label="Dismiss">✕</button>'
    return f'<div class="{kind}" role="alert"><strong>{escape(message)}</strong>{after if stale else ""}{dismiss}</div>'


def field_messages(error: ClipDemoError | None) -> dict[str, str]:
    """Return the HTML below each of `MESSAGE_FIELDS`, and under ``"alert"`` that above the cards; "" for no message."""
    owners = (name for name, kinds in MESSAGE_FIELDS.items() if isinstance(error, kinds))
    owner = next(owners, "alert") if error else None
    messages = dict.fromkeys((*MESSAGE_FIELDS, "alert"), "")
    if owner == "alert":
        messages[owner] = alert(error.page_message, stale=True)
    elif owner:
        messages[owner] = f'<p class="message stale">{escape(error.page_message)}</p>'
    return messages
