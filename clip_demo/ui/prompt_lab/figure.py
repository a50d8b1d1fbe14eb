"""The figures: zero-shot against the probe for every class, and the reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...evaluation.calibration import Reliability
from ...evaluation.report import ClassRow
from ..figure_style import PROBE, QUIET, ZERO_SHOT, styled_figure
from .text import PREDICTOR_NAMES

if TYPE_CHECKING:
    import plotly.graph_objects as go

MIN_BIN_SIZE = 10  # images; the accuracy of a smaller bin is mostly noise
_COLOURS = {"zero-shot": ZERO_SHOT, "probe": PROBE}


def class_figure(classes: Sequence[ClassRow]) -> go.Figure:
    """Return a marker per class: its zero-shot accuracy on the x axis, the probe's on the y axis.

    Parameters
    ----------
    classes : sequence of ClassRow
        With the probe's accuracy.
    """
    traces, classes = [_diagonal("equally good")], [row for row in classes if row.n]
    for name, colour, rows in (
        ("probe better", PROBE, [row for row in classes if row.probe > row.zero_shot]),
        ("zero-shot at least as good", ZERO_SHOT, [row for row in classes if row.probe <= row.zero_shot]),
    ):
        traces.append(
            {
                "mode": "markers",
                "name": name,
                "x": [row.zero_shot for row in rows],
                "y": [row.probe for row in rows],
                "text": [row.name for row in rows],
                "hovertemplate": "%{text}<br>Zero-shot: %{x:.1%}<br>Probe: %{y:.1%}<extra></extra>",
                "marker": {"color": colour, "size": 10, "opacity": 0.8},
            }
        )
    return _square_figure(traces, "Zero-shot accuracy", "Accuracy of the linear probe")


def reliability_figure(curves: Mapping[str, Reliability | None]) -> go.Figure:
    """Return the reliability diagram: accuracy over confidence, a marker per bin.

    Parameters
    ----------
    curves : mapping of str to Reliability or None
        By predictor; None where there is no probe.
    """
    traces = [_diagonal("perfectly calibrated")]
    for predictor, curve in curves.items():
        bins = [each for each in curve.bins if each.n >= MIN_BIN_SIZE] if curve else []
        if not bins:
            continue
        largest = max(each.n for each in bins)
        traces.append(
            {
                "mode": "lines+markers",
                "name": PREDICTOR_NAMES[predictor],
                "x": [each.confidence for each in bins],
                "y": [each.accuracy for each in bins],
                "text": [f"{each.n:,} images" for each in bins],
                "hovertemplate": "%{text}<br>Mean confidence: %{x:.1%}<br>Accuracy: %{y:.1%}<extra></extra>",
                "line": {"color": _COLOURS[predictor], "width": 3},
                # Nearly in proportion to the number of images, but never too small to see.
                "marker": {"color": _COLOURS[predictor], "size": [7 + 13 * (each.n / largest) ** 0.5 for each in bins]},
            }
        )
    return _square_figure(traces, "How sure it is (confidence)", "How often it is right (accuracy)")


def _diagonal(name: str) -> dict[str, Any]:
    line = {"color": QUIET, "width": 2, "dash": "dash"}
    return {"mode": "lines", "name": name, "x": [0, 1], "y": [0, 1], "line": line, "hoverinfo": "skip"}


def _square_figure(traces: list[dict[str, Any]], x_title: str, y_title: str) -> go.Figure:
    axis = {"range": [-0.03, 1.03], "tickformat": ".0%"}
    legend = {"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom", "font": {"size": 15}}
    margin = {"l": 62, "r": 16, "t": 90, "b": 60}
    return styled_figure(traces, x_title, y_title, xaxis=axis, yaxis=axis, legend=legend, margin=margin)
