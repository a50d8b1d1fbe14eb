"""One download of an image set in the background."""

from __future__ import annotations

import threading

from .errors import ClipDemoError
from .images import ImageSet

__all__ = ["Fetch"]


class Fetch:
    """A download that has begun.

    Attributes
    ----------
    running : bool
        Whether it goes on.
    progress : float
        Share that has come, 0 to 1.
    error : str
        What went wrong and what to do, for people; empty where nothing did.
    """

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
