"""The Prompt Lab's computing: what a wording does to all pictures of a test set.

``wording.py`` is what a visitor types, ``testset.py`` the pictures as a model sees them, ``answers.py`` the one matrix
product, ``examination.py`` what can be seen of it, with ``confusion.py`` and ``reliability.py``; ``sweeps.py`` tries
many wordings, ``desk.py`` remembers, ``exports.py`` writes tables.
"""

from . import tables as exports
from .confusion import Confusion
from ..serving.evaluator import Desk
from .report import KINDS, PREDICTORS, ClassRow, Examination, Verdict
from .calibration import Bin, Reliability
from .ablations import NameRow, TemplateRow
from ..zero_shot.prompt_set import Wording, check_baseline, check_whole_set, check_wording

__all__ = [
    "KINDS",
    "PREDICTORS",
    "Bin",
    "ClassRow",
    "Confusion",
    "Desk",
    "Examination",
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
