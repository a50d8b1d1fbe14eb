"""The few-shot curve as a figure: accuracy over labelled images of each class, zero-shot as a line across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...linear_probe.few_shot_curve import FewShotCurve
from .text import crosses

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["curve_figure"]

# The light theme's colours; plots.css turns each into the dark theme's own.
ZERO_SHOT, PROBE, INK, QUIET, GRID = "rgb(67,56,202)", "rgb(180,83,9)", "rgb(15,23,42)", "rgb(71,85,105)", "#e2e8f0"


def curve_figure(curve: FewShotCurve, title: str) -> go.Figure:
    """Return the figure of a curve; plain lists only, which every version of plotly's JavaScript reads.

    Parameters
    ----------
    curve : FewShotCurve
    title : str
        The dataset's title.
    """
    # Imported late: nothing of it is needed before somebody looks at the tab.
    import plotly.graph_objects as go

    figure = go.Figure(layout=_layout(curve, title))
    if curve.points:
        low, high = _span(curve)
        figure.add_scatter(
            x=[low, high],
            y=[curve.zero_shot] * 2,
            name="Zero-shot CLIP, no labelled image",
            mode="lines",
            line={"color": ZERO_SHOT, "width": 4},
            hovertemplate="Zero-shot: %{y:.2%}<extra></extra>",
        )
        figure.add_scatter(**_probe(curve))
    if crosses(curve):
        figure.add_scatter(
            x=[curve.crossing],
            y=[curve.zero_shot],
            name="As good as zero-shot",
            mode="markers",
            marker={"color": INK, "size": 17, "symbol": "diamond-open", "line": {"width": 4, "color": INK}},
            hovertemplate="As good as zero-shot at %{x:.1f} images of each class<extra></extra>",
        )
    return figure


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
        "hovertemplate": "%{x} of each class, %{customdata[0]:,} images<br>Probe: %{y:.2%}, draws: %{customdata[1]}"
        "<extra></extra>",
    }


def _span(curve: FewShotCurve) -> tuple[float, float]:
    """Return where the axis begins and ends, a little beyond the points."""
    each = [point.per_class for point in curve.points]
    return min(each) / 1.25, max(*each, 4) * 1.25


def _layout(curve: FewShotCurve, title: str) -> dict[str, Any]:
    text = {"color": INK, "size": 16}
    axis = {"gridcolor": GRID, "linecolor": QUIET, "zeroline": False, "tickfont": text, "fixedrange": True}
    best = max([curve.zero_shot, *(each.mean + each.std for each in curve.points)])
    ticks = [each.per_class for each in curve.points]
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        # The legend stands above as text, where it wraps on a phone; the saved image has one of its own.
        "showlegend": False,
        "meta": f"{curve.model} on {title}",
        "dragmode": False,
        "height": 460,
        "margin": {"l": 62, "r": 16, "t": 48, "b": 78},
        # Not a title on its side: it would take a phone's width, and lie on the numbers where they grow.
        "annotations": [
            {
                **{"text": "Test accuracy", "font": text, "showarrow": False, "xref": "paper", "yref": "paper"},
                **{"x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "yshift": 10},
            }
        ],
        "hoverlabel": {"font": {"size": 16}},
        "xaxis": {
            **axis,
            "type": "log",
            "tickangle": 0,
            "tickvals": ticks,
            "ticktext": [str(each) for each in ticks],
            "title": {"text": "Labelled images of each class", "font": text},
        },
        "yaxis": {
            **axis,
            "range": [0, min(1.05, best * 1.12)],  # marks at 100 % are whole
            "tickformat": ".0%",
        },
    }
