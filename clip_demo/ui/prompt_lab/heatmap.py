"""The confusion matrix as a table of buttons, which works with a keyboard and a screen reader."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from .text import bdi


def heatmap(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    kind: str,
    groups: Sequence[str] | None = None,
    shown: Sequence[int] | None = None,
    picked: tuple[int, int] | None = None,
) -> str:
    """Return a row per true class and a column per predicted class; a deeper colour is a larger share of the row.

    Parameters
    ----------
    names : sequence of str
        Of the rows and the columns.
    counts : sequence of sequence of int
        Number of images, by true and by predicted class.
    kind : {"zero-shot", "probe"}
        The predictor, which determines the colour.
    groups : sequence of str, optional
        The coarse class of each name; a line separates different ones. Empty where the classes have none. Without it,
        the names are coarse classes, and each is a button.
    shown : sequence of int, optional
        Positions of the rows and columns to show; one more column adds up all others. Default: all.
    picked : tuple of int, optional
        The cell whose images are shown.
    """
    shown = range(len(names)) if shown is None else shown
    # Without a picked cell in view, the Tab key stops on the diagonal.
    picked = picked if picked and set(picked) <= set(shown) else None
    edges = {after for before, after in pairwise(shown) if groups and groups[before] != groups[after]}
    heads = "".join(f'<th scope="col"{_edge(i, edges)}><span>{_label(names[i], groups)}</span></th>' for i in shown)
    partial = len(shown) < len(names)
    if partial:
        heads += '<th scope="col" class="edge"><span>other classes</span></th>'
    rows = []
    for i in shown:
        cells = "".join(_cell(names, counts, i, j, j in edges, picked) for j in shown)
        if partial:
            others = sum(counts[i]) - sum(counts[i][j] for j in shown)
            cells += f'<td class="edge">{f"{others:,}" if others else ""}</td>'
        name = _label(names[i], groups)
        if groups is None:
            name = f'<button type="button" data-group="{escape(names[i])}" title="Show its classes">{name}</button>'
        rows.append(f'<tr{_edge(i, edges)}><th scope="row">{name}</th>{cells}</tr>')
    size = "small" if len(shown) <= 8 else "medium" if len(shown) <= 24 else "large"
    return (
        '<div class="scroll heat-scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        f'<table class="heat {kind} {size}">'
        '<thead><tr><td class="corner"><span>true ↓ · predicted →</span></td>'
        f"{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _label(name: str, groups: Sequence[str] | None) -> str:
    """Return a name as HTML; those of coarse classes are in no prompt, so their underscores do not matter."""
    return bdi(name.replace("_", " ") if groups is None else name)


def _edge(i: int, edges: set[int]) -> str:
    return ' class="edge"' if i in edges else ""


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
    # The square root keeps small confusions visible beside a large diagonal.
    share = 100 * (count / sum(counts[i])) ** 0.5
    label = f"true {names[i]}, predicted {names[j]}: {count:,}"
    # The Tab key does not stop at every cell; the arrow keys move between them, see prompt_lab.js.
    stop = picked == (i, j) if picked else i == j
    return (
        f'{opening} style="--share:{share:.0f}"><button type="button" data-cell="{i},{j}" '
        f'tabindex="{0 if stop else -1}" aria-pressed="{str(picked == (i, j)).lower()}" '
        f'aria-label="{escape(label)}" title="{escape(label)}">{count:,}'
        "</button></td>"
    )
