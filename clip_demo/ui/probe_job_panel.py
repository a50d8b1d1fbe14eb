"""The panel of the job that fits a head, and its buttons."""

from __future__ import annotations

from ..datasets.base import Dataset
from ..linear_probe.head import Provenance
from ..serving.probe_job import ProbeJobStatus
from .html import escape

__all__ = ["duration", "early_head", "offer", "panel", "running", "start_button"]

RUNNING = ("waiting", "encoding", "fitting")


def start_button(label: str) -> str:
    """Return the button that starts the job: see `clip_demo.ui.probe_events.press`."""
    return f'<button type="button" class="job-button" data-job="start">{escape(label)}</button>'


def early_head(head: Provenance, dataset: Dataset) -> str:
    """Return that a head was fitted on the first images only; nothing where it knows them all."""
    if head.n_train >= dataset.sizes["train"]:
        return ""
    each = head.n_train // len(dataset.classnames)
    return f"an early head, from the first {each} images of each class"


def offer(dataset: Dataset, label: str = "Fit a head here") -> str:
    """Return the button, or what comes first where the images are not on disk."""
    if dataset.available():
        return f'<p class="job-offer">{start_button(label)}</p>'
    return (
        f'<p class="job-offer">To fit one here, get the images of <b>{escape(dataset.title)}</b> first: with the '
        f"button on the Explore tab, or by <code>python -m clip_demo download {escape(dataset.name)}</code>.</p>"
    )


def panel(job: ProbeJobStatus | None) -> str:
    """Return how far the job for a model and an dataset is, or how it ended; nothing where there is none."""
    if job is None or job.state == "done":
        return ""
    if job.state == "failed":
        return (
            f'<div class="notice failed" role="alert">{escape(job.message)} '
            f'<p class="job-buttons">{start_button("Try again")}</p></div>'
        )
    if job.state == "stopped":
        return (
            f'<div class="notice job" role="status">{escape(job.message)} '
            f'<p class="job-buttons">{start_button("Go on")}</p></div>'
        )
    return (
        f'<div class="notice job running"><p class="doing">{escape(job.message)}</p>{_bar(job)}'
        f'<p class="job-buttons"><span class="pace">{_pace(job)}</span>'
        '<button type="button" class="job-button" data-job="stop">Stop</button></p></div>'
    )


def _bar(job: ProbeJobStatus) -> str:
    if not job.total:
        return '<progress aria-label="How far the job is"></progress>'
    return f'<progress aria-label="How far the job is" max="1" value="{job.done / job.total:.4f}"></progress>'


def _pace(job: ProbeJobStatus) -> str:
    parts = []
    if job.total:
        share = f"{100 * job.done / job.total:.0f}\N{NO-BREAK SPACE}%"
        parts.append(f"{job.done:,} of {job.total:,} images ({share})")
    if job.images_per_second:
        parts.append(f"{job.images_per_second:,.0f} images/s")
    if job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} of encoding left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Return about how long that is.

    >>> duration(40), duration(700), duration(9000)
    ('less than a minute', 'about 12 min', 'about 2.5 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def running(job: ProbeJobStatus | None) -> bool:
    """Whether there is something to watch."""
    return job is not None and job.state in RUNNING
