"""The chip and the status line with model, dataset and head, and the panel of a download."""

from html import escape

from ..backend import Status
from ..datasets.base import Dataset
from ..evaluation.published import Comparison
from ..serving.downloads import DatasetStatus
from ..serving.model_handle import ModelStatus
from ..switches import is_offline
from .html import percent
from .probe_job_panel import early_head


def chip(status: Status, dataset: Dataset) -> str:
    """Return the button that names model, dataset and probe, and opens the popover with the id ``details``.

    See `status_line` for the arguments.
    """
    model, title = status.model, f'<span class="title">{escape(dataset.title)}</span>'
    if model.state in ("downloading", "loading"):
        text = f"{_model(model)} · {title}"
    else:
        state = {"ready": " does not answer" if model.problem else "", "failed": " could not be loaded"}.get(
            model.state, " is not loaded"
        )
        tested = f"probe {percent(status.head.test_accuracy)}" if status.head else "no probe"
        text = f"{escape(model.name)}{state} · {title}<span class='head-part'> · {tested}</span>"
    return (
        f'<button type="button" class="chip" popovertarget="details">{text}<span aria-hidden="true"> ▾</span>'
        '<span class="unseen">, details</span></button>'
    )


def status_line(status: Status, dataset: Dataset, preferred: str = "") -> str:
    """Return the status line of a model and a dataset.

    Parameters
    ----------
    status : Status
        Snapshot for this model and dataset.
    dataset : Dataset
        The dataset of the snapshot.
    preferred : str
        Name of the model that the host wants. Only its download and failure concern all visitors.
    """
    parts = (
        _part("Model", _model(status.model), "failed" if status.model.problem else status.model.state),
        _published(status.published) if status.published else "",
        _part("Dataset", f"<strong>{escape(dataset.title)}</strong> {escape(dataset.visitor_note)}"),
        _part("Linear probe", _head(status, dataset)),
        _part("Job", escape(status.running_job)) if status.running_job else "",
        *(_other_model(each) for each in status.models if each.name == preferred != status.model.name),
    )
    # role=status: a screen reader announces changes when it is idle.
    return f'<div class="banner" role="status">{"".join(parts)}</div>'


def _part(name: str, value: str, state: str = "") -> str:
    return f'<span class="part {state}"><span class="name">{name}:</span> <span class="value">{value}</span></span> '


def _model(model: ModelStatus) -> str:
    if model.state in ("downloading", "loading"):
        return f'<span class="spinner" aria-hidden="true"></span>{escape(model.message)}'
    detail = {"ready": model.problem or model.note, "failed": "could not be loaded"}.get(model.state, "not loaded")
    return f"<strong>{escape(model.name)}</strong>" + (f" — {escape(detail)}" if detail else "")


def _published(comparisons: tuple[Comparison, ...]) -> str:
    """Return whether the model gives published numbers, with a table of them."""
    missed = sum(each.missed for each in comparisons)
    total = len(comparisons)
    summary = (
        f"{missed} of {total} published numbers are missed: these may not be the right weights."
        if missed
        else "Checked: gives the numbers of openai/CLIP's README."
    )
    rows = "".join(
        f"<tr><td>{escape(each.what)}</td><td>{each.expected:.2f}</td><td>{each.got:.2f}</td>"
        f"<td>{'missed' if each.missed else 'met'}</td><td>{escape(each.source)}</td></tr>"
        for each in comparisons
    )
    return (
        f'<details class="part {"failed" if missed else ""}"><summary>{escape(summary)}</summary><table><thead><tr>'
        "<th>Number, in per cent or of five</th><th>Published</th><th>Here</th><th>Result</th><th>Source</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></details> "
    )


def _head(status: Status, dataset: Dataset) -> str:
    model, head = status.model, status.head
    if model.state in ("downloading", "loading"):
        return "shown when the model is loaded"
    if model.state != "ready":
        return "none without a model"
    if head is None:
        return f"none was trained for {escape(model.name)} on {escape(dataset.title)} yet"
    early = early_head(head, dataset)
    trained = early or f"trained on all {head.n_train:,} training images"
    # An early head may have been tested on some of the test images only.
    tested = f"{head.n_test:,} test images" if early else "the test images"
    return f"{trained}; right on <strong>{percent(head.test_accuracy)}</strong> of {tested}"


def _other_model(model: ModelStatus) -> str:
    """Return a note on a model that is loading or has failed while another is in use."""
    if model.state in ("downloading", "loading"):
        return f'<span class="part other">{escape(model.message)}</span> '
    if model.state == "failed":
        return (
            f'<details class="part other"><summary>{escape(model.name)} could not be loaded; the page uses the model '
            f"above.</summary>{escape(model.message)}</details> "
        )
    return ""


def download_panel(dataset: DatasetStatus | None) -> str:
    """Return the progress of a download, why it failed or why there is none; "" if there is nothing to show."""
    if dataset and dataset.state == "absent" and is_offline():
        return f'<p class="notice">{escape(dataset.message[:-1])}, and downloads are switched off.</p>'
    if dataset is None or dataset.state in ("ready", "absent"):
        return ""
    if dataset.state == "failed":
        return f'<p class="notice failed" role="alert">{escape(dataset.message)}</p>'
    share = dataset.progress or 0.0
    return (
        f'<div class="notice" role="status"><label>{escape(dataset.message)} {percent(share)}'
        f'<progress max="1" value="{share:.4f}"></progress></label></div>'
    )
