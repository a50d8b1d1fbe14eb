"""The big numbers: what the wording reaches on the whole test set, and whether that differs from the baseline."""

from __future__ import annotations

from ...evaluation.accuracy import Evaluation
from ..html import escape, percent

__all__ = ["big_numbers", "points", "verdict"]

_MINUS = "\N{MINUS SIGN}"


def big_numbers(evaluation: Evaluation, title: str, baseline: str, same: bool) -> str:
    """Return the accuracies, the probe's beside them, and the difference to the baseline in plain words.

    Parameters
    ----------
    evaluation : Evaluation
        With its difference to the baseline.
    title : str
        The dataset's title.
    baseline : str
        The baseline's wording in a few words.
    same : bool
        Whether the wording is the baseline itself.
    """
    probe = evaluation.probe_top1
    tiles = (
        _tile("zero-shot", "Top-1", percent(evaluation.top1)),
        _tile("zero-shot", "Top-5", percent(evaluation.top5)),
        _tile("probe", "Linear probe", "none fitted" if probe is None else percent(probe)),
    )
    kind, words = verdict(evaluation, same)
    return (
        f'<div class="lab-big" role="status"><div class="tiles">{"".join(tiles)}</div>'
        f"{_scale(evaluation)}"
        f'<p class="verdict {kind}">{words}</p>'
        f'<p class="caption">Share of the {evaluation.n:,} test images of {escape(title)} whose true class is first, '
        f"or among the first five. Baseline: {escape(baseline)}.</p></div>"
    )


def _tile(kind: str, name: str, value: str) -> str:
    return f'<div class="tile {kind}"><span class="name">{name}</span><strong>{value}</strong></div>'


def _scale(evaluation: Evaluation) -> str:
    """Return a bar of top-1 with a line where the probe stands and one where the baseline does."""
    lines = ""
    if evaluation.probe_top1 is not None:
        lines += f'<i class="at probe" style="left:{100 * evaluation.probe_top1:.2f}%"></i>'
    if evaluation.difference is not None:
        lines += f'<i class="at" style="left:{100 * (evaluation.top1 - evaluation.difference.top1):.2f}%"></i>'
    return (
        '<div class="scale zero-shot" aria-hidden="true"><span class="track">'
        f'<span style="width:{100 * evaluation.top1:.2f}%"></span></span>{lines}</div>'
    )


def verdict(evaluation: Evaluation, same: bool) -> tuple[str, str]:
    """Return a class for the style sheet, and the difference to the baseline in words."""
    difference = evaluation.difference
    if same or difference is None:
        return "equal", "This is the baseline. Change a word and see."
    interval = f"{points(difference.low)} to {points(difference.high)}"
    flips = (
        f'<span class="flips">{difference.gained:,} images became right, {difference.lost:,} became wrong '
        f"(95 % interval, paired; McNemar’s exact p {_p(difference.p_value)})</span>"
    )
    change = f'<b>{points(difference.top1)} points</b> <span class="interval">({interval})</span>'
    if difference.low > 0:
        return "better", f"Better: {change} {flips}"
    if difference.high < 0:
        return "worse", f"Worse: {change} {flips}"
    return "equal", f"No difference that {evaluation.n:,} images can show: {change} {flips}"


def points(share: float, digits: int = 2) -> str:
    """Return a difference of shares in percentage points, with its sign.

    >>> points(0.0123)
    '+1.23'
    """
    rounded = round(100 * share, digits)
    return f"{_MINUS if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):.{digits}f}"


def _p(value: float) -> str:
    return "&lt; 0.001" if value < 0.001 else f"= {value:.3f}"
