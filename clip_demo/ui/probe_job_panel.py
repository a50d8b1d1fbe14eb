"""The panel of the job that fits a linear probe in the background, and its buttons."""

from html import escape

from ..datasets.base import Dataset
from ..linear_probe.head import Provenance
from ..serving.probe_job import ProbeJobStatus


def job_button(action: str, label: str) -> str:
    """Return a button whose click carries `action`: "start", "stop" or, for a model, "load"."""
    return f'<button type="button" class="job-button" data-job="{action}">{escape(label)}</button>'


def early_head(head: Provenance, dataset: Dataset) -> str:
    """Return a description of a head that was fitted on some of the training images; "" for one fitted on all."""
    if head.n_train >= dataset.sizes["train"]:
        return ""
    per_class = head.n_train // len(dataset.classnames)
    return f"an early probe, trained on the first {per_class} images of each class"


def offer(dataset: Dataset, label: str = "Train a probe here", *, may_start: bool = True) -> str:
    """Return the button that starts the job, or what to do first if the dataset is not available.

    See `clip_demo.ui.permissions.may_start`; nothing for a visitor who may not.
    """
    if not may_start:
        return ""
    if dataset.available():
        return f'<p class="job-offer">{job_button("start", label)}</p>'
    return (
        f'<p class="job-offer">To train a probe here, download <b>{escape(dataset.title)}</b> first: with the button '
        f"on the Explore tab, or with <code>python -m clip_demo download {escape(dataset.name)}</code>.</p>"
    )


def panel(job: ProbeJobStatus | None, *, may_start: bool = True) -> str:
    """Return the progress of a job or why it ended; "" if there is no job or it is done.

    See `clip_demo.ui.permissions.may_start`; without buttons for a visitor who may not.
    """
    if job is None or job.state == "done":
        return ""
    button = job_button if may_start else lambda action, label: ""
    if job.state == "failed":
        return (
            f'<div class="notice failed" role="alert">{escape(job.message)} '
            f'<p class="job-buttons">{button("start", "Try again")}</p></div>'
        )
    if job.state == "stopped":
        return (
            f'<div class="notice job" role="status">{escape(job.message)} '
            f'<p class="job-buttons">{button("start", "Resume")}</p></div>'
        )
    value = f' max="1" value="{job.done / job.total:.4f}"' if job.total else ""
    return (
        f'<div class="notice job running" role="status"><p class="doing">{escape(job.message)}</p>'
        f'<progress aria-label="Progress of the job"{value}></progress>'
        f'<p class="job-buttons"><span class="pace">{_pace(job)}</span>{button("stop", "Stop")}</p></div>'
    )


def _pace(job: ProbeJobStatus) -> str:
    parts = []
    if job.total:
        done = f"{100 * job.done / job.total:.0f}\N{NO-BREAK SPACE}%"
        parts.append(f"{job.done:,} of {job.total:,} images ({done})")
    if job.images_per_second:
        parts.append(f"{job.images_per_second:,.0f} images/s")
    if job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} of encoding left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return a rounded duration.

    >>> duration(40), duration(700), duration(9000)
    ('less than a minute', 'about 12 min', 'about 2.5 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
