"""From the fields of the main tab to what stands beside them; no component is made or touched here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...backend import Backend, Prediction, Status
from ...datasets.base import Dataset
from ...errors import ClipDemoError, ImageError, IndexRangeError
from ...linear_probe.head import Provenance
from ...serving.downloads import DatasetStatus
from ...zero_shot.prompts import parse_classnames, parse_templates
from .. import probe_job_panel as probe_job
from .. import status_line as status
from ..html import data_url, escape
from ..permalink import View, to_query
from . import prediction_cards as bars

__all__ = [
    "KEEP",
    "WAITING",
    "Answer",
    "alert",
    "answer",
    "head_of",
    "missing_set",
    "uploaded_path",
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
    image : str or None
        The image of the dataset with its true label.
    alert : str
        What is wrong with a field, empty where nothing is.
    results : str or None
        Both predictions.
    count : str
        How many classes and templates there are.
    query : str
        The address's query string.
    """

    image: str | None
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
        Whether the visitor's own image is asked about, and not the dataset's.
    photo : mapping or None
        The visitor's own image as Gradio sends it.
    notice : str
        Something to be said once, such as what was wrong in the address.
    """
    image, results, problem = KEEP, KEEP, ""
    try:
        state = backend.status(view.model)
        if state.state in WAITING:
            results = waiting(backend, state)
            image = KEEP if own else _figure(backend.datasets[view.dataset], view.index)
        elif own and photo is None:
            results = '<p class="waiting">Upload, paste or photograph an image, or click an example.</p>'
        else:
            prediction = _predict(backend, view, own, photo)
            image = KEEP if own else _figure(backend.datasets[view.dataset], view.index, prediction.truth)
            results = _results(backend, view, prediction)
    except ClipDemoError as error:
        problem = str(error)
        image = KEEP if own else _figure_if_any(backend.datasets[view.dataset], view.index)
    return Answer(
        image=image,
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
        last = backend.datasets[view.dataset].sizes["test"] - 1
        raise IndexRangeError(f"index: none came; type a whole number from 0 to {last}.")
    return backend.predict(
        image=uploaded_path(photo) if own and photo else None,
        index=None if own else view.index,
        dataset=view.dataset,
        classnames=parse_classnames(view.classes),
        templates=parse_templates(view.templates),
        replace_underscores=view.replace_underscores,
        top_k=_ALL,
        model=view.model,
    )


def _results(backend: Backend, view: View, prediction: Prediction) -> str:
    return bars.results(
        prediction,
        backend.datasets[view.dataset],
        n_classes=len(prediction.zero_shot),
        n_templates=len(parse_templates(view.templates)),
    )


def uploaded_path(photo: Mapping[str, Any]) -> str:
    """Return the path of an uploaded image as Gradio hands it over without preprocessing.

    Gradio's own preprocessing is passed by, so that every kind of image and every complaint about one is
    `clip_demo.images.read_image`'s. Gradio has checked by then that the path is one of its uploads, but only
    where the `meta` mark says that it is a file.
    """
    if (photo.get("meta") or {}).get("_type") != "gradio.FileData" or not photo.get("path"):
        raise ImageError("image: that is no uploaded image; upload a file, or name one with handle_file(PATH).")
    return photo["path"]


def _figure(dataset: Dataset, index: float, truth: str | None = None) -> str:
    """Return a test image with its true label; without images on disk, what stored features know of it."""
    what = f"Test image {int(index)} of {escape(dataset.title)}"
    if truth is not None and not dataset.available():
        return (
            f'<figure class="shot"><p class="gone">The image itself is not on disk; these predictions come from '
            f"stored features. To see it, press the button above, or run <code>python -m clip_demo download "
            f'{escape(dataset.name)}</code></p><figcaption>{_truth(truth)}<span class="source">{what}</span>'
            "</figcaption></figure>"
        )
    image = dataset.image(index)
    truth = dataset.classnames[dataset.label(index)]
    width, height = image.size
    return (
        f'<figure class="shot"><img src="{data_url(image)}" alt="{what}, enlarged: {escape(truth)}" '
        f'width="{width}" height="{height}"><figcaption>{_truth(truth)}<span class="source">{what}, '
        f"{width}×{height} pixels</span></figcaption></figure>"
    )


def _figure_if_any(dataset: Dataset, index: float | None) -> str | None:
    """Return the image where the error lies elsewhere, such as in a template."""
    try:
        return KEEP if index is None else _figure(dataset, index)
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


def status_line(backend: Backend, dataset: str, model: str) -> str:
    """Return the banner for an dataset and a model."""
    head, problem = head_of(backend, dataset, model)
    early = probe_job.early_head(head, backend.datasets[dataset]) if head else ""
    return status.banner(backend.status(model), dataset, head, problem, early=early, job=_job(backend))


def _job(backend: Backend) -> str:
    """Return what the job is doing, whatever it is for; empty where none runs."""
    jobs = (backend.build_status(dataset, model) for dataset in backend.datasets for model in backend.models)
    return next((job.message for job in jobs if probe_job.running(job)), "")


def head_of(backend: Backend, dataset: str, model: str) -> tuple[Provenance | None, str]:
    """Return where the head of a model that is there comes from, and why it cannot be used where that is so."""
    if backend.status(model).state == "ready":
        try:
            found = backend.head(dataset, model)
            return found and found.provenance, ""
        except ClipDemoError as error:
            return None, str(error)
    return None, ""


def missing_set(backend: Backend) -> DatasetStatus | None:
    """Return the dataset that is not on disk, if there is one."""
    return next((each for each in backend.status().datasets if each.state != "ready"), None)
