"""The type of every progress callback."""

from collections.abc import Callable

# Called with the name of the current step, how much of it is done, and the total. Raise `Cancelled` to stop the work.
Progress = Callable[[str, int, int], None]


def together(*callbacks: Progress) -> Progress:
    """Return a callback that calls all of them in turn."""

    def progress(what: str, done: int, total: int) -> None:
        for callback in callbacks:
            callback(what, done, total)

    return progress
