"""What is known of the files of a dataset: checksums of their contents, and which of them are damaged."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .listing import Listing

logger = logging.getLogger(__name__)

READ, DAMAGED, CHANGED = 1, 2, 4
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
        Where the record is kept. If nothing can be written there, it is kept in memory.
    listing : Listing
    """

    def __init__(self, folder: Path, listing: Listing):
        self._listing = listing
        path = folder / f"{listing.sha256[:32]}.files"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            n_bytes = len(listing.paths) * _FIELDS.itemsize
            if not path.is_file() or path.stat().st_size != n_bytes:
                with path.open("wb") as file:
                    file.truncate(n_bytes)  # zeros: nothing was read yet
            self._files = np.memmap(path, dtype=_FIELDS, mode="r+")
        except OSError as error:
            logger.warning("what is known of the files of a dataset cannot be kept in %s (%s)", folder, error)
            self._files = np.zeros(len(listing.paths), dtype=_FIELDS)

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
        """Read files that were read before and have another time stamp now; see `MAX_COMPARED`."""
        state, mtimes = self._files["state"], self._files["mtime_ns"]
        others = np.flatnonzero((state & READ > 0) & (mtimes != self._listing.mtimes_ns))
        chosen = others[np.linspace(0, len(others) - 1, min(len(others), MAX_COMPARED)).astype(int)]
        for position in chosen.tolist():
            try:
                self.note(position, read(self._listing.paths[position]))
            except (OSError, ValueError):
                pass  # said when the image is needed

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
