"""A log that no visitor can fill: short lines, and so many in a time."""

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

MAX_CHARACTERS = 500  # of a line
MAX_LINES, LINES_PER_SECOND = 1_000, 0.5  # at once, and in the long run: at most 22 MB a day


class BoundedLog(io.TextIOBase):
    """A text file that cuts long lines, and leaves out lines where too many come.

    Gradio and uvicorn write a traceback for each call with wrong arguments, and Gradio repeats the arguments in it.

    Parameters
    ----------
    file : text file
        Receives what is kept.
    clock : callable, optional
        Returns seconds.
    """

    def __init__(self, file: TextIO, clock: Callable[[], float] = time.monotonic):
        self._file, self._clock = file, clock
        self._lock = threading.RLock()  # a signal's handler may write while its thread does
        self._allowed, self._since = float(MAX_LINES), clock()
        self._line_characters = self._left_out = 0

    @property
    def encoding(self) -> str:
        """The encoding of the file."""
        return self._file.encoding

    def fileno(self) -> int:
        """Return the file's descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def write(self, text: str) -> int:
        """Write what of a text is allowed, and return the length of the text."""
        with self._lock:
            *lines, last = text.split("\n", MAX_LINES)
            rest = last.count("\n")
            if rest:  # certainly left out: counted at once, because there may be a million
                last = last.rpartition("\n")[2]
            kept = "".join([self._kept(f"{line}\n") for line in lines])
            self._left_out += rest
            kept += self._kept(last) if last else ""
            if kept:
                self._file.write(kept)
                if kept.endswith("\n"):
                    self._file.flush()
        return len(text)

    def _kept(self, piece: str) -> str:
        """Return what is written for a piece of a line, which is its end if it ends with a line feed."""
        before, is_end = self._line_characters, piece.endswith("\n")
        note = ""
        if before == 0:
            note = self._begin()
        self._line_characters = 0 if is_end else before + len(piece)
        if self._left_out:
            return ""
        kept = piece.rstrip("\n")[: max(0, MAX_CHARACTERS - before)]
        cut = before <= MAX_CHARACTERS < before + len(piece.rstrip("\n"))
        return note + kept + (" …" if cut else "") + ("\n" if is_end else "")

    def _begin(self) -> str:
        """Count a new line, and return a line on those that were left out before, if it is the first after them."""
        now = self._clock()
        self._allowed = min(MAX_LINES, self._allowed + (now - self._since) * LINES_PER_SECOND)
        self._since = now
        # After a gap, a whole traceback is kept and not one line of it now and then.
        if self._allowed < (MAX_LINES / 10 if self._left_out else 1):
            self._left_out += 1
            return ""
        note = f"… {self._left_out:,} lines were left out: too many came.\n" if self._left_out else ""
        self._left_out = 0
        self._allowed -= 1
        return note


@contextlib.contextmanager
def bounded_log() -> Iterator[None]:
    """Bound what is written to stdout and stderr."""
    with contextlib.redirect_stdout(BoundedLog(sys.stdout)), contextlib.redirect_stderr(BoundedLog(sys.stderr)):
        yield
