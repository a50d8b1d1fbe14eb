"""The panel of the job that fits a linear probe in the background, and its buttons."""

from html import escape

from ..datasets.base import Dataset
from ..linear_probe.head import Provenance
from ..progress import duration
from ..serving.preparation import summary
from ..serving.probe_job import ProbeJobStatus
from ..switches import is_offline

# What the button of a preparation does and says, by its state.
_NEXT = {
    "paused": ("finish", "Train on all images"),
    "stopped": ("prepare", "Resume"),
    "failed": ("prepare", "Try again"),
}


def job_button(action: str, label: str) -> str:
    """Return a button whose click carries `action`; see `clip_demo.ui.event_options.press`."""
    return f'<button type="button" class="job-button" data-job="{action}">{escape(label)}</button>'


def early_head(head: Provenance, dataset: Dataset) -> str:
    """Return a description of a head that was fitted on some of the training images; "" for one fitted on all."""
    if head.n_train >= dataset.sizes["train"]:
        return ""
    per_class, rest = divmod(head.n_train, len(dataset.classnames))
    if rest or head.note.startswith("at most"):  # classes with fewer images
        return f"an early probe, trained on {head.n_train:,} of {dataset.sizes['train']:,} images"
    return f"an early probe, trained on the first {per_class} images of each class"


def offer(dataset: Dataset, label: str = "Train a probe here", *, may_start: bool = True) -> str:
    """Return the button that starts the job, or what to do first if the dataset is not available.

    See `clip_demo.ui.permissions.may_start`; nothing for a visitor who may not.
    """
    if not may_start:
        return ""
    if dataset.available():
        return f'<p class="job-offer">{job_button("start", label)}</p>'
    if is_offline():
        return (
            f'<p class="job-offer">A probe needs <b>{escape(dataset.title)}</b>, which is not on this machine; '
            "downloads are switched off.</p>"
        )
    return (
        f'<p class="job-offer">To train a probe here, download <b>{escape(dataset.title)}</b> first: with the button '
        f"on the Explore tab, or with <code>python -m clip_demo download {escape(dataset.name)}</code>.</p>"
    )


def preparation_line(job: ProbeJobStatus | None, *, may_start: bool = True) -> str:
    """Return the line on what the program gets ready by itself, with a button that stops it or goes on.

    See `clip_demo.ui.permissions.may_start`: who may not is told of it only while it is running.
    """
    if job is None or job.state == "done" or not (job.running or may_start):
        return ""
    button = job_button(*_NEXT.get(job.state, ("stop", "Stop"))) if may_start else ""
    aside = ""
    if job.state == "paused":
        text = " Before you upload a Space, <code>python -m clip_demo prepare</code> does the same."
        aside = f'<span class="aside">{text}</span>'
    # Not a live region while it is running: a screen reader would read it every second.
    kind = "" if job.running else f' is-{job.state}" role="status'
    return f'<div class="preparation{kind}"><span>{escape(summary(job))}{aside}</span>{button}</div>'


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
    if job.state in ("stopped", "paused"):
        label = "Resume" if job.state == "stopped" else "Train on all images"
        return (
            f'<div class="notice job" role="status">{escape(job.message)} '
            f'<p class="job-buttons">{button("start", label)}</p></div>'
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
    if job.images_per_second and job.seconds_left is not None:
        parts.append(f"{duration(job.seconds_left)} of encoding left")
    return " · ".join(parts)
