"""Numbers as the figures write them."""

_MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 2) -> str:
    """Return a number with its sign as typography has it, and no negative zero.

    >>> number(-0.004), number(-1.5)
    ('0.00', '−1.50')
    """
    text = f"{abs(value):,.{digits}f}"
    return f"{_MINUS}{text}" if value < 0 and float(text.replace(",", "")) else text


def percent1(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
