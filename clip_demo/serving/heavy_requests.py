"""Heavy requests of visitors: few at a time, one for each session, and none for a visitor who has left.

A request is heavy if its prompts do not fit into one batch of the encoder. Between its batches others are served, but
many heavy requests at once would make everybody wait for one batch of each.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from ..errors import BusyError, Cancelled

RUNNING, WAITING = 2, 12  # heavy requests at a time, and how many more may wait
WAIT_SECONDS, RUN_SECONDS = 20.0, 60.0  # how long a request may wait, and then run
_POLL = 0.25


class HeavyRequests:
    """Places for heavy requests.

    Parameters
    ----------
    running, waiting : int
        How many requests run at a time, and how many more may wait for that. All others are refused.
    wait_seconds, run_seconds : float
        A request that waited or ran for longer is refused, or ends.
    """

    def __init__(
        self,
        running: int = RUNNING,
        waiting: int = WAITING,
        *,
        wait_seconds: float = WAIT_SECONDS,
        run_seconds: float = RUN_SECONDS,
    ):
        self._limit, self._most_waiting = running, waiting
        self._wait_seconds, self.run_seconds = wait_seconds, run_seconds
        self._changed = threading.Condition()
        self._running: list[VisitorRequest] = []
        self._waiting: list[VisitorRequest] = []
        self._mean_seconds = 5.0  # of the latest requests

    @contextmanager
    def request(self, session: Hashable, has_left: Callable[[], bool]) -> Iterator[VisitorRequest]:
        """Yield the progress callback of one request, which gives its place back at the end.

        Parameters
        ----------
        session : hashable
            Of the visitor. One heavy request of each session runs at a time.
        has_left : callable
            Whether nobody waits for the answer any more.
        """
        request = VisitorRequest(self, session, has_left)
        try:
            yield request
        finally:
            with self._changed:
                if request in self._running:
                    self._running.remove(request)
                    seconds = time.monotonic() - request.started
                    self._mean_seconds += 0.2 * (seconds - self._mean_seconds)
                    self._changed.notify_all()

    def take(self, request: VisitorRequest) -> None:
        """Wait for a place.

        Raises
        ------
        BusyError
            When too many requests wait, or after `wait_seconds`.
        Cancelled
            When the visitor has left.
        """
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise self._busy()
            self._waiting.append(request)
            end = time.monotonic() + self._wait_seconds
            try:
                while not self._is_next(request):
                    self._changed.wait(_POLL)
                    request.check_presence()
                    if time.monotonic() > end:
                        raise self._busy()
                request.started = time.monotonic()
                self._running.append(request)
            finally:
                self._waiting.remove(request)
                self._changed.notify_all()

    def _is_next(self, request: VisitorRequest) -> bool:
        sessions = {each.session for each in self._running}
        first = next((each for each in self._waiting if each.session not in sessions), None)
        return len(self._running) < self._limit and first is request

    def _busy(self) -> BusyError:
        waves = (len(self._running) + len(self._waiting)) / self._limit
        seconds = min(max(math.ceil(waves * self._mean_seconds), 1), 60)
        return BusyError(
            f"The server is busy with other requests of many prompts; try again in {seconds} s, or use fewer prompts.",
            page=f"Many people use this page right now. Try again in {seconds} seconds, or use fewer words.",
        )


class VisitorRequest:
    """The progress callback of one request; see `HeavyRequests.request`.

    Attributes
    ----------
    session : hashable
    started : float
        When the request got its place, in seconds of `time.monotonic`; 0 before.
    """

    def __init__(self, places: HeavyRequests, session: Hashable, has_left: Callable[[], bool]):
        self.session, self.started = session, 0.0
        self._places, self._has_left = places, has_left

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take a place before the first of several batches of prompts, and end a request that takes too long."""
        self.check_presence()
        if what != "prompts" or done >= total:
            return
        if not self.started:
            self._places.take(self)
        elif time.monotonic() > self.started + self._places.run_seconds:
            raise BusyError(
                f"prompts: {done:,} of {total:,} were encoded in {self._places.run_seconds:.0f} s and are kept; ask "
                "again to go on, or use fewer.",
                page=f"This takes long here: {done:,} of {total:,} texts are done, and kept for a while. Change "
                "anything to go on, or use fewer words.",
            )

    def check_presence(self) -> None:
        """Raise `Cancelled` where the visitor has left."""
        if self._has_left():
            raise Cancelled("The visitor has left.")
