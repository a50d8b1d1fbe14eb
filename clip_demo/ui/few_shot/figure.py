"""The figure of a few-shot curve: accuracy over the number of labelled images of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...linear_probe.few_shot_curve import FewShotCurve
from ..figure_style import INK, PROBE, ZERO_SHOT, styled_figure
from .text import crosses

if TYPE_CHECKING:
    import plotly.graph_objects as go


def curve_figure(curve: FewShotCurve, title: str) -> go.Figure:
    """Return the figure of a curve; `title` is the dataset's title."""
    ticks = [point.per_class for point in curve.points]
    best = max([curve.zero_shot, *(point.mean + point.std for point in curve.points)])
    return styled_figure(
        _traces(curve),
        "Labelled images of each class" + ("" if curve.balanced else ", at most"),
        "Test accuracy",
        xaxis={"type": "log", "tickangle": 0, "tickvals": ticks, "ticktext": [f"{each:,}" for each in ticks]},
        # Beyond 100 %, so that markers there are not cut off.
        yaxis={"range": [0, min(1.05, best * 1.12)], "tickformat": ".0%"},
        # The legend above is HTML, which wraps on a phone; saveImage in few_shot.js shows this one.
        showlegend=False,
        # The title of a saved image.
        meta=f"{curve.model} on {title}",
    )


def _traces(curve: FewShotCurve) -> list[dict[str, Any]]:
    if not curve.points:
        return []
    traces = [_zero_shot(curve), _probe(curve)]
    if crosses(curve):
        traces.append(_crossing(curve))
    return traces


def _zero_shot(curve: FewShotCurve) -> dict[str, Any]:
    """Return a horizontal line that extends a little beyond the points."""
    first, last = curve.points[0].per_class, curve.points[-1].per_class
    return {
        "x": [first / 1.25, max(last, 4) * 1.25],
        "y": [curve.zero_shot] * 2,
        "name": "Zero-shot CLIP, no labelled images",
        "mode": "lines",
        "line": {"color": ZERO_SHOT, "width": 4},
        "hovertemplate": "Zero-shot: %{y:.2%}<extra></extra>",
    }


def _probe(curve: FewShotCurve) -> dict[str, Any]:
    points = curve.points
    return {
        "x": [each.per_class for each in points],
        "y": [each.mean for each in points],
        "error_y": {"array": [each.std for each in points], "color": PROBE, "thickness": 3, "width": 8},
        "customdata": [[each.n_train, len(each.draws)] for each in points],
        "name": "Linear probe",
        "mode": "lines+markers",
        "line": {"color": PROBE, "width": 3},
        "marker": {"color": PROBE, "size": 12},
        "hovertemplate": "%{x:,} of each class, %{customdata[0]:,} images in all<br>Probe: %{y:.2%}, "
        "draws: %{customdata[1]}<extra></extra>",
    }


def _crossing(curve: FewShotCurve) -> dict[str, Any]:
    return {
        "x": [curve.crossing],
        "y": [curve.zero_shot],
        "name": "Equal to zero-shot",
        "mode": "markers",
        "marker": {"color": INK, "size": 17, "symbol": "diamond-open", "line": {"width": 4, "color": INK}},
        "hovertemplate": "Equal to zero-shot at %{x:.1f} images of each class<extra></extra>",
    }
