"""Whether the visitor who made a request still waits for the answer.

Gradio answers through a stream that the browser or the program reads until all its requests are answered. A handler
that runs in a thread is not told when that stream is closed.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from gradio.context import LocalContext

from ..backend import Backend
from ..serving.heavy_requests import VisitorRequest

GRACE = 10.0  # seconds without a stream; programs open it after the request
_streams: Counter[str] = Counter()
_lock = threading.Lock()


@contextmanager
def stream(key: str) -> Iterator[None]:
    """Note that a stream of answers is open, for a session or for one event."""
    with _lock:
        _streams[key] += 1
    try:
        yield
    finally:
        with _lock:
            _streams[key] -= 1
            if not _streams[key]:
                del _streams[key]


class Presence:
    """Whether a visitor has left: none of the streams was open for `GRACE` seconds.

    Parameters
    ----------
    keys : tuple of str
        The session and the event; without any, the visitor counts as present.
    """

    def __init__(self, *keys: str):
        self._keys, self._seen = keys, time.monotonic()

    def has_left(self) -> bool:
        """Look whether a stream is open."""
        if not self._keys or any(key in _streams for key in self._keys):
            self._seen = time.monotonic()
        return time.monotonic() - self._seen > GRACE


def visitor_request(backend: Backend) -> AbstractContextManager[VisitorRequest]:
    """Return the progress callback of the request that the current handler answers; see `HeavyRequests`."""
    event, request = LocalContext.event_id.get(None), LocalContext.request.get(None)
    if event is None:  # outside the queue, or called by a test
        return backend.heavy_requests.request(object(), Presence().has_left)
    session = request.session_hash or event
    return backend.heavy_requests.request(session, Presence(session, event).has_left)
