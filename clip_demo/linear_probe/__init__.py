"""From images to a head and its few-shot curve: the article's second experiment.

``order.py`` says which images come first, ``encoding.py`` encodes them, ``shards.py`` keeps what is encoded,
``builder.py`` fits heads on it, ``sweep.py`` looks for the best C, ``curve.py`` gathers accuracies into a curve.
"""

from __future__ import annotations

from ..features.extract import Encode, batched, encode_directly, encode_split
from ..features.shards import Shards
from .c_sweep import sweep
from .few_shot_curve import CurveStore, missing_draws, new_curve, with_draw
from .fit import EARLY_TEST, EARLY_TRAIN, Draw, ProbeFitter

__all__ = [
    "EARLY_TEST",
    "EARLY_TRAIN",
    "CurveStore",
    "Draw",
    "Encode",
    "ProbeFitter",
    "Shards",
    "batched",
    "encode_split",
    "missing_draws",
    "new_curve",
    "encode_directly",
    "sweep",
    "with_draw",
]
