"""The request for an evaluation, parsed from the lab's fields and checked once per event."""

from dataclasses import dataclass

from ...backend import Backend
from ...datasets.base import Dataset
from ...datasets.catalog import resolve_dataset
from ...evaluation.report import EvaluationReport
from ...progress import Progress
from ...zero_shot.prompt_set import PromptSet
from ..kept_prompts import read_kept


@dataclass(frozen=True)
class Request:
    """A prompt set to evaluate, and the baseline to compare it with.

    Attributes
    ----------
    dataset : Dataset
    model : str
        Name of the model.
    prompts, baseline : PromptSet
    """

    dataset: Dataset
    model: str
    prompts: PromptSet
    baseline: PromptSet

    def evaluate(self, backend: Backend, progress: Progress | None = None) -> EvaluationReport:
        """Return the evaluation report; see `Backend.evaluate`."""
        return backend.evaluate(
            self.prompts, dataset=self.dataset.name, model=self.model, baseline=self.baseline, progress=progress
        )


def parse_request(
    backend: Backend,
    dataset: str,
    model: str,
    templates: str | None,
    classes: str | None,
    replace_underscores: bool,
    kept: str | None,
) -> Request:
    """Return the request for the values of the fields.

    Parameters
    ----------
    backend : Backend
    dataset, model : str
        Names.
    templates, classes : str or None
        As typed.
    replace_underscores : bool
    kept : str or None
        The visitor's baselines by dataset; see `clip_demo.ui.kept_prompts`. Without one, or if it has another number
        of classes, as A on the Explore tab may have, the baseline is the template of openai/CLIP's README with the
        dataset's own class names.

    Raises
    ------
    ClassnamesError, TemplateError, DatasetError
    """
    chosen = resolve_dataset(backend.datasets, dataset)
    prompts = PromptSet.parse(templates, classes, replace_underscores)
    baseline = read_kept(kept).get(dataset)
    if baseline is None or len(baseline.classnames) != len(chosen.classnames):
        baseline = PromptSet.for_dataset(chosen)
    return Request(chosen, model, prompts, baseline)
