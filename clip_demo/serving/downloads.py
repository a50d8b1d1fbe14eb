"""Downloads of image sets in the background."""

from __future__ import annotations

import threading

from ..errors import ClipDemoError
from ..datasets.base import ImageSet
from .downloads import ImageSetStatus

__all__ = ["Fetches"]


class Fetches:
    """The downloads that have begun, at most one for an image set."""

    def __init__(self):
        self._lock = threading.Lock()
        self._begun: dict[str, _Fetch] = {}

    def start(self, image_set: ImageSet) -> None:
        """Begin a download, unless the set is on disk or its download is under way; after a failure, try again."""
        with self._lock:
            before = self._begun.get(image_set.name)
            if not image_set.on_disk() and not (before and before.running):
                self._begun[image_set.name] = _Fetch(image_set)

    def status(self, image_set: ImageSet) -> ImageSetStatus:
        """Say where an image set stands."""
        fetch = self._begun.get(image_set.name)
        state, progress, message = "ready", None, ""
        if fetch and fetch.running:
            state, progress, message = "fetching", fetch.progress, f"{image_set.title} is on its way …"
        elif not image_set.on_disk():
            state, message = "absent", f"{image_set.title} is not on disk."
            if fetch and fetch.error:
                state, message = "failed", fetch.error
        return ImageSetStatus(image_set.name, image_set.title, state, progress, message)


class _Fetch:
    """One download: whether it goes on, its share from 0 to 1, and what went wrong, for people."""

    def __init__(self, image_set: ImageSet):
        self.running = True
        self.progress = 0.0
        self.error = ""
        self._image_set = image_set
        threading.Thread(target=self._run, name=f"fetch-{image_set.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._image_set.download(self._report)
        except ClipDemoError as error:
            self.error = str(error)
        except Exception as error:  # A thread's exception reaches nobody otherwise.
            self.error = f"images: {self._image_set.title} cannot be fetched ({error})."
        finally:
            self.running = False

    def _report(self, done: int, total: int) -> None:
        self.progress = min(done / total, 1.0)
