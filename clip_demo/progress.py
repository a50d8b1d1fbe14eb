"""The type of every progress callback."""

from collections.abc import Callable

# Called with the name of the current step, how much of it is done, and the total. Raise `Cancelled` to stop the work.
Progress = Callable[[str, int, int], None]
