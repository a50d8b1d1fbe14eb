"""Downloads of datasets in the background."""

from __future__ import annotations

import threading

from ..datasets.base import Dataset
from ..errors import ClipDemoError
from .downloads import DatasetStatus

__all__ = ["Downloads"]


class Downloads:
    """The downloads that have begun, at most one for an dataset."""

    def __init__(self):
        self._lock = threading.Lock()
        self._begun: dict[str, _Fetch] = {}

    def start(self, dataset: Dataset) -> None:
        """Begin a download, unless the set is on disk or its download is under way; after a failure, try again."""
        with self._lock:
            before = self._begun.get(dataset.name)
            if not dataset.available() and not (before and before.running):
                self._begun[dataset.name] = _Fetch(dataset)

    def status(self, dataset: Dataset) -> DatasetStatus:
        """Say where an dataset stands."""
        fetch = self._begun.get(dataset.name)
        state, progress, message = "ready", None, ""
        if fetch and fetch.running:
            state, progress, message = "fetching", fetch.progress, f"{dataset.title} is on its way …"
        elif not dataset.available():
            state, message = "absent", f"{dataset.title} is not on disk."
            if fetch and fetch.error:
                state, message = "failed", fetch.error
        return DatasetStatus(dataset.name, dataset.title, state, progress, message)


class _Fetch:
    """One download: whether it goes on, its share from 0 to 1, and what went wrong, for people."""

    def __init__(self, dataset: Dataset):
        self.running = True
        self.progress = 0.0
        self.error = ""
        self._dataset = dataset
        threading.Thread(target=self._run, name=f"fetch-{dataset.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._dataset.download(self._report)
        except ClipDemoError as error:
            self.error = str(error)
        except Exception as error:  # A thread's exception reaches nobody otherwise.
            self.error = f"images: {self._dataset.title} cannot be fetched ({error})."
        finally:
            self.running = False

    def _report(self, done: int, total: int) -> None:
        self.progress = min(done / total, 1.0)
