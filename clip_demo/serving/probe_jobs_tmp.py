"""At most one job at a time."""

from __future__ import annotations

import threading

from ..errors import OptionError
from .downloads import Fetches
from ..datasets.base import ImageSet
from .model_handle import Loading
from .probe_job import BuildStatus
from .probe_job import Job
from ..linear_probe.pipeline import Stores

__all__ = ["Builds"]


class Builds:
    """The jobs that were started; the latest of each model and image set is remembered.

    Parameters
    ----------
    stores : Stores
        Where they put what they make.
    fetches : Fetches
        Gets image sets that are not on disk.
    """

    def __init__(self, stores: Stores, fetches: Fetches):
        self._stores, self._fetches = stores, fetches
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def start(self, model: Loading, image_set: ImageSet, if_missing: bool = False) -> None:
        """Start a job unless it runs; see `clip_demo.backend.Backend.build`."""
        key = (model.name, image_set.name)
        with self._lock:
            running = next((job for job in self._jobs.values() if job.running), None)
            if running is None:
                self._jobs[key] = Job(self._stores, self._fetches, model, image_set, if_missing)
            elif running is not self._jobs.get(key):
                raise OptionError(f"build: a job for {running.title} runs; wait until it is done, or stop it.")

    def stop(self) -> None:
        """Stop the job that runs, if any."""
        with self._lock:
            for job in self._jobs.values():
                job.stop()

    def status(self, model: str, image_set: str) -> BuildStatus | None:
        """Say where the latest job for a model and an image set stands."""
        job = self._jobs.get((model, image_set))
        return None if job is None else job.status
