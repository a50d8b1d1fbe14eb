"""The colours and the layout of all figures.

Figures are drawn in the colours of the light theme, which a saved image keeps. On the page, plots.css replaces these
colours with those of the current theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

ZERO_SHOT, PROBE, INK, QUIET, GRID = "rgb(67,56,202)", "rgb(180,83,9)", "rgb(15,23,42)", "rgb(71,85,105)", "#e2e8f0"
_TEXT = {"color": INK, "size": 16}


def styled_figure(
    traces: Sequence[Mapping[str, Any]],
    x_title: str,
    y_title: str,
    *,
    xaxis: Mapping[str, Any],
    yaxis: Mapping[str, Any],
    **layout: Any,
) -> go.Figure:
    """Return a figure in the common style.

    Parameters
    ----------
    traces : sequence of mapping
        Scatter traces. Their data are lists: plotly encodes arrays in a form that older versions of its JavaScript
        cannot read.
    x_title, y_title : str
    xaxis, yaxis : mapping
        What the axes have in addition to the common style.
    **layout
        Further entries of the layout, which take precedence over the common ones.
    """
    # Imported here, because most visitors never open a figure.
    import plotly.graph_objects as go

    axis = {"gridcolor": GRID, "linecolor": QUIET, "zeroline": False, "tickfont": _TEXT, "fixedrange": True}
    # Above the axis instead of beside it: a rotated title takes too much of a phone's width.
    y_label = {"text": y_title, "font": _TEXT, "showarrow": False, "xref": "paper", "yref": "paper"}
    y_label |= {"x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "yshift": 10}
    common = {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "dragmode": False,
        "height": 460,
        "margin": {"l": 62, "r": 16, "t": 48, "b": 78},
        "annotations": [y_label],
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": INK, "bordercolor": QUIET, "font": {"color": "white", "size": 16}},
        "xaxis": {**axis, "title": {"text": x_title, "font": _TEXT}, **xaxis},
        "yaxis": {**axis, **yaxis},
    }
    return go.Figure({"data": [{"type": "scatter", **trace} for trace in traces], "layout": {**common, **layout}})
