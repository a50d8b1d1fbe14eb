"""The figures. Their ink comes from `plots.css`, so that they can be read in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["probe_against_zero_shot", "reliability"]

# In between the page's light and dark hues: a figure's marks cannot follow the page's colours.
INDIGO, AMBER, GREY = "#6366f1", "#d97706", "#94a3b8"
FEWEST = 10  # a share of fewer images is noise, and is not drawn
_NAMES = {"zero-shot": ("Zero-shot", INDIGO), "probe": ("Linear probe", AMBER)}


def probe_against_zero_shot(classes: Sequence[Any]) -> Any:
    """Return a point a class: its accuracy by zero-shot to the right, by the probe upwards.

    Parameters
    ----------
    classes : sequence of ClassRow
        With the probe's accuracy.
    """
    traces = [_diagonal("as good")]
    for name, colour, rows in (
        ("probe better", AMBER, [row for row in classes if row.probe > row.zero_shot]),
        ("zero-shot better, or as good", INDIGO, [row for row in classes if row.probe <= row.zero_shot]),
    ):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [100 * row.zero_shot for row in rows],
                "y": [100 * row.probe for row in rows],
                "text": [row.name for row in rows],
                "hovertemplate": "%{text}<br>zero-shot %{x:.1f} %<br>probe %{y:.1f} %<extra></extra>",
                "marker": {"color": colour, "size": 9, "opacity": 0.85},
            }
        )
    return _figure(traces, "zero-shot, % right", "linear probe, % right")


def reliability(curves: dict[str, Any]) -> Any:
    """Return the reliability diagram: how often an answer is right against how sure it looks.

    Parameters
    ----------
    curves : dict of str to Reliability or None
        By the predictor's name.
    """
    traces = [_diagonal("as right as sure")]
    for key, (name, colour) in _NAMES.items():
        bins = [each for each in curves[key].bins if each.n >= FEWEST] if curves[key] else []
        if not bins:
            continue
        most = max(each.n for each in bins)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": [100 * each.confidence for each in bins],
                "y": [100 * each.accuracy for each in bins],
                "text": [f"{each.n:,} images" for each in bins],
                "hovertemplate": "%{text}<br>mean confidence %{x:.1f} %<br>right %{y:.1f} %<extra>" + name + "</extra>",
                "line": {"color": colour, "width": 3},
                "marker": {"color": colour, "size": [7 + 13 * (each.n / most) ** 0.5 for each in bins]},
            }
        )
    return _figure(traces, "confidence, %", "right, %")


def _diagonal(name: str) -> dict[str, Any]:
    line = {"color": GREY, "width": 2, "dash": "dash"}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [0, 100],
        "y": [0, 100],
        "line": line,
        "hoverinfo": "skip",
    }


def _figure(traces: list[dict[str, Any]], x: str, y: str) -> Any:
    # Imported when the first figure is made: most visits need none.
    from plotly.graph_objects import Figure

    def axis(title: str) -> dict[str, Any]:
        return {"title": {"text": title}, "range": [-3, 103], "zeroline": False, "fixedrange": True}

    layout = {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "height": 420,
        "margin": {"l": 60, "r": 16, "t": 44, "b": 56},
        "font": {"size": 15},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": axis(x),
        "yaxis": axis(y),
        "hovermode": "closest",
        "dragmode": False,
    }
    return Figure({"data": traces, "layout": layout})
