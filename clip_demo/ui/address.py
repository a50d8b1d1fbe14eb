"""Where the page is served."""

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Iterator

from ..errors import OptionError


def check_address(host: str | None, port: int | None) -> None:
    """Try to listen for a moment, before anything is loaded.

    Gradio ends with a traceback where a port is taken, and waits for ever where a host is not this computer's.

    Parameters
    ----------
    host : str or None
        Default: ``$GRADIO_SERVER_NAME``, else 127.0.0.1.
    port : int or None
        Default: ``$GRADIO_SERVER_PORT``, else the first free one of a hundred, which Gradio finds.

    Raises
    ------
    OptionError
        When the port is taken or none, or the host is not an address of this computer.
    """
    host = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    given = os.environ.get("GRADIO_SERVER_PORT") if port is None else str(port)
    if given and not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise OptionError(f"port: {given!r} is not allowed; use a number from 1 to 65535, such as 7860.")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, int(given or 0), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            if os.name != "nt":  # there it would allow a port that is taken
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(1)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "errno", None)
        if reason == errno.EADDRINUSE:
            raise OptionError(
                f"port: {given} is taken on {host}; stop the program that has it, or choose another with --port."
            ) from error
        if reason == errno.EACCES:
            raise OptionError(
                f"port: {given} is not open to this user; choose one from 1024 upwards with --port."
            ) from error
        raise OptionError(
            f"host: {host!r} is not an address of this computer; use 127.0.0.1 for this computer only, or 0.0.0.0 for "
            "others, too."
        ) from error


def is_loopback(host: str | None) -> bool:
    """Whether a host, by default as in `check_address`, is reached from this computer only."""
    host = host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    with contextlib.suppress(OSError, UnicodeError):
        return all(
            ipaddress.ip_address(address[0].partition("%")[0]).is_loopback
            for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
    return False


@contextlib.contextmanager
def without_proxy() -> Iterator[None]:
    """Hide the environment's proxies.

    Gradio asks its own server whether it has started. A proxy cannot reach this computer under the name of itself, and
    one that the HTTP client cannot use ends the start with a traceback.
    """
    hidden = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
