"""The confusion matrix as a table of buttons, which a keyboard and a screen reader can use."""

from __future__ import annotations

from collections.abc import Sequence

from ..html import escape

__all__ = ["heatmap"]

ELSEWHERE = "elsewhere"


def heatmap(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    kind: str,
    groups: Sequence[str] | None = None,
    only: str | None = None,
    picked: tuple[int, int] | None = None,
) -> str:
    """Return a row a true class and a column a predicted one; a deeper colour is a larger share of the row.

    Parameters
    ----------
    names : sequence of str
        Of the rows and the columns.
    counts : sequence of sequence of int
        Images, by true and by predicted class.
    kind : {"zero-shot", "probe"}
        Whose answers they are, which gives the colour.
    groups : sequence of str, optional
        The coarse class of each name; a line is drawn between two of them.
    only : str, optional
        Show the rows and columns of this coarse class alone, and one more column for all others.
    picked : tuple of int, optional
        The cell whose images are shown.
    """
    shown = [i for i in range(len(names)) if only is None or groups[i] == only]
    edge = {i for i in shown[1:] if groups and groups[i] != groups[i - 1]}
    heads = "".join(f'<th scope="col"{_edge(i, edge)}><span>{_shown(names[i], groups)}</span></th>' for i in shown)
    if only is not None:
        heads += f'<th scope="col" class="edge"><span>{ELSEWHERE}</span></th>'
    rows = []
    for i in shown:
        cells = "".join(_cell(names, counts, i, j, j in edge, picked) for j in shown)
        if only is not None:
            away = sum(counts[i]) - sum(counts[i][j] for j in shown)
            cells += f'<td class="edge">{away or ""}</td>'
        name = escape(names[i])
        if groups is None:
            name = (
                f'<button type="button" data-only="{name}" title="Show its classes">{_shown(names[i], groups)}</button>'
            )
        rows.append(f'<tr{" class=edge" if i in edge else ""}><th scope="row">{name}</th>{cells}</tr>')
    size = "small" if len(shown) <= 8 else "medium" if len(shown) <= 24 else "large"
    return (
        '<div class="scroll heat-scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        f'<table class="heat {kind} {size}">'
        '<thead><tr><td class="corner"><span>true ↓ · said →</span></td>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _shown(name: str, groups: Sequence[str] | None) -> str:
    """Return a name as it is read: a group's is in no prompt, so that its underscores say nothing."""
    return escape(name if groups else name.replace("_", " "))


def _edge(i: int, edge: set[int]) -> str:
    return ' class="edge"' if i in edge else ""


def _cell(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    i: int,
    j: int,
    edge: bool,
    picked: tuple[int, int] | None,
) -> str:
    count = counts[i][j]
    kinds = [kind for kind, on in (("edge", edge), ("right", i == j)) if on]
    opening = f'<td class="{" ".join(kinds)}"' if kinds else "<td"
    if not count:
        return f"{opening}></td>"
    # The root: a confusion of one in ten is to be seen beside a diagonal of nine in ten.
    share = 100 * (count / sum(counts[i])) ** 0.5
    label = f"true {names[i]}, said {names[j]}: {count}"
    # One stop of the Tab key for the whole table: arrow keys go on from there, see lab.js.
    stop = picked == (i, j) if picked else i == j
    return (
        f'{opening} style="--share:{share:.0f}"><button type="button" data-cell="{i},{j}" '
        f'tabindex="{0 if stop else -1}" aria-pressed="{str(picked == (i, j)).lower()}" '
        f'aria-label="{escape(label)}" title="{escape(label)}">{count}'
        "</button></td>"
    )
