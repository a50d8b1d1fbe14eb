"""The HTML of the Explore tab besides the prediction cards: pure functions."""

from collections.abc import Sequence
from html import escape

from ...datasets.base import Dataset
from ...serving.model_handle import ModelStatus
from ..html import data_url
from ..probe_job_panel import job_button

WAITING = ("downloading", "loading")  # states of a model that will be ready without a click
NO_PHOTO = '<p class="waiting">Upload or paste an image, take a photo, or click an example.</p>'
_SMALL = 128  # pixels; smaller images are enlarged with sharp pixels


def waiting(model: ModelStatus, what: str = "The bars") -> str:
    """Return a note that a model is loading, and that `what` will appear without a click."""
    return (
        f'<div class="waiting" role="status"><span class="spinner" aria-hidden="true"></span>'
        f"{escape(model.message)} {what} will appear when the model is ready.</div>"
    )


def missing_model(model: ModelStatus) -> str:
    """Return a note that a model is not loaded, and the button that downloads and loads it."""
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
    name = _name(dataset, index)
    kind = ' class="small"' if max(width, height) < _SMALL else ""
    img = f'<img{kind} src="{data_url(image)}" alt="{name}: {escape(truth)}" width="{width}" height="{height}">'
    return _figure(img, truth, f"{name}, {width}×{height} pixels")


def missing_image(dataset: Dataset, index: float, truth: str) -> str:
    """Return what is shown in place of a test image that is not available, though its stored features are."""
    note = (
        '<p class="gone">The image itself is not on this machine; these predictions come from stored features. To see '
        "it, press the button above, or run <code>python -m clip_demo download "
        f"{escape(dataset.name)}</code></p>"
    )
    return _figure(note, truth, _name(dataset, index))


def _name(dataset: Dataset, index: float) -> str:
    return f"Test image {int(index)} of {escape(dataset.title)}"


def _figure(content: str, truth: str, source: str) -> str:
    return (
        f'<figure class="shot">{content}<figcaption><span class="truth">True label: <strong>{escape(truth)}</strong>'
        f'</span><span class="source">{source}</span></figcaption></figure>'
    )


def alert(message: str, *, stale: bool, what: str = "bars") -> str:
    """Return an error message; if it is `stale`, with a note that `what` below belong to an earlier input."""
    if not message:
        return ""
    after = f' <span class="after">Your input is kept; the {what} below show the last valid input.</span>'
    kind = "alert stale" if stale else "alert"
    return f'<div class="{kind}" role="alert"><strong>{escape(message)}</strong>{after if stale else ""}</div>'


def count(classnames: Sequence[str], templates: Sequence[str]) -> str:
    """Return the number of classes and templates."""
    n, m = len(classnames), len(templates)
    ensemble = " (an ensemble: their text features are averaged)" if m > 1 else ""
    return (
        f'<p class="count"><b>{n}</b> class{"es" if n != 1 else ""} × <b>{m}</b> '
        f"template{'s' if m != 1 else ''}{ensemble}</p>"
    )
