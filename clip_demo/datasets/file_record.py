"""What is known of the files of a dataset: checksums of their contents, and which of them are damaged."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..artifacts import atomic_write
from ..paths import is_readable
from .listing import Listing

logger = logging.getLogger(__name__)

READ, DAMAGED, CHANGED, MISSED = 1, 2, 4, 8  # missed: it could not be read, perhaps for the moment only
_FIELDS = np.dtype([("mtime_ns", "<i8"), ("digest", "S32"), ("state", "u1")])
# Files whose time stamp is another are compared at the start. A copied folder has only such files: a sample is enough
# to see that it is a copy.
MAX_COMPARED = 1_000


def digest_of(content: bytes) -> bytes:
    """Return a checksum of a file's content: 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()


class FileRecord:
    """Checksums of the files that have been read, kept in a memory-mapped file.

    A file is read for encoding anyway, and its checksum is noted then. If it has another later, although its size is
    the same, then what was computed from it belongs to other images.

    Parameters
    ----------
    folder : path
        Where the record is kept. If nothing can be written there, what it has is used, and the rest kept in memory.
    listing : Listing
    place : path
        Where the files are. Another place with the same listing may be a copy, which the record of the first tells, or
        have other images, so each has a record of its own.
    """

    def __init__(self, folder: Path, listing: Listing, place: Path):
        self._listing = listing
        name, n_bytes = listing.sha256[:32], len(listing.paths) * _FIELDS.itemsize
        path = folder / f"{name}-{hashlib.sha256(os.fsencode(os.path.realpath(place))).hexdigest()[:8]}.files"
        known = next(
            (each for each in (path, *sorted(folder.glob(f"{name}*.files"))) if _has_size(each, n_bytes)), None
        )
        try:
            if known != path:
                # A record of zeros: nothing has been read yet. It is written out, because a process is killed that
                # changes a mapped page for which the disk has no room; and into a new file, because another process
                # may have mapped the old one.
                with atomic_write(path) as part:
                    part.write_bytes(known.read_bytes() if known else bytes(n_bytes))
            self._files = np.memmap(path, dtype=_FIELDS, mode="r+")
        except OSError as error:
            logger.warning("what is known of the files of a dataset cannot be kept in %s (%s)", folder, error)
            self._files = np.fromfile(known, dtype=_FIELDS) if known else np.zeros(len(listing.paths), dtype=_FIELDS)

    @property
    def damaged(self) -> np.ndarray:
        """Whether each file is damaged, shape (n,), bool."""
        return (self._files["state"] & DAMAGED) > 0

    @property
    def version(self) -> str:
        """Empty until a file has changed; then something else after each change."""
        changed = np.flatnonzero(self._files["state"] & CHANGED)
        if not len(changed):
            return ""
        return hashlib.sha256(changed.tobytes() + self._files["digest"][changed].tobytes()).hexdigest()[:8]

    def compare(self, read: Callable[[str], bytes]) -> None:
        """Read files that were read before and have another time stamp now; see `MAX_COMPARED`.

        Those that could not be read, such as while a disk was away, are not left out any more when one of them can be.
        """
        state, mtimes = self._files["state"], self._files["mtime_ns"]
        missed = np.flatnonzero(state & MISSED)
        if any([self._note_again(position, read) for position in _sample(missed)]):
            state[missed] &= READ | CHANGED
        for position in _sample(np.flatnonzero((state & READ > 0) & (mtimes != self._listing.mtimes_ns))):
            self._note_again(position, read)

    def _note_again(self, position: int, read: Callable[[str], bytes]) -> bool:
        """Read a file and note it; return whether it can be read."""
        try:
            self.note(position, read(self._listing.paths[position]))
        except (OSError, ValueError):
            return False  # said when the image is needed
        return True

    def miss(self, position: int) -> None:
        """Note that a file cannot be read now."""
        self._files["state"][position] |= MISSED

    def note(self, position: int, content: bytes) -> None:
        """Note the content of a file that was read, and whether it is another than the last time."""
        entry, digest = self._files[position], digest_of(content)
        changed = bool(entry["state"] & READ) and entry["digest"] != digest
        if changed:
            logger.warning("%s has changed: what was computed from it is not used.", self._listing.paths[position])
        if changed or not entry["state"] & READ:
            self._files[position] = (
                self._listing.mtimes_ns[position],
                digest,
                READ | CHANGED if changed else entry["state"] | READ,
            )
        else:
            self._files["mtime_ns"][position] = self._listing.mtimes_ns[position]

    def leave_out(self, positions: np.ndarray) -> None:
        """Note that files are damaged."""
        self._files["state"][positions] |= DAMAGED


def _has_size(path: Path, n_bytes: int) -> bool:
    return is_readable(path) and path.is_file() and path.stat().st_size == n_bytes


def _sample(positions: np.ndarray) -> list[int]:
    return positions[np.linspace(0, len(positions) - 1, min(len(positions), MAX_COMPARED)).astype(int)].tolist()
