"""The line that says which model, dataset and head are on, and the panel of a download."""

from __future__ import annotations

from ..backend import Status
from ..linear_probe.head import Provenance
from ..serving.downloads import DatasetStatus
from ..serving.model_pool import ModelStatus
from .html import escape, percent

__all__ = ["banner", "download_panel", "head_line"]


def banner(
    status: Status, dataset: str, head: Provenance | None, problem: str = "", *, early: str = "", job: str = ""
) -> str:
    """Return the status line.

    Parameters
    ----------
    status : Status
        Where the service stands.
    images : str
        Name of the dataset that is on.
    head : Provenance or None
        Where the head for this model and dataset comes from.
    problem : str
        Why the head cannot be used, where that is so.
    early : str
        What to call a head that knows only some of the training images; empty for one that knows them all.
    job : str
        What a job is doing, where one runs.
    """
    title = next((each.title for each in status.datasets if each.name == dataset), dataset)
    parts = (
        _part("Model", _model_line(status), status.state),
        _part("Dataset", f"<strong>{escape(title)}</strong>", ""),
        _part("Linear-probe head", head_line(status, title, head, problem, early), ""),
        _part("Job", escape(job), "") if job else "",
        *(_other(each) for each in status.models if each.name != status.model),
    )
    # role=status: a screen reader says it when it changes, after what it is saying.
    return f'<div class="banner" role="status">{"".join(parts)}</div>'


def _other(model: ModelStatus) -> str:
    """Return the word on another model that is on its way, or did not come."""
    if model.state in ("fetching", "loading"):
        return f'<span class="part other">{escape(model.message)}</span> '
    if model.state == "failed":
        return (
            f'<details class="part other"><summary>{escape(model.name)} could not be had; this page goes on with what '
            f"is here.</summary>{escape(model.message)}</details> "
        )
    return ""


def _part(name: str, value: str, state: str) -> str:
    return f'<span class="part {state}"><span class="name">{name}:</span> <span class="value">{value}</span></span> '


def _model_line(status: Status) -> str:
    name = f"<strong>{escape(status.model)}</strong>"
    if status.state in ("fetching", "loading"):
        return f'<span class="spinner" aria-hidden="true"></span>{escape(status.message)}'
    # Why it failed is said at length beside the results.
    detail = "could not be loaded" if status.state == "failed" else status.model_note or status.message
    return f"{name} — {escape(detail)}" if detail else name


def head_line(status: Status, title: str, head: Provenance | None, problem: str = "", early: str = "") -> str:
    """Return where the head comes from, or that there is none."""
    if status.state != "ready":
        return "none without a model" if status.state == "failed" else "looked for when the model is there"
    if problem:
        return escape(problem)
    if head is None:
        return f"none for {escape(status.model)} on {escape(title)}: not fitted yet"
    named = f"{escape(early)}, " if early else ""
    # An early head may have been tested on some of the test images only.
    tested = f"{head.n_test:,} test images" if early else "its test set"
    return (
        f"<strong>{escape(head.model)} on {escape(head.dataset)}</strong>, {named}{head.n_train:,} images, "
        f"C={head.C:g}, {100 * head.test_accuracy:.1f}\N{NO-BREAK SPACE}% on {tested}"
    )


def download_panel(dataset: DatasetStatus | None) -> str:
    """Return how far the download of an dataset is, what went wrong, or nothing."""
    if dataset is None or dataset.state in ("ready", "absent"):
        return ""
    if dataset.state == "failed":
        return f'<p class="notice failed" role="alert">{escape(dataset.message)}</p>'
    share = dataset.progress or 0.0
    return (
        f'<div class="notice" role="status"><label>{escape(dataset.message)} {percent(share)}'
        f'<progress max="1" value="{share:.4f}"></progress></label></div>'
    )
