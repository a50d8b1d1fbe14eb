"""Background tasks: a call in a thread of its own, with progress and cancellation."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from ..errors import Cancelled, ClipDemoError
from ..progress import Progress

logger = logging.getLogger(__name__)
T = TypeVar("T")


def log_failure(what: str, error: BaseException) -> None:
    """Log the details of a failure of which the page shows only a plain sentence."""
    logger.error("%s failed: %s", what, error, exc_info=None if isinstance(error, ClipDemoError) else error)


class BackgroundTask(Generic[T]):
    """A call that starts at once in a daemon thread, so that it never keeps the program from ending.

    Parameters
    ----------
    work : callable
        Called with a progress callback. The callback raises `Cancelled` after `cancel`.
    name : str
        Name of the thread.

    Attributes
    ----------
    progress : tuple of (str, int, int) or None
        The arguments of the latest progress call.
    """

    def __init__(self, work: Callable[[Progress], T], name: str):
        self.progress: tuple[str, int, int] | None = None
        self._future: Future[T] = Future()
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, args=(work,), name=name, daemon=True).start()

    def _run(self, work: Callable[[Progress], T]) -> None:
        try:
            self._future.set_result(work(self._report))
        except ClipDemoError as error:  # without its traceback, which would keep all that the work had
            self._future.set_exception(error.with_traceback(None))
        except BaseException as error:  # raised again by `result`
            self._future.set_exception(error)

    def _report(self, what: str, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise Cancelled("Stopped.")
        self.progress = (what, done, total)

    def cancel(self) -> None:
        """Stop the work at its next progress call."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called; the work may not have noticed yet."""
        return self._cancelled.is_set()

    def done(self) -> bool:
        """Whether the work has ended, in one way or another."""
        return self._future.done()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds, and return whether the work has ended."""
        return not wait([self._future], timeout).not_done

    def result(self) -> T:
        """Wait for the work, and return what it returned or raise what it raised."""
        return self._future.result()

    @property
    def error(self) -> BaseException | None:
        """What the work raised; None while it runs and where it succeeded."""
        return self._future.exception() if self.done() else None
