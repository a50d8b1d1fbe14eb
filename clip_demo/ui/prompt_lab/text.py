"""Names and numbers as several sections of the Prompt Lab write them."""

from html import escape

# Keys as in `clip_demo.evaluation.report.PREDICTORS`.
PREDICTOR_NAMES = {"zero-shot": "Zero-shot", "probe": "Linear probe"}
_MINUS = "\N{MINUS SIGN}"


def bdi(name: str) -> str:
    """Return a class name as HTML. A name in Arabic or Hebrew then does not reorder the text around it."""
    return f"<bdi>{escape(name)}</bdi>"


def percent1(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def points(difference: float, digits: int = 2) -> str:
    """Return a difference of two shares in percentage points, with its sign.

    >>> points(0.0123)
    '+1.23'
    """
    rounded = round(100 * difference, digits)
    return f"{_MINUS if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):.{digits}f}"
