"""Downloads of datasets in the background."""

import threading
from dataclasses import dataclass
from functools import partial

from ..datasets.base import Dataset
from ..errors import Cancelled, page_message_of
from ..progress import Progress
from .background import BackgroundTask, log_failure


@dataclass(frozen=True)
class DatasetStatus:
    """The state of a dataset.

    Attributes
    ----------
    name, title : str
        See `clip_demo.datasets.base.Dataset`.
    state : {"ready", "absent", "downloading", "failed"}
    progress : float or None
        Fraction of the download, 0 to 1; None while nothing is downloading.
    message : str
        A plain sentence for the page, empty when ready.
    download_bytes : int or None
        Size of the download.
    """

    name: str
    title: str
    state: str
    progress: float | None
    message: str
    download_bytes: int | None


class Downloads:
    """The downloads that were started, at most one at a time for each dataset."""

    def __init__(self):
        self._lock = threading.Lock()
        self._tasks: dict[str, BackgroundTask[None]] = {}

    def start(self, dataset: Dataset) -> None:
        """Start a download, unless the dataset is available or downloading; after a failure, try again."""
        with self._lock:
            task = self._tasks.get(dataset.name)
            if not dataset.available() and (task is None or task.done() or task.cancelled):
                work = partial(_download, dataset, task)
                self._tasks[dataset.name] = BackgroundTask(work, f"download-{dataset.name}")

    def stop(self, dataset: Dataset) -> None:
        """Stop a download, if it is running; what was received is kept, and the next start resumes it."""
        task = self._tasks.get(dataset.name)
        if task:
            task.cancel()

    def status(self, dataset: Dataset) -> DatasetStatus:
        """Return the state of a dataset."""
        task = self._tasks.get(dataset.name)
        state, share, message = "ready", None, ""
        if task and not task.done() and not task.cancelled:
            _, done, total = task.progress or ("", 0, 1)
            state, share, message = "downloading", min(done / total, 1.0), f"{dataset.title} is downloading …"
        elif not dataset.available():
            state, message = "absent", f"{dataset.title} is not on this machine."
            if task and task.error and not isinstance(task.error, Cancelled):
                failed = f"{dataset.title} could not be downloaded. Try again."
                state, message = "failed", page_message_of(task.error, failed)
        return DatasetStatus(dataset.name, dataset.title, state, share, message, dataset.download_bytes)


def _download(dataset: Dataset, stopped: BackgroundTask | None, progress: Progress) -> None:
    if stopped:  # it may still wait for the network
        stopped.wait()
    try:
        dataset.download(progress)
    except Cancelled:
        raise
    except Exception as error:
        log_failure(f"The download of {dataset.title}", error)
        raise
