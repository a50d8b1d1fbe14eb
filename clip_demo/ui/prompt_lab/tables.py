"""The tables of classes, of templates and of other names: pure functions to HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...evaluation.ablations import NameRow
from ...evaluation.report import ClassRow
from ..html import escape, percent
from .headline import points

__all__ = ["COLUMNS", "class_table", "names_table", "percent1", "sorted_classes", "template_table"]

_NOTHING = "–"
# Name, how to sort by it, and whether the largest comes first.
COLUMNS: dict[str, tuple[str, Callable[[ClassRow], Any], bool]] = {
    "name": ("Class", lambda row: row.name, False),
    "zero_shot": ("Zero-shot", lambda row: row.zero_shot, False),
    "probe": ("Probe", lambda row: -1 if row.probe is None else row.probe, False),
    "change": ("Change", lambda row: 0 if row.baseline is None else row.zero_shot - row.baseline, False),
    "confused": ("Most confused with", lambda row: row.confused_with[0][1] if row.confused_with else 0, True),
}


def sorted_classes(classes: Sequence[ClassRow], column: str, backwards: bool) -> list[tuple[int, ClassRow]]:
    """Return the rows in a column's order; each keeps the class's own number in front."""
    _, key, _ = COLUMNS[column]
    return sorted(enumerate(classes), key=lambda each: key(each[1]), reverse=backwards)


def class_table(classes: Sequence[ClassRow], column: str, backwards: bool, picked: int | None) -> str:
    """Return a row a class; a click on a heading sorts, one on a name shows its images."""
    heads = "".join(_head(key, column, backwards) for key in COLUMNS)
    ordered = sorted_classes(classes, column, backwards)
    rows = "".join(_class_row(number, row, number == picked) for number, row in ordered)
    return _table("classes", "A heading sorts; a name shows the class’s images below.", heads, rows)


def _table(kind: str, caption: str, heads: str, rows: str) -> str:
    return (
        f'<div class="scroll"><table class="lab-table {kind}"><caption class="caption">{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _heads(*names: str) -> str:
    return "".join(f'<th scope="col">{name}</th>' for name in names)


def _head(key: str, column: str, backwards: bool) -> str:
    name = COLUMNS[key][0]
    order = f' aria-sort="{"descending" if backwards else "ascending"}"' if key == column else ""
    return f'<th scope="col"{order}><button type="button" data-sort="{key}">{name}</button></th>'


def _class_row(number: int, row: ClassRow, picked: bool) -> str:
    change = None if row.baseline is None else row.zero_shot - row.baseline
    kind = "" if not change else ' class="up"' if change > 0 else ' class="down"'
    confused = ", ".join(f"{escape(name)}\N{NO-BREAK SPACE}{count}" for name, count in row.confused_with)
    return (
        f"<tr{' class=picked' if picked else ''}>"
        f'<th scope="row"><button type="button" data-pick="{number}" aria-pressed="{str(picked).lower()}">'
        f"{escape(row.name)}</button></th>"
        f"{_share(row.zero_shot, 'zero-shot')}{_share(row.probe, 'probe')}"
        f"<td{kind}>{_NOTHING if change is None else points(change, 1)}</td>"
        f'<td class="words">{confused or _NOTHING}</td></tr>'
    )


def _share(value: float | None, kind: str) -> str:
    if value is None:
        return f"<td>{_NOTHING}</td>"
    return (
        f'<td class="{kind}"><span class="track" aria-hidden="true">'
        f'<span style="width:{100 * value:.1f}%"></span></span>{percent1(value)}</td>'
    )


def percent1(share: float) -> str:
    """Return a share with one decimal, for tables."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def template_table(
    offered: Sequence[str], chosen: Sequence[str], alone: dict[str, float], gain: dict[str, float]
) -> str:
    """Return a switch a template, with what is measured of it.

    Parameters
    ----------
    offered : sequence of str
        Templates that have a switch.
    chosen : sequence of str
        Those that make the prompt now.
    alone, gain : dict of str to float
        Accuracy of a template by itself, and what the ensemble would lose without it; where measured.
    """
    rows = "".join(
        f'<tr><th scope="row"><label><input type="checkbox" data-toggle="{escape(each)}"'
        f"{' checked' if each in chosen else ''}> {escape(each)}</label></th>"
        f"<td>{percent(alone[each]) if each in alone else _NOTHING}</td>"
        f"<td>{points(gain[each]) if each in gain else _NOTHING}</td></tr>"
        for each in offered
    )
    caption = (
        "On: part of the prompt. The gain is the accuracy of the ensemble, less that of the ensemble without this one, "
        "in points."
    )
    return _table("templates", caption, _heads("Template", "Alone", "Gain"), rows)


def names_table(present: ClassRow, top1: float, tried: Sequence[NameRow]) -> str:
    """Return a row a name: the class's accuracy with it, the overall one, and the difference to the present name."""
    rows = _name_row(present.name, percent1(present.zero_shot), percent(top1), "the present name", "")
    for row in tried:
        difference = row.difference
        kind = "up" if difference.low > 0 else "down" if difference.high < 0 else "same"
        change = (
            f'<span class="{kind}">{points(difference.top1)}</span> '
            f"({points(difference.low)} to {points(difference.high)})"
        )
        use = f'<button type="button" data-use="{escape(row.name)}">use it</button>'
        rows += _name_row(row.name, percent1(row.accuracy), percent(row.top1), change, use)
    caption = (
        "A name also takes images from other classes: look at the change overall, in points with its 95 % interval."
    )
    return _table("names", caption, _heads("Name", "This class", "Overall", "Change overall", ""), rows)


def _name_row(name: str, *cells: str) -> str:
    return f'<tr><th scope="row" class="plain">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
