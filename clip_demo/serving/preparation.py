"""What the program gets ready without a click: a model, a dataset, and a linear probe of the one on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..datasets.base import Dataset
from ..datasets.catalog import CIFAR100, resolve_dataset
from ..progress import duration
from .model_pool import ModelPool
from .probe_job import WHOLE, Plan, ProbeJobs, ProbeJobStatus

PATIENCE = 30 * 60  # seconds that a head on all images may take without being asked for
_STEPS = ("downloading", "a first linear probe", "its few-shot curve", "the linear probe on all images")
_NEWS_SECONDS = 300  # between lines in the terminal about the same step


class Preparation:
    """Gets the preferred model ready on a dataset, as one `ProbeJob` that can be stopped and started again.

    Parameters
    ----------
    jobs : ProbeJobs
    models : ModelPool
    datasets : mapping of str to Dataset
    dataset : str or None
        The dataset that the host asked for. Default CIFAR-100 for a model that is preferred to the one at the start,
        otherwise the first dataset that is available.
    """

    def __init__(self, jobs: ProbeJobs, models: ModelPool, datasets: Mapping[str, Dataset], dataset: str | None):
        self._jobs, self._models, self._datasets, self._asked = jobs, models, datasets, dataset
        self._plan, self._key = WHOLE, None

    def start(self, plan: Plan | None = None) -> None:
        """Start, or go on after a stop, a failure or a pause.

        Parameters
        ----------
        plan : Plan, optional
            Default: that of the last start.

        Raises
        ------
        OptionError
            While a job for another model or dataset is running.
        """
        plan, preferred, dataset = plan or self._plan, self._models.preferred, self.dataset
        self._jobs.start(self._models.retry(preferred), dataset, plan)
        self._plan, self._key = plan, (preferred, dataset.name)

    @property
    def dataset(self) -> Dataset:
        """The dataset that will be made ready."""
        mission = self._models.preferred != self._models.names[0] and CIFAR100 in self._datasets
        return resolve_dataset(self._datasets, self._asked or (CIFAR100 if mission else None))

    @property
    def is_receiving(self) -> bool:
        """Whether the dataset is being downloaded."""
        return self._key is not None and self.status.running and not self.dataset.available()

    def is_running(self, model: str, dataset: str) -> bool:
        """Whether a linear probe of this model on this dataset is being made ready."""
        return self._key == (model, dataset) and self.status.running and self.status.steps > 1

    def finish(self) -> None:
        """Go on to the linear probe on all images, however long that takes."""
        self.start(WHOLE)

    @property
    def status(self) -> ProbeJobStatus | None:
        """The current state; None before the first start."""
        return None if self._key is None else self._jobs.status(*self._key)


def summary(job: ProbeJobStatus) -> str:
    """Return what is being made ready and how far it is, as one sentence for the page and the terminal."""
    if not job.running:
        return job.message
    what = "loading" if job.step == 1 and job.share is None else _STEPS[job.step - 1]
    step = f"step {job.step} of {job.steps}, {what}" if job.step else "starting"
    done = [] if job.share is None else [f"{100 * job.share:.0f}\N{NO-BREAK SPACE}%"]
    left = [] if job.seconds_left is None else [f"{duration(job.seconds_left)} left"]
    # Images are encoded and heads fitted in turn: share and time are those of the one that goes on.
    doing = {"encoding": ["encoding images"], "fitting": ["fitting"]}.get(job.state)
    if doing:
        return f"Getting ready for {job.title}: {step} ({', '.join([*doing, *done, *left])})."
    return f"Getting ready for {job.title}: {', '.join([step, *done, *left])}."


class News:
    """Says in the terminal how a preparation goes: at each new step, now and then, and at the end.

    Parameters
    ----------
    say : callable
        Called with each line.
    """

    def __init__(self, say: Callable[[str], None]):
        self._say, self._said, self._when = say, None, 0.0

    def tell(self, job: ProbeJobStatus | None, now: float) -> None:
        """Say the state of a preparation, if there is news; `now` is a time in seconds."""
        if job is None:
            return
        state = (job.step, job.step == 1 and job.share is None) if job.running else job.state
        if state == self._said and not (job.running and now - self._when >= _NEWS_SECONDS):
            return
        how_to_stop = "" if self._said else " Stop it on the page; --offline and --no-build switch it off."
        self._said, self._when = state, now
        next_step = {
            "paused": " Start it on the page, or with `python -m clip_demo prepare` before you upload a Space.",
            "failed": " The page works with what is there; try again on the page.",
        }.get(job.state, how_to_stop)
        self._say(f"* {summary(job)}{next_step}".replace("\N{NO-BREAK SPACE}", " "))
