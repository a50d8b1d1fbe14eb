"""From the fields of the main tab to what stands beside them; no component is made or touched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...backend import Backend
from ...errors import ClipDemoError, IndexRangeError, PictureError
from ...datasets.base import ImageSet
from ...zero_shot.prompts import parse_classnames, parse_templates
from ...serving.downloads import ImageSetStatus
from ...backend import Prediction, Status
from ...linear_probe.head import Provenance
from . import prediction_cards as bars
from .. import probe_job_panel as probe_job, status_line as status
from ..permalink import View, to_query
from ..html import data_url, escape

__all__ = [
    "KEEP",
    "WAITING",
    "Answer",
    "alert",
    "answer",
    "head_of",
    "missing_set",
    "picture_path",
    "status_line",
    "waiting",
]

KEEP = None  # "leave what stands there"
WAITING = ("absent", "fetching", "loading")  # states of a model that will answer later
_ALL = 1000  # as many classes as there may be: the place of the true label is wanted, not only the best five


@dataclass(frozen=True)
class Answer:
    """The markup of every place that an answer fills; `KEEP` leaves one as it is.

    Attributes
    ----------
    picture : str or None
        The picture of the image set with its true label.
    alert : str
        What is wrong with a field, empty where nothing is.
    results : str or None
        Both predictions.
    count : str
        How many classes and templates there are.
    query : str
        The address's query string.
    """

    picture: str | None
    alert: str
    results: str | None
    count: str
    query: str


def answer(backend: Backend, view: View, *, own: bool, photo: Mapping[str, Any] | None, notice: str = "") -> Answer:
    """Answer to the fields as they stand.

    Parameters
    ----------
    backend : Backend
    view : View
        The fields.
    own : bool
        Whether the visitor's own picture is asked about, and not the image set's.
    photo : mapping or None
        The visitor's own picture as Gradio sends it.
    notice : str
        Something to be said once, such as what was wrong in the address.
    """
    picture, results, problem = KEEP, KEEP, ""
    try:
        state = backend.status(view.model)
        if state.state in WAITING:
            results = waiting(backend, state)
            picture = KEEP if own else _figure(backend.image_sets[view.images], view.index)
        elif own and photo is None:
            results = '<p class="waiting">Upload, paste or photograph a picture, or click an example.</p>'
        else:
            prediction = _predict(backend, view, own, photo)
            picture = KEEP if own else _figure(backend.image_sets[view.images], view.index, prediction.truth)
            results = _results(backend, view, prediction)
    except ClipDemoError as error:
        problem = str(error)
        picture = KEEP if own else _figure_if_any(backend.image_sets[view.images], view.index)
    return Answer(
        picture=picture,
        alert=alert(problem, stale=True) + alert(notice, stale=False),
        results=results,
        count=_count(view),
        query=to_query(backend, view),
    )


def waiting(backend: Backend, state: Status, what: str = "The bars") -> str:
    """Return the word that a model is on its way, after which `what` fill in by themselves."""
    if state.state == "absent":
        # It was put away for another one, or never asked for.
        backend.use(state.model)
        state = backend.status(state.model)
    return (
        f'<div class="waiting" role="status"><span class="spinner" aria-hidden="true"></span>'
        f"{escape(state.message)} {what} fill in by themselves.</div>"
    )


def _predict(backend: Backend, view: View, own: bool, photo: Mapping[str, Any] | None) -> Prediction:
    if not own and view.index is None:
        last = backend.image_sets[view.images].sizes["test"] - 1
        raise IndexRangeError(f"index: none came; type a whole number from 0 to {last}.")
    return backend.predict(
        image=picture_path(photo) if own and photo else None,
        index=None if own else view.index,
        images=view.images,
        classnames=parse_classnames(view.classes),
        templates=parse_templates(view.templates),
        spaces=view.spaces,
        top_k=_ALL,
        model=view.model,
    )


def _results(backend: Backend, view: View, prediction: Prediction) -> str:
    return bars.results(
        prediction,
        backend.image_sets[view.images],
        n_classes=len(prediction.zero_shot),
        n_templates=len(parse_templates(view.templates)),
    )


def picture_path(photo: Mapping[str, Any]) -> str:
    """Return the path of an uploaded picture as Gradio hands it over without preprocessing.

    Gradio's own preprocessing is passed by, so that every kind of picture and every complaint about one is
    `clip_demo.images.read_picture`'s. Gradio has checked by then that the path is one of its uploads, but only
    where the `meta` mark says that it is a file.
    """
    if (photo.get("meta") or {}).get("_type") != "gradio.FileData" or not photo.get("path"):
        raise PictureError("image: that is no uploaded picture; upload a file, or name one with handle_file(PATH).")
    return photo["path"]


def _figure(image_set: ImageSet, index: float, truth: str | None = None) -> str:
    """Return a test picture with its true label; without pictures on disk, what stored features know of it."""
    what = f"Test picture {int(index)} of {escape(image_set.title)}"
    if truth is not None and not image_set.on_disk():
        return (
            f'<figure class="shot"><p class="gone">The picture itself is not on disk; these predictions come from '
            f"stored features. To see it, press the button above, or run <code>python -m clip_demo download "
            f'{escape(image_set.name)}</code></p><figcaption>{_truth(truth)}<span class="source">{what}</span>'
            "</figcaption></figure>"
        )
    picture = image_set.picture(index)
    truth = image_set.classnames[image_set.label(index)]
    width, height = picture.size
    return (
        f'<figure class="shot"><img src="{data_url(picture)}" alt="{what}, enlarged: {escape(truth)}" '
        f'width="{width}" height="{height}"><figcaption>{_truth(truth)}<span class="source">{what}, '
        f"{width}×{height} pixels</span></figcaption></figure>"
    )


def _figure_if_any(image_set: ImageSet, index: float | None) -> str | None:
    """Return the picture where the error lies elsewhere, such as in a template."""
    try:
        return KEEP if index is None else _figure(image_set, index)
    except ClipDemoError:
        return KEEP


def _truth(truth: str) -> str:
    return f'<span class="truth">True label: <strong>{escape(truth)}</strong></span>'


def alert(message: str, *, stale: bool, what: str = "bars") -> str:
    """Return a message beside the fields, and where it is `stale` that `what` below belong to an older input."""
    if not message:
        return ""
    after = f' <span class="after">What you typed is kept; the {what} below belong to the last valid input.</span>'
    kind = "alert stale" if stale else "alert"
    return f'<div class="{kind}" role="alert"><strong>{escape(message)}</strong>{after if stale else ""}</div>'


def _count(view: View) -> str:
    classes, templates = len(parse_classnames(view.classes)), len(parse_templates(view.templates))
    ensemble = " (an ensemble: their text features are averaged)" if templates > 1 else ""
    return (
        f'<p class="count"><b>{classes}</b> class{"es" if classes != 1 else ""} × <b>{templates}</b> '
        f"template{'s' if templates != 1 else ''}{ensemble}</p>"
    )


def status_line(backend: Backend, images: str, model: str) -> str:
    """Return the banner for an image set and a model."""
    head, problem = head_of(backend, images, model)
    early = probe_job.early_head(head, backend.image_sets[images]) if head else ""
    return status.banner(backend.status(model), images, head, problem, early=early, job=_job(backend))


def _job(backend: Backend) -> str:
    """Return what the job is doing, whatever it is for; empty where none runs."""
    jobs = (backend.build_status(images, model) for images in backend.image_sets for model in backend.models)
    return next((job.message for job in jobs if probe_job.running(job)), "")


def head_of(backend: Backend, images: str, model: str) -> tuple[Provenance | None, str]:
    """Return where the head of a model that is there comes from, and why it cannot be used where that is so."""
    if backend.status(model).state == "ready":
        try:
            found = backend.head(images, model)
            return found and found.provenance, ""
        except ClipDemoError as error:
            return None, str(error)
    return None, ""


def missing_set(backend: Backend) -> ImageSetStatus | None:
    """Return the image set that is not on disk, if there is one."""
    return next((each for each in backend.status().image_sets if each.state != "ready"), None)
