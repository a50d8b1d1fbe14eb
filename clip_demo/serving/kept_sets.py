"""Photo sets of visitors: in memory, one for each visitor, and gone some minutes after the visitor has left."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import BusyError, OptionError
from ..own_classes.photo_set import MAX_BYTES, PhotoSet

IDLE_SECONDS = 600.0
MOST_VISITORS = 100  # with photos, 300 MB at most
_UNDO = 20
# A browser makes it from 128 random bits; whoever knows it sees the photos.
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass
class _Kept:
    photo_set: PhotoSet = field(default_factory=PhotoSet)
    before: list[PhotoSet] = field(default_factory=list)
    last_used: float = field(default_factory=time.monotonic)


class KeptSets:
    """The photo sets of all visitors. No visitor's set takes the place of another's.

    Parameters
    ----------
    idle_seconds : float
        A set that nobody used for this time is dropped.
    most_visitors : int
        More are refused until a place is free.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS, most_visitors: int = MOST_VISITORS):
        self._idle_seconds, self._most_visitors = idle_seconds, most_visitors
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._timer: threading.Timer | None = None

    def __len__(self) -> int:
        """Return how many visitors have a set."""
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Size of all photos in memory, those that an undo would bring back included."""
        with self._lock:
            return sum(_size(kept) for kept in self._kept.values())

    def get(self, visitor: str) -> PhotoSet:
        """Return a visitor's set; a new visitor's is empty. Counts as use."""
        with self._lock:
            kept = self._use(visitor)
            return PhotoSet() if kept is None else kept.photo_set

    def change(self, visitor: str, change: Callable[[PhotoSet], PhotoSet]) -> PhotoSet:
        """Replace a visitor's set by a changed one, and return it.

        Parameters
        ----------
        visitor : str
            32 hexadecimal digits.
        change : callable
            Quick: other visitors wait meanwhile. What it raises leaves the set as it was.

        Raises
        ------
        BusyError
            When too many others have a set.
        """
        with self._lock:
            kept = self._use(visitor) or self._new()
            changed = change(kept.photo_set)
            kept.before.append(kept.photo_set)
            kept.photo_set = changed
            while len(kept.before) > _UNDO or (kept.before and _size(kept) > MAX_BYTES):
                del kept.before[0]
            self._kept[visitor] = kept
            self._watch()
            return changed

    def undo(self, visitor: str) -> PhotoSet:
        """Take a visitor's last change back, if there is one, and return the set."""
        with self._lock:
            kept = self._use(visitor)
            if kept is None:
                return PhotoSet()
            if kept.before:
                kept.photo_set = kept.before.pop()
            return kept.photo_set

    def can_undo(self, visitor: str) -> bool:
        """Whether there is a change to take back."""
        with self._lock:
            kept = self._kept.get(visitor)
            return bool(kept and kept.before)

    def forget(self, visitor: str) -> None:
        """Drop a visitor's set at once."""
        with self._lock:
            self._kept.pop(visitor, None)

    def _use(self, visitor: str) -> _Kept | None:
        if not isinstance(visitor, str) or not _TOKEN.fullmatch(visitor):
            raise OptionError(
                "visitor: got something else than 32 hexadecimal digits; use secrets.token_hex(16).",
                page="The page did not load completely. Load it again.",
            )
        self._drop_idle()
        kept = self._kept.get(visitor)
        if kept is not None:
            kept.last_used = time.monotonic()
        return kept

    def _new(self) -> _Kept:
        if len(self._kept) >= self._most_visitors:
            raise BusyError(
                f"{self._most_visitors} visitors teach own classes right now; try again in a few minutes.",
                page="Many people teach their own classes right now. Try again in a few minutes.",
            )
        return _Kept()

    def _drop_idle(self) -> None:
        now = time.monotonic()
        for visitor, kept in list(self._kept.items()):
            if now - kept.last_used >= self._idle_seconds:
                del self._kept[visitor]

    def _watch(self) -> None:
        """Look again when the next set may be idle, until there is none."""
        if self._timer is not None or not self._kept:
            return
        oldest = min(kept.last_used for kept in self._kept.values())
        self._timer = threading.Timer(max(0.05, oldest + self._idle_seconds - time.monotonic()), self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            self._timer = None
            self._drop_idle()
            self._watch()


def _size(kept: _Kept) -> int:
    """Return the size of the photos of a set and of those before it, each counted once."""
    photos = {id(photo): photo.nbytes for each in (kept.photo_set, *kept.before) for photo in each.photos}
    return sum(photos.values())
