"""The type of every progress callback, and how long the rest takes in words."""

from collections.abc import Callable

# Called with the name of the current step, how much of it is done, and the total. Raise `Cancelled` to stop the work.
Progress = Callable[[str, int, int], None]


def duration(seconds: float) -> str:
    """Return a rounded duration.

    >>> duration(40), duration(700), duration(9000)
    ('less than a minute', 'about 12 min', 'about 2.5 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
