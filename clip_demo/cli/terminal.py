"""What a program owes to the terminal or the pipe that it writes to."""

import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Callable
from typing import Any

_MAX_BYTES = 100_000_000  # of a pipe, which may have no end
EXIT_USER_ERROR, EXIT_BROKEN_PIPE = 2, 141  # 128 + SIGPIPE, as a shell reports other programs


def run(main: Callable[[], int], name: str) -> int:
    """Run a program whose output may be in any encoding, and may have lost its reader; return its exit status.

    Parameters
    ----------
    main : callable
        Returns an exit status, or raises SystemExit.
    name : str
        Begins an error message.
    """
    for name_of_stream in ("stdout", "stderr"):
        stream = getattr(sys, name_of_stream)
        if stream is None:  # it is closed, which not every package expects
            setattr(sys, name_of_stream, open(os.devnull, "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()  # here, and not when Python ends and can only print a traceback
    except BrokenPipeError:  # such as ``| head -1``
        _close()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        with contextlib.suppress(OSError):
            print(f"{name}: {_reason(error)}", file=sys.stderr)
        _close()
        return EXIT_USER_ERROR


def _reason(error: OSError) -> str:
    # An error of an output, such as a full disk, has no file name.
    output = error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF)
    return f"the output cannot be written ({error.strerror})." if output else str(error)


def _close() -> None:
    """Let what is still in the buffer of stdout go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON for stdout: as people read it, or in ASCII where the encoding of stdout lacks a character."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text


def read_input(path: str) -> bytes | None:
    """Return the bytes of standard input for ``-``, or of a pipe such as ``<(command)``; None for any other path."""
    if path == "-":
        return b"" if sys.stdin is None else sys.stdin.buffer.read(_MAX_BYTES)
    try:
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            with open(path, "rb") as pipe:
                return pipe.read(_MAX_BYTES)
    except (OSError, ValueError):
        pass  # whoever opens the path says what is wrong with it
    return None
