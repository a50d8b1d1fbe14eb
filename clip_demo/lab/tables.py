"""The lab's results as tables, and tables as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..evaluation import Difference, Evaluation
from .calibration import Reliability
from .confusion import Confusion
from .examination import ClassRow, Examination
from .variations import NameRow, TemplateRow

__all__ = [
    "Table",
    "calibration_table",
    "class_table",
    "confusion_table",
    "name_table",
    "picture_table",
    "summary_table",
    "template_table",
    "to_csv",
    "to_json",
]

_DIFFERENCE = ("difference", "low", "high", "p_value", "gained", "lost")


@dataclass(frozen=True)
class Table:
    """Named columns and rows of plain values; None where there is no value."""

    columns: tuple[str, ...]
    rows: tuple[tuple, ...]


def to_csv(table: Table) -> str:
    """Return a table as CSV with a line of column names; an empty field where there is no value."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([table.columns, *table.rows])
    return out.getvalue()


def to_json(table: Table) -> str:
    """Return a table as a JSON list with an object a row."""
    return json.dumps([dict(zip(table.columns, row, strict=True)) for row in table.rows], ensure_ascii=False)


def _cells(difference: Difference | None) -> tuple:
    if difference is None:
        return (None,) * len(_DIFFERENCE)
    each = difference
    return each.top1, each.low, each.high, each.p_value, each.gained, each.lost


def summary_table(evaluation: Evaluation) -> Table:
    """Return the accuracies and the difference to the baseline, in one row."""
    row = (evaluation.top1, evaluation.top5, evaluation.n, evaluation.probe_top1, *_cells(evaluation.difference))
    return Table(("top1", "top5", "n", "probe_top1", *_DIFFERENCE), (row,))


def class_table(classes: Sequence[ClassRow]) -> Table:
    """Return a row a class; ``confused_with`` is text such as ``snake 12; worm 3``."""
    columns = ("class", "name", "coarse", "n", "zero_shot", "probe", "baseline", "confused_with")
    rows = tuple(
        (*(each.name, each.typed, each.coarse, each.n, each.zero_shot, each.probe, each.baseline), _listed(each))
        for each in classes
    )
    return Table(columns, rows)


def _listed(row: ClassRow) -> str:
    return "; ".join(f"{name} {count}" for name, count in row.confused_with)


def confusion_table(confusion: Confusion) -> Table:
    """Return a row a true class, a column a predicted one."""
    rows = tuple((name, *counts) for name, counts in zip(confusion.names, confusion.counts, strict=True))
    return Table(("true", *confusion.names), rows)


def template_table(templates: Sequence[TemplateRow]) -> Table:
    """Return a row a template."""
    rows = tuple((each.template, each.top1, each.ensemble_without, each.gain) for each in templates)
    return Table(("template", "top1", "ensemble_without", "gain"), rows)


def name_table(names: Sequence[NameRow]) -> Table:
    """Return a row a name of the class."""
    rows = tuple((each.name, each.accuracy, each.top1, *_cells(each.difference)) for each in names)
    return Table(("name", "accuracy", "top1", *_DIFFERENCE), rows)


def calibration_table(curves: Mapping[str, Reliability | None]) -> Table:
    """Return a row a predictor and bin, each with the predictor's expected calibration error."""
    rows = tuple(
        (name, each.low, each.high, each.confidence, each.accuracy, each.n, curve.ece)
        for name, curve in curves.items()
        if curve is not None
        for each in curve.bins
    )
    return Table(("predictor", "low", "high", "confidence", "accuracy", "n", "ece"), rows)


def picture_table(examination: Examination, indices: Sequence[int] | None = None) -> Table:
    """Return a row a test picture (default: all), with its true class and what was said."""
    wanted = examination.pictures() if indices is None else indices
    verdicts = [examination.verdict(index) for index in wanted]
    rows = tuple((each.index, each.truth, each.zero_shot, each.probe, each.baseline) for each in verdicts)
    return Table(("index", "true", "zero_shot", "probe", "baseline"), rows)
