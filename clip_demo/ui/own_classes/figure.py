"""The figure of the accuracies: over the number of photos of each class, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...own_classes.held_out import HeldOut, HeldOutAccuracy
from ..figure_style import INK, PROBE, QUIET, ZERO_SHOT, styled_figure
from .text import METHODS

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Told apart without colours by the markers and the dashes.
_STYLES = {
    "zero_shot": (ZERO_SHOT, "square", "solid"),
    "text_and_photos": (INK, "diamond", "solid"),
    "nearest_mean": (QUIET, "triangle-up", "dot"),
    "linear_probe": (PROBE, "circle", "dash"),
}


def accuracy_figure(result: HeldOut, most: int) -> go.Figure:
    """Return the figure; `most` is how many photos of a class were learned from at the last point."""
    ticks = [_shots(point, most) for point in result.curves["zero_shot"]]
    return styled_figure(
        [_trace(number, name, result.curves[name], most) for number, name in enumerate(METHODS)],
        "Photos of each class that were learned from",
        "Right, of the photos left out",
        xaxis={"type": "log", "tickangle": 0, "tickvals": ticks, "ticktext": [str(each) for each in ticks]},
        yaxis={"range": [-0.03, 1.05], "tickformat": ".0%"},
        height=360,
        showlegend=False,  # the table below has the markers
    )


def _shots(point: HeldOutAccuracy, most: int) -> int:
    return most if point.shots is None else point.shots


def _trace(number: int, name: str, points: tuple[HeldOutAccuracy, ...], most: int) -> dict[str, Any]:
    colour, symbol, dash = _STYLES[name]
    aside = 1.035 ** (number - 1.5)  # so that the intervals do not cover each other
    return {
        "x": [_shots(each, most) * aside for each in points],
        "y": [each.accuracy for each in points],
        "error_y": {
            "array": [each.high - each.accuracy for each in points],
            "arrayminus": [each.accuracy - each.low for each in points],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        "text": [f"{_shots(each, most)} photos of a class" for each in points],
        "name": METHODS[name].name,
        "mode": "lines+markers",
        "line": {"color": colour, "width": 3, "dash": dash},
        "marker": {"color": colour, "size": 11, "symbol": symbol},
        "hovertemplate": f"{METHODS[name].name}, %{{text}}: %{{y:.0%}}<extra></extra>",
    }
