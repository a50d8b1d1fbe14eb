"""Files that belong to one model and one dataset: written atomically, found by the checksum inside."""

import contextlib
import logging
import os
import struct
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from .errors import ArtifactError, OptionError
from .paths import expanded, is_readable

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed, needs no lock
    fcntl = None

logger = logging.getLogger(__name__)
T = TypeVar("T")
# Not a usual ending: files of other programs may be in the same folder.
_PART = ".clip-demo-part"

# The kind of extra field in a zip that Android's zipalign uses for padding.
_PADDING = 0xD935

# Windows does not replace a file that is open. Seconds between attempts, until its reader is done with it.
_PATIENCE = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()

# Models were known by the SHA-256 of their file before they were known by that of their weights.
_former: dict[str, set[str]] = {}


def also_known_as(model_sha256: str, former: str) -> None:
    """Let files that were stored under a model's former checksum count as the model's."""
    _former.setdefault(model_sha256, set()).add(former)


def checksums_of(model_sha256: str) -> tuple[str, ...]:
    """Return the checksum of a model, and its former ones where there are any."""
    return (model_sha256, *sorted(_former.get(model_sha256, ())))


class ArtifactStore(Generic[T]):
    """The artifacts of a kind, such as heads, by model and dataset; the first folder that has a match wins.

    A file matches by the checksum inside, not by its name, so an artifact is never used with another model. A damaged
    file is skipped with a warning: the rest of the program works without it.

    Parameters
    ----------
    folders : sequence of path
        Searched in this order. New files go to the last.
    load : callable
        Returns a file's content, its model's SHA-256 and its dataset's name, or raises an ArtifactError.
    suffix : str
        Ending of the file names.
    """

    def __init__(self, folders: Sequence[str | Path], load: Callable[[Path], tuple[T, str, str]], suffix: str = ".npz"):
        self.folders = [Path(folder) for folder in folders]
        self._load, self._suffix = load, suffix
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], T] = {}
        self._others: set[tuple[Path, int, tuple[str, str]]] = set()
        self._absent: dict[tuple[str, str], tuple[int, ...]] = {}

    def get(self, model_sha256: str, dataset: str) -> T | None:
        """Return the artifact of this model and dataset, or None."""
        key = (model_sha256, dataset)
        with self._lock:
            if key not in self._known:
                # A file may appear at any time; a folder's time stamp tells whether it is worth searching again.
                changed = tuple(folder.stat().st_mtime_ns if is_readable(folder) else 0 for folder in self.folders)
                if self._absent.get(key) == changed:
                    return None
                found = self._find(key)
                if found is None:
                    self._absent[key] = changed
                    return None
                self._known[key] = found
            return self._known[key]

    def remember(self, content: T, model_sha256: str, dataset: str) -> None:
        """Return `content` from now on for this model and dataset."""
        with self._lock:
            self._known[model_sha256, dataset] = content

    def versions(self, model_sha256: str, dataset: str) -> Iterator[T]:
        """Yield the artifact in use, and the one on disk: another process may have saved a better one meanwhile."""
        key = (model_sha256, dataset)
        yield from filter(None, (self.get(*key), self._find(key)))

    def path(self, model_sha256: str, dataset: str) -> Path | None:
        """Return the file of the artifact that is on disk, or None."""
        found = self._search((model_sha256, dataset))
        return found and found[0]

    def _find(self, key: tuple[str, str]) -> T | None:
        found = self._search(key)
        return found and found[1]

    def _search(self, key: tuple[str, str]) -> tuple[Path, T] | None:
        for folder in filter(is_readable, self.folders):
            for path in filter(is_readable, sorted(folder.glob(f"*-{key[1]}{self._suffix}"))):
                # A file that did not match before is opened again only after it has changed.
                version = (path, path.stat().st_mtime_ns, key)
                if version in self._others:
                    continue
                try:
                    content, model_sha256, dataset = self._load(path)
                    if model_sha256 in checksums_of(key[0]) and dataset == key[1]:
                        return path, content
                except ArtifactError as error:
                    logger.warning("%s", error)
                self._others.add(version)
        return None


def file_name(model: str, dataset: str, suffix: str = ".npz") -> str:
    """Return an artifact's file name, such as ``ViT-B-32-cifar100.npz`` for ``ViT-B/32`` on ``cifar100``."""
    return f"{model.replace('/', '-')}-{dataset}{suffix}"


def write_npz(path: Path, /, **arrays: np.ndarray) -> Path:
    """Write arrays as compressed npz without pickle."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def write_mappable_npz(path: Path, /, **arrays: np.ndarray) -> Path:
    """Write arrays as npz, uncompressed, so that `map_array` can open them without reading them."""
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            # The numbers begin at a multiple of 64 bytes: BLAS would copy others. Before them are a header of 30 bytes,
            # the name, 20 bytes for large files, and this field of 4 bytes and its padding.
            padding = -(archive.start_dir + 30 + len(member.filename) + 20 + 4) % 64
            member.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return path


def map_array(path: Path, name: str, dtype: type) -> np.ndarray | None:
    """Return an array of an npz that stays on disk, read-only; None where it is compressed, or of another dtype.

    Raises
    ------
    Exception
        Of any kind, where the file is damaged. Its checksum is compared, which reads it once, a megabyte at a time.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        if damaged := archive.testzip():
            raise ValueError(f"{damaged} is damaged")
        file.seek(member.header_offset + 26)
        file.seek(sum(struct.unpack("<HH", file.read(4))), os.SEEK_CUR)  # past the name and the extra fields
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, is_fortran, found = np.lib.format.read_array_header_1_0(file)
        if is_fortran or found != dtype:
            return None
        return np.asarray(np.memmap(file, dtype, "r", file.tell(), shape))


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file as a whole or not at all: concurrent readers see the old file or the new one.

    Parameters
    ----------
    path : pathlib.Path
        The file. Its folder is created.

    Yields
    ------
    pathlib.Path
        The temporary file, for the caller to write and close. It becomes `path` when the block ends, and is removed
        when the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned_parts(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
    part = Path(name)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)  # until the handle is closed, also by the end of the process
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # or a power failure could leave the new name on an empty file
        part.chmod(0o644)  # mkstemp makes files that only their owner can read
        if fcntl is None:
            os.close(handle)  # Windows renames no open file
            handle = -1
        _replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        if handle >= 0:
            os.close(handle)


def remove_abandoned_parts(folder: Path) -> None:
    """Remove what killed processes were writing to a folder with `atomic_write`; what is being written stays."""
    for part in folder.glob(f".*{_PART}"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as opened:
            if fcntl is not None:
                fcntl.flock(opened.enter_context(part.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _replace(part: Path, path: Path) -> None:
    """Rename a file over another, and wait for a moment where somebody is reading that."""
    for seconds in _PATIENCE:
        try:
            return os.replace(part, path)
        except PermissionError:
            time.sleep(seconds)
    os.replace(part, path)


def check_folder(folder: str | Path, argument: str) -> Path:
    """Return a folder, which is created, after trying to write in it: before long work whose result belongs there.

    Raises
    ------
    OptionError
        When nothing can be written there; the message begins with `argument`.
    """
    path = expanded(folder)
    try:
        if not str(folder):
            raise ValueError("the name is empty")
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(bytes(4096))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(
            f"{argument}: nothing can be written in {str(path) if str(folder) else ''!r} ({reason}); "
            "give another folder, or make room in it."
        ) from error
    return path
