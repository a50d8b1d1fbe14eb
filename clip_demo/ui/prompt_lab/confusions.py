"""The confusion matrix that is looked at, and the images behind one of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...datasets.base import Dataset
from ..html import escape
from .gallery import gallery_of
from .heatmap import heatmap

__all__ = ["ALL", "COARSE", "confusion_table", "images_behind", "shown_choices"]

# Two of the choices; the others are the names of the coarse classes.
COARSE, ALL = "Groups of classes", "All classes"
_NAMES = {"zero-shot": "zero-shot", "probe": "the probe"}


def shown_choices(found: Any) -> list[str]:
    """Return what one may choose to see of a matrix."""
    return [COARSE, *dict.fromkeys(row.coarse for row in found.classes), ALL]


def _matrix(found: Any, by: str, shown: str) -> Any:
    return found.confusion(by=by, coarse=shown == COARSE)


def confusion_table(found: Any, by: str, shown: str, picked: tuple[int, int] | None) -> str:
    """Return the matrix of the groups, of one group's classes, or of all classes."""
    if by == "probe" and found.classes[0].probe is None:
        return '<p class="caption">No linear probe was fitted for this model and dataset yet.</p>'
    matrix = _matrix(found, by, shown)
    hint = "Rows: the true class; columns: what was said. Click a number for its images"
    hint += ", a group for its classes." if shown == COARSE else "; arrow keys go from cell to cell."
    table = heatmap(
        matrix.names,
        matrix.counts,
        kind=by,
        groups=None if shown == COARSE else matrix.groups,
        only=None if shown in (COARSE, ALL) else shown,
        picked=picked,
    )
    return f'<p class="caption">{escape(hint)}</p>{table}'


def images_behind(found: Any, dataset: Dataset, by: str, shown: str, chosen: Mapping[str, Any]) -> str:
    """Return the images of the cell that was clicked."""
    matrix, cell = _matrix(found, by, shown), chosen["cell"]
    if cell is None or max(cell) >= len(matrix.names):
        return ""
    true, said = cell
    indices = found.images(
        "all", true=matrix.classes[true], predicted=matrix.classes[said], by=by, coarse=shown == COARSE
    )
    title = f"True {matrix.names[true]}, {_NAMES[by]} said {matrix.names[said]}"
    return gallery_of(found, dataset, title, indices, chosen["pages"])
