"""The tables of classes, templates and class names, as HTML."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from ...evaluation.ablations import NameRow
from ...evaluation.ood_detection import Detection, HiddenClasses
from ...evaluation.report import ClassRow
from ..html import percent
from .text import bdi, percent1, points

_NOTHING = "–"


class _Column(NamedTuple):
    title: str
    sort_key: Callable[[ClassRow], Any]
    largest_first: bool


COLUMNS = {
    "name": _Column("Class", lambda row: row.name, False),
    "zero_shot": _Column("Zero-shot", lambda row: 2 if row.zero_shot is None else row.zero_shot, False),
    "probe": _Column("Probe", lambda row: 2 if row.probe is None else row.probe, False),
    "change": _Column("Change", lambda row: _change(row) or 0, False),
    "confused": _Column("Most confused with", lambda row: row.confused_with[0][1] if row.confused_with else 0, True),
}


def class_table(classes: Sequence[ClassRow], column: str, descending: bool, picked: int | None) -> str:
    """Return a row per class, sorted by one of `COLUMNS`; `picked` is the position of the class that was clicked."""
    heads = "".join(_column_head(key, column, descending) for key in COLUMNS)
    key = COLUMNS[column].sort_key
    ordered = sorted(enumerate(classes), key=lambda pair: key(pair[1]), reverse=descending)
    rows = "".join(_class_row(position, row, position == picked) for position, row in ordered)
    without = f" {_NOTHING}: no test image." if any(row.n == 0 for row in classes) else ""
    caption = (
        f"How many images of each class are predicted right.{without} Change: against the baseline, in percentage "
        "points. Click a heading to sort, or a class to see its images."
    )
    return _table("classes", caption, heads, rows)


def _table(kind: str, caption: str, heads: str, rows: str) -> str:
    # Not a <caption>: it would be as wide as the table, and cut off where a wide table scrolls.
    return (
        f'<p class="caption" id="lab-{kind}-caption">{caption}</p>'
        f'<div class="scroll"><table class="lab-table {kind}" aria-describedby="lab-{kind}-caption">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _heads(*names: str) -> str:
    return "".join(f'<th scope="col">{name}</th>' for name in names)


def _column_head(key: str, column: str, descending: bool) -> str:
    order = f' aria-sort="{"descending" if descending else "ascending"}"' if key == column else ""
    button = f'<button type="button" data-sort="{key}">{COLUMNS[key].title}</button>'
    return f'<th scope="col"{order}>{button}</th>'


def _change(row: ClassRow) -> float | None:
    return None if row.baseline is None else row.zero_shot - row.baseline


def _class_row(position: int, row: ClassRow, picked: bool) -> str:
    change = _change(row)
    kind = "" if not change else ' class="up"' if change > 0 else ' class="down"'
    confused = ", ".join(f"{bdi(name)}\N{NO-BREAK SPACE}{count:,}" for name, count in row.confused_with)
    return (
        f"<tr{' class=picked' if picked else ''}>"
        f'<th scope="row"><button type="button" data-pick="{position}" aria-pressed="{str(picked).lower()}">'
        f"{bdi(row.name)}</button></th>"
        f"{_accuracy(row.zero_shot, 'zero-shot')}{_accuracy(row.probe, 'probe')}"
        f"<td{kind}>{_NOTHING if change is None else points(change, 1)}</td>"
        f'<td class="confused">{confused or _NOTHING}</td></tr>'
    )


def _accuracy(value: float | None, kind: str) -> str:
    if value is None:
        return f"<td>{_NOTHING}</td>"
    return (
        f'<td class="{kind}"><span class="track" aria-hidden="true">'
        f'<span style="width:{100 * value:.1f}%"></span></span>{percent1(value)}</td>'
    )


def template_table(
    offered: Sequence[str], selected: Sequence[str], top1: Mapping[str, float], gain: Mapping[str, float]
) -> str:
    """Return a checkbox per template, with what was measured of it.

    Parameters
    ----------
    offered : sequence of str
        All templates of the table.
    selected : sequence of str
        The templates of the prompt set.
    top1, gain : mapping of str to float
        Accuracy of a template alone, and accuracy of the ensemble minus its accuracy without the template. Templates
        that were not measured are missing.
    """
    rows = "".join(
        f'<tr><th scope="row"><label><input type="checkbox" data-toggle="{escape(each)}"'
        f"{' checked' if each in selected else ''}> {escape(each)}</label></th>"
        f"<td>{percent(top1[each]) if each in top1 else _NOTHING}</td>"
        f"<td>{points(gain[each]) if each in gain else _NOTHING}</td></tr>"
        for each in offered
    )
    caption = (
        "The checked templates are your prompt; several are averaged to an ensemble. Alone: accuracy with this "
        "template only. Gain: what the ensemble would lose without it, in percentage points."
    )
    return _table("templates", caption, _heads("Template", "Alone", "Gain"), rows)


def names_table(current: ClassRow, top1: float, rows: Sequence[NameRow]) -> str:
    """Return a row per name of a class.

    Parameters
    ----------
    current : ClassRow
        The class with its current name.
    top1 : float
        Overall accuracy with the current name.
    rows : sequence of NameRow
        The other names.
    """

    def of_class(accuracy: float | None) -> str:
        return _NOTHING if accuracy is None else percent1(accuracy)

    body = _name_row(current.name, of_class(current.zero_shot), percent(top1), "current name", "")
    for row in rows:
        difference = row.difference
        kind = ("up" if difference.top1 > 0 else "down") if difference.significant else "same"
        change = (
            f'<span class="{kind}">{points(difference.top1)}</span> '
            f"({points(difference.low)} to {points(difference.high)})"
        )
        use = f'<button type="button" data-use="{escape(row.name)}">Use</button>'
        body += _name_row(row.name, of_class(row.accuracy), percent(row.top1), change, use)
    caption = (
        "A new name also changes predictions for other classes, so look at the overall change, in percentage points. "
        "In brackets: the range in which the true change lies with 95\N{NO-BREAK SPACE}% confidence."
    )
    return _table("names", caption, _heads("Name", "This class", "Overall", "Overall change", ""), body)


def _name_row(name: str, *cells: str) -> str:
    return f'<tr><th scope="row" class="plain">{bdi(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def detection_table(measured: HiddenClasses, dataset: str) -> str:
    """Return a row per score that tells images of hidden classes from the others.

    Parameters
    ----------
    measured : HiddenClasses
    dataset : str
        Title of the dataset.
    """
    rows = (
        ("What the grey bar leaves to the list (NegLabel)", measured.neglabel),
        ("Best match without other words (MCM)", measured.mcm),
        ("Largest zero-shot share", measured.msp),
        ("Largest share of the linear probe", measured.probe),
    )
    body = "".join(_detection_row(name, row) for name, row in rows if row is not None)
    n = len(measured.hidden)
    taken, whose = ("1 class is", "its") if n == 1 else (f"{n} classes are", "their")
    caption = (
        f"{taken} taken off the list. Can a score tell {whose} {measured.n_hidden:,} images "
        f"from the {measured.n_known:,} of the others? AUROC: of two such images, how often the one whose class is on "
        "the list has the higher score. 100\N{NO-BREAK SPACE}% is perfect, 50\N{NO-BREAK SPACE}% is chance. Let "
        "through: with a threshold that 95\N{NO-BREAK SPACE}% of the images of the list reach, how many images of "
        "hidden classes reach it, too (the false positive rate). Lower is better. In brackets: 95\N{NO-BREAK SPACE}% "
        "intervals for these hidden classes; other classes can give numbers outside."
    )
    probe = " The probe learned all classes; the weights of the hidden ones are left out." if measured.probe else ""
    details = (
        f"<p>Explore’s grey bar <b>“None of these”</b> would win for {percent1(measured.hidden_won)} of the images of "
        f"hidden classes, and wrongly for {percent1(measured.known_won)} of the others.</p>"
        f'<p class="caption">Hidden: {", ".join(map(bdi, measured.hidden))}. The {measured.nouns} other words name no '
        f"class of {escape(dataset)}, which would give the hidden ones away.{probe}</p>"
    )
    heads = _heads("Score", "AUROC", "", "Let through", "")
    return f'{_table("detection", caption, heads, body)}<div class="detection-details" role="status">{details}</div>'


def _detection_row(name: str, row: Detection) -> str:
    def interval(low: float, high: float) -> str:
        return f"({percent1(low)} to {percent1(high)})"

    auroc, fpr95 = interval(row.auroc_low, row.auroc_high), interval(row.fpr95_low, row.fpr95_high)
    return _name_row(name, percent1(row.auroc), auroc, percent1(row.fpr95), fpr95)
