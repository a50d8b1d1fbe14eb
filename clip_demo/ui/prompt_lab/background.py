"""Work that may take long: it runs beside the handler, which tells how far it is and can stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import Cancelled
from ..html import escape

__all__ = ["Work", "progress_bar"]


class Work:
    """One call in a thread of its own.

    Parameters
    ----------
    call : callable
        Takes a progress callback ``(what, done, total)``, and returns what `result` hands on.
    patience : float
        Seconds between two notes; what is done earlier makes none.
    """

    def __init__(self, call: Callable[[Callable[[str, int, int], None]], Any], patience: float = 0.7):
        self._call = call
        self._patience = patience
        self._note = ("", 0, 0)
        self._stopped, self._done = threading.Event(), threading.Event()
        self._result, self._error = None, None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._call(self._progress)
        except Exception as error:  # handed on to whoever asks for the result
            self._error = error
        finally:
            self._done.set()

    def _progress(self, what: str, done: int, total: int) -> None:
        if self._stopped.is_set():
            raise Cancelled("Stopped.")
        self._note = (what, done, total)

    def notes(self) -> Iterator[tuple[str, int, int]]:
        """Yield how far it is until it is done; the work stops where nobody listens any more."""
        try:
            while not self._done.wait(self._patience):
                yield self._note
        finally:
            self._stopped.set()

    def result(self) -> Any:
        """Wait, and return what the call returned or raise what it raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result


def progress_bar(what: str, done: int, total: int) -> str:
    """Return how far long work is."""
    if not total:
        return '<div class="notice" role="status">Working …</div>'
    return (
        f'<div class="notice" role="status"><label>{done:,} of {total:,} {escape(what)}'
        f'<progress max="{total}" value="{done}"></progress></label></div>'
    )
