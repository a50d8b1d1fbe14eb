"""At most one job at a time."""

from __future__ import annotations

import threading

from ..datasets.base import Dataset
from ..errors import OptionError
from ..linear_probe.pipeline import Stores
from .downloads import Downloads
from .probe_job import Job, ProbeJobStatus

__all__ = ["ProbeJobs"]


class ProbeJobs:
    """The jobs that were started; the latest of each model and dataset is remembered.

    Parameters
    ----------
    stores : Stores
        Where they put what they make.
    fetches : Downloads
        Gets datasets that are not on disk.
    """

    def __init__(self, stores: Stores, fetches: Downloads):
        self._stores, self._fetches = stores, fetches
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], Job] = {}

    def start(self, model: ModelHandle, dataset: Dataset, if_missing: bool = False) -> None:
        """Start a job unless it runs; see `clip_demo.backend.Backend.build`."""
        key = (model.name, dataset.name)
        with self._lock:
            running = next((job for job in self._jobs.values() if job.running), None)
            if running is None:
                self._jobs[key] = Job(self._stores, self._fetches, model, dataset, if_missing)
            elif running is not self._jobs.get(key):
                raise OptionError(f"build: a job for {running.title} runs; wait until it is done, or stop it.")

    def stop(self) -> None:
        """Stop the job that runs, if any."""
        with self._lock:
            for job in self._jobs.values():
                job.stop()

    def status(self, model: str, dataset: str) -> ProbeJobStatus | None:
        """Say where the latest job for a model and an dataset stands."""
        job = self._jobs.get((model, dataset))
        return None if job is None else job.status
