"""What the lab shows as tables for other programs, in CSV or in JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

from .ablations import NameRow, TemplateRow
from .calibration import Reliability
from .confusion import Confusion
from .report import EvaluationReport

__all__ = [
    "Table",
    "calibration",
    "confusion",
    "names",
    "per_class",
    "images",
    "summary",
    "templates",
    "to_csv",
    "to_json",
]

_DIFFERENCE = ("top1", "low", "high", "p_value", "gained", "lost")


class Table(NamedTuple):
    """Names of columns, and rows of plain values; None is a value that there is not."""

    columns: tuple[str, ...]
    rows: tuple[tuple, ...]


def to_csv(table: Table) -> str:
    """Return the table as CSV with a line of names on top."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()


def to_json(table: Table) -> str:
    """Return the table as a JSON list of objects, one a row."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def summary(examination: EvaluationReport) -> Table:
    """Return the wording and its accuracies, one row; templates stand one a line in their cell."""
    got, wording = examination.evaluation, examination.wording
    return Table(
        ("templates", "replace_underscores", "n", "top1", "top5", "probe_top1", *_named(_DIFFERENCE)),
        (
            (
                "\n".join(wording.templates),
                wording.replace_underscores,
                got.n,
                got.top1,
                got.top5,
                got.probe_top1,
                *_differences(got.difference),
            ),
        ),
    )


def per_class(examination: EvaluationReport) -> Table:
    """Return a row a class, with the three classes that it is most often taken for."""
    columns = ("class", "coarse", "n", "zero_shot", "probe", "baseline")
    rows = []
    for row in examination.classes:
        confused = [part for pair in row.confused_with for part in pair]
        plain = (row.name, row.coarse, row.n, row.zero_shot, row.probe, row.baseline)
        rows.append((*plain, *confused, *(None,) * (6 - len(confused))))
    return Table((*columns, *(f"{what}_{i}" for i in (1, 2, 3) for what in ("confused_with", "count"))), tuple(rows))


def confusion(matrix: Confusion) -> Table:
    """Return a row for each pair of classes that occurs; a zero is left out."""
    rows = [
        (true, predicted, count)
        for true, row in zip(matrix.names, matrix.counts, strict=True)
        for predicted, count in zip(matrix.names, row, strict=True)
        if count
    ]
    return Table(("true", "predicted", "n"), tuple(rows))


def templates(rows: Iterable[TemplateRow]) -> Table:
    """Return a row a template."""
    return Table(
        ("template", "top1", "ensemble_without", *_named(_DIFFERENCE)),
        tuple((row.template, row.top1, row.ensemble_without, *_differences(row.difference)) for row in rows),
    )


def names(rows: Iterable[NameRow]) -> Table:
    """Return a row a name."""
    return Table(
        ("name", "accuracy", "top1", *_named(_DIFFERENCE)),
        tuple((row.name, row.accuracy, row.top1, *_differences(row.difference)) for row in rows),
    )


def calibration(curves: Mapping[str, Reliability | None]) -> Table:
    """Return a row a bin of each predictor, with the predictor's expected calibration error."""
    rows = [
        (predictor, *asdict(each).values(), curve.ece) for predictor, curve in curves.items() if curve
        for each in curve.bins
    ]  # fmt: skip
    return Table(("predictor", "low", "high", "confidence", "accuracy", "n", "ece"), tuple(rows))


def images(examination: EvaluationReport, indices: Sequence[int]) -> Table:
    """Return a row an image: its index, its true class and what it is taken for."""
    rows = [tuple(asdict(examination.verdict(index)).values()) for index in indices]
    return Table(("index", "truth", "zero_shot", "probe"), tuple(rows))


def _named(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"difference_{name}" for name in columns)


def _differences(difference) -> tuple:
    return tuple(None if difference is None else getattr(difference, name) for name in _DIFFERENCE)
