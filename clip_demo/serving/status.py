"""What the page shows about the service."""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation.published import Comparison
from ..linear_probe.head import Provenance
from .downloads import DatasetStatus
from .model_handle import ModelStatus
from .probe_job import ProbeJobStatus


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
