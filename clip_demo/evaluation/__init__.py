"""The Prompt Lab's computing: what a wording does to all images of a test set.

``wording.py`` is what a visitor types, ``testset.py`` the images as a model sees them, ``answers.py`` the one matrix
product, ``examination.py`` what can be seen of it, with ``confusion.py`` and ``reliability.py``; ``sweeps.py`` tries
many wordings, ``desk.py`` remembers, ``exports.py`` writes tables.
"""

from ..serving.evaluator import Evaluator
from ..zero_shot.prompt_set import PromptSet, check_baseline, check_whole_set, check_wording
from . import tables as exports
from .ablations import NameRow, TemplateRow
from .calibration import Bin, Reliability
from .confusion import Confusion
from .report import KINDS, PREDICTORS, ClassRow, EvaluationReport, Verdict

__all__ = [
    "KINDS",
    "PREDICTORS",
    "Bin",
    "ClassRow",
    "Confusion",
    "Evaluator",
    "EvaluationReport",
    "NameRow",
    "Reliability",
    "TemplateRow",
    "Verdict",
    "Wording",
    "check_baseline",
    "check_whole_set",
    "check_wording",
    "exports",
]
