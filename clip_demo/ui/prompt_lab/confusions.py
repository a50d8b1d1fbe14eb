"""The confusion matrix that is shown, and the images behind one of its cells."""

from ...datasets.base import Dataset
from ...evaluation.confusion import Confusion
from ...evaluation.report import EvaluationReport
from ...serving.thumbnails import Thumbnails
from .gallery import gallery_of
from .heatmap import heatmap
from .text import PREDICTOR_NAMES, bdi

# Two of the views; the others are the names of the coarse classes.
COARSE, ALL = "Groups of classes", "All classes"
MAX_SHOWN = 150  # classes; a table of more cells than the square of it makes a browser slow


def views(report: EvaluationReport) -> list[str]:
    """Return the views of the matrix: of the coarse classes, of the classes of each, and of all classes.

    Only the last one where the classes have no groups.
    """
    groups = dict.fromkeys(row.coarse for row in report.classes if row.coarse is not None)
    return [COARSE, *groups, ALL] if groups else [ALL]


def _matrix(report: EvaluationReport, by: str, view: str) -> Confusion:
    return report.confusion(by=by, coarse=view == COARSE)


def confusion_table(report: EvaluationReport, by: str, view: str, picked: tuple[int, int] | None) -> str:
    """Return one view of a predictor's confusion matrix."""
    if by == "probe" and report.accuracy.probe_top1 is None:
        return '<p class="caption">No linear probe is fitted for this model and dataset yet: see the Few-shot tab.</p>'
    matrix = _matrix(report, by, view)
    hint = "Each row is a true class, each column a predicted one; right predictions are green. "
    hint += "Click a number to see its images"
    hint += ", or a group to see its classes." if view == COARSE else "; the arrow keys move between the cells."
    shown = [i for i in range(len(matrix.names)) if view in (COARSE, ALL) or matrix.groups[i] == view]
    if len(shown) > MAX_SHOWN:
        hint += f" Only the {MAX_SHOWN} of {len(shown):,} classes with the most errors are shown."
        shown = sorted(sorted(shown, key=lambda i: matrix.counts[i][i] - sum(matrix.counts[i]))[:MAX_SHOWN])
    groups = None if view == COARSE else matrix.groups
    table = heatmap(matrix.names, matrix.counts, kind=by, groups=groups, shown=shown, picked=picked)
    return f'<p class="caption">{hint}</p>{table}'


def cell_gallery(
    thumbnails: Thumbnails,
    report: EvaluationReport,
    dataset: Dataset,
    by: str,
    view: str,
    cell: tuple[int, int] | None,
    pages: int,
) -> str:
    """Return the images behind a cell; nothing for a cell that the matrix does not have."""
    if cell is None or (by == "probe" and report.accuracy.probe_top1 is None):
        return ""
    matrix = _matrix(report, by, view)
    if max(cell) >= len(matrix.names):
        return ""
    true, predicted = cell
    indices = report.images(
        "all", true=matrix.classes[true], predicted=matrix.classes[predicted], by=by, coarse=view == COARSE
    )
    title = f"True {bdi(matrix.names[true])}, {PREDICTOR_NAMES[by].lower()} predicted {bdi(matrix.names[predicted])}"
    return gallery_of(thumbnails, report, dataset, title, indices, pages)
