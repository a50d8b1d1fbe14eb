"""Tables of an evaluation report for other programs, as CSV or JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from ..csv_text import write_csv
from .ablations import TemplateRow
from .calibration import Reliability
from .confusion import Confusion
from .report import EvaluationReport
from .significance import Difference

_DIFFERENCE = ("top1", "low", "high", "p_value", "gained", "lost")
_DIFFERENCE_COLUMNS = tuple(f"difference_{name}" for name in _DIFFERENCE)


class Table(NamedTuple):
    """Column names, and rows of plain values; None is a missing value."""

    columns: tuple[str, ...]
    rows: tuple[tuple, ...]


def to_csv(table: Table) -> str:
    """Return the table as CSV with a header line."""
    return write_csv([table.columns, *table.rows])


def to_json(table: Table) -> str:
    """Return the table as a JSON list with an object per row."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def summary(report: EvaluationReport) -> Table:
    """Return the prompt set and its accuracies in one row; templates are separated by line breaks."""
    prompts, result = report.prompts, report.accuracy
    texts = ("\n".join(prompts.templates), prompts.replace_underscores)
    names = ("n", "top1", "top5", "mean_per_class", "probe_top1", "probe_mean_per_class")
    numbers = (*(getattr(result, name) for name in names), *_difference(result.difference))
    return Table(("templates", "replace_underscores", *names, *_DIFFERENCE_COLUMNS), ((*texts, *numbers),))


def per_class(report: EvaluationReport) -> Table:
    """Return a row per class, with its three most frequent wrong predictions."""
    columns = ("class", "coarse", "n", "zero_shot", "probe", "baseline")
    rows = []
    for row in report.classes:
        confused = [part for pair in row.confused_with for part in pair]
        plain = (row.name, row.coarse, row.n, row.zero_shot, row.probe, row.baseline)
        rows.append((*plain, *confused, *(None,) * (6 - len(confused))))
    return Table((*columns, *(f"{name}_{i}" for i in (1, 2, 3) for name in ("confused_with", "count"))), tuple(rows))


def confusion(matrix: Confusion) -> Table:
    """Return a row per pair of classes that occurs; zeros are omitted."""
    rows = [
        (true, predicted, count)
        for true, row in zip(matrix.names, matrix.counts, strict=True)
        for predicted, count in zip(matrix.names, row, strict=True)
        if count
    ]
    return Table(("true", "predicted", "n"), tuple(rows))


def templates(rows: Iterable[TemplateRow]) -> Table:
    """Return a row per template."""
    return Table(
        ("template", "top1", "ensemble_without", *_DIFFERENCE_COLUMNS),
        tuple((row.template, row.top1, row.ensemble_without, *_difference(row.difference)) for row in rows),
    )


def calibration(curves: Mapping[str, Reliability | None]) -> Table:
    """Return a row per bin of each predictor, with the predictor's expected calibration error."""
    rows = [
        (predictor, *asdict(each).values(), curve.ece) for predictor, curve in curves.items() if curve
        for each in curve.bins
    ]  # fmt: skip
    return Table(("predictor", "low", "high", "confidence", "accuracy", "n", "ece"), tuple(rows))


def images(report: EvaluationReport, indices: Sequence[int]) -> Table:
    """Return a row per image: its index, its true class and both predictions."""
    rows = [tuple(asdict(report.labelled_prediction(index)).values()) for index in indices]
    return Table(("index", "truth", "zero_shot", "probe"), tuple(rows))


def _difference(difference: Difference | None) -> tuple:
    return tuple(None if difference is None else getattr(difference, name) for name in _DIFFERENCE)
