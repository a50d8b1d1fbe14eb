"""What the page shows about the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..datasets.base import Dataset
from ..evaluation.published import Comparison
from ..linear_probe.head import HeadStore, Provenance
from .downloads import DatasetStatus, Downloads
from .model_handle import ModelStatus
from .model_pool import ModelPool
from .preparation import Preparation
from .probe_job import ProbeJobs, ProbeJobStatus
from .published_check import PublishedCheck


@dataclass(frozen=True)
class Status:
    """A snapshot of the service for one model and one dataset.

    Attributes
    ----------
    model : ModelStatus
    dataset : DatasetStatus
    head : Provenance or None
        Of the head for this model and dataset; None without one, and while the model is not ready.
    published : tuple of Comparison, or None
        Comparisons with published numbers; see `clip_demo.serving.published_check`.
    job : ProbeJobStatus or None
        The latest job for this model and dataset.
    running_job : str
        Message of the running job, whatever it is for; empty without one.
    preparation : ProbeJobStatus or None
        What is made ready without a click; see `clip_demo.serving.preparation`. None where nothing is.
    models : tuple of ModelStatus
        All models on offer.
    datasets : tuple of DatasetStatus
        All datasets.
    default_model, default_dataset : str
        What a new visit starts with.
    """

    model: ModelStatus
    dataset: DatasetStatus
    head: Provenance | None
    published: tuple[Comparison, ...] | None
    job: ProbeJobStatus | None
    running_job: str
    preparation: ProbeJobStatus | None
    models: tuple[ModelStatus, ...]
    datasets: tuple[DatasetStatus, ...]
    default_model: str
    default_dataset: str


class StatusReporter:
    """Takes snapshots of the parts of the service.

    Parameters
    ----------
    models : ModelPool
    datasets : mapping of str to Dataset
    heads : HeadStore
    downloads : Downloads
    jobs : ProbeJobs
    preparation : Preparation
    """

    def __init__(
        self,
        models: ModelPool,
        datasets: Mapping[str, Dataset],
        heads: HeadStore,
        downloads: Downloads,
        jobs: ProbeJobs,
        preparation: Preparation,
    ):
        self._models, self._datasets, self._heads, self._downloads = models, datasets, heads, downloads
        self._jobs, self._preparation, self._published = jobs, preparation, PublishedCheck()

    def status(self, model: str, dataset: Dataset, default_dataset: str) -> Status:
        """Return a snapshot for one model and one dataset; never waits."""
        # The jobs first: one that ends in between has stored its head by then.
        job, running = self._jobs.status(model, dataset.name), self._jobs.running_message
        preparation, head, published = self._preparation.status, None, None
        chosen, handle = self._models.status(model), self._models.peek(model)
        if handle is not None and chosen.state == "ready":
            head = self._heads.get(handle.encoder.sha256, dataset.key)
            published = self._published.comparisons(handle, dataset)
        datasets = {name: self._downloads.status(each) for name, each in self._datasets.items()}
        return Status(
            model=chosen,
            dataset=datasets[dataset.name],
            head=head and head.provenance,
            published=published,
            job=job,
            running_job=running,
            preparation=preparation,
            models=tuple(map(self._models.status, self._models.names)),
            datasets=tuple(datasets.values()),
            default_model=self._models.default,
            default_dataset=default_dataset,
        )
