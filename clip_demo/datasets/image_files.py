"""The files below a folder or in a zip, and their content: nothing outside is ever read."""

import contextlib
import os
import stat
import sys
import unicodedata
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import DatasetError

MAX_FILES = 1_000_000
MAX_BYTES = 200_000_000  # of one file
# The endings of the formats in `clip_demo.models.image_input.FORMATS`.
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
TABLES = ("labels.csv", "classes.txt")  # see `clip_demo.datasets.listing`
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")  # of Windows, which hides them
_MAX_ENDINGS = 20  # that are told apart among the files that are left out


class File(NamedTuple):
    """A file: its path with "/" relative to the folder, its size in bytes, its time stamp and its CRC-32 in a zip."""

    path: str
    size: int
    mtime_ns: int
    crc: int = 0


class ImageFiles(ABC):
    """The image files, and the tables that describe them, below one place.

    Attributes
    ----------
    path : pathlib.Path
    skipped : dict of str to list of (int, str)
        What `files` has left out: by reason, how many and the first of them.
    """

    def __init__(self, path: Path):
        self.path, self.skipped = path, {}

    def files(self) -> list[File]:
        """Return all image files and tables in the order of their paths.

        Hidden files are left out. Paths of different spelling in Unicode are made equal.

        Raises
        ------
        DatasetError
            When there are too many.
        """
        found = {}
        for file in self._walk():
            name = file.path.rpartition("/")[2]
            if not _is_text(file.path):
                self._skip("names that are not Unicode", ascii(file.path))
            elif name in TABLES or name.lower().endswith(SUFFIXES):
                found[file.path] = file
            elif name.lower() not in _OF_SYSTEMS:
                self._skip(self._ending(name), file.path)
            if len(found) > MAX_FILES:
                raise DatasetError(f"dataset: {self.path} has more than {MAX_FILES:,} images; give a smaller folder.")
        return [found[path] for path in sorted(found, key=normal_form)]

    def _ending(self, name: str) -> str:
        """Return the reason to leave out a file that is no image by its ending."""
        reason = f"{os.path.splitext(name)[1].lower() or 'files without an ending'}, not read here"
        return reason if reason in self.skipped or len(self.skipped) < _MAX_ENDINGS else "other files, not read here"

    def _skip(self, reason: str, path: str) -> None:
        self.skipped.setdefault(reason, [0, path])[0] += 1

    @abstractmethod
    def _walk(self) -> Iterator[File]:
        """Yield all files that are not hidden."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return the content of a file; raises an OSError or ValueError where it cannot be read or is too large."""


class FolderFiles(ImageFiles):
    """The files below a folder. Links to folders are not followed, links to files only to files below the folder."""

    def _walk(self) -> Iterator[File]:
        root, pending = os.path.realpath(self.path), [""]
        while pending:
            folder = pending.pop()
            try:
                entries = list(os.scandir(self.path / folder))
            except OSError:
                self._skip("folders that cannot be read", folder)
                continue
            if folder and not entries:
                self._skip("empty folders", folder)
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith("."):
                    continue
                try:
                    if entry.is_symlink() and (entry.is_dir() or not _is_below(entry.path, root)):
                        self._skip("links to folders, or out of this one", path)
                    elif entry.is_dir():
                        pending.append(path)
                    elif entry.is_file():
                        at = entry.stat()
                        yield File(path, at.st_size, at.st_mtime_ns)
                except OSError:  # such as a link to itself, or a file that was removed meanwhile
                    self._skip("files that cannot be read", path)

    def read(self, path: str) -> bytes:
        """Return the content of a file; see `ImageFiles.read`."""
        where = self.path / path
        # It, or a folder above it, may have become a link since the folder was listed.
        if not _is_below(where, os.path.realpath(self.path)):
            raise ValueError("it leads out of the folder")
        with where.open("rb") as file:
            return _bounded(file)


class ZipFiles(ImageFiles):
    """The files in a zip, which is never unpacked: a path in it means nothing outside, and no link is followed."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise DatasetError(f"dataset: {path} is not a zip that can be read ({error}); make it again.") from error

    def _walk(self) -> Iterator[File]:
        mtime_ns = self.path.stat().st_mtime_ns
        for info in self._zip.infolist():
            name = _name(info)
            self._infos[name] = info
            if stat.S_ISLNK(info.external_attr >> 16):
                self._skip("links", name)
            elif not info.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
                yield File(name, min(info.file_size, sys.maxsize), mtime_ns, info.CRC)

    def read(self, path: str) -> bytes:
        """Return the content of a file; see `ImageFiles.read`."""
        try:
            with self._zip.open(self._infos[path]) as file:
                return _bounded(file)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise ValueError(str(error)) from error


def open_files(path: Path) -> ImageFiles:
    """Return the files of a folder or a zip.

    Raises
    ------
    DatasetError
        When it is neither, or cannot be read.
    """
    try:
        if path.is_dir():
            os.listdir(path)
            return FolderFiles(path)
        if path.is_file():
            return ZipFiles(path)
    except OSError as error:
        raise DatasetError(f"dataset: {path} cannot be read ({error.strerror}); give a folder or a zip.") from error
    raise DatasetError(f"dataset: {path} does not exist; give a folder with one folder of images for each class.")


def normal_form(path: str) -> str:
    """Return a path in Unicode's normal form C: macOS has stored some of the same names in another form."""
    return unicodedata.normalize("NFC", path)


def _name(info: zipfile.ZipInfo) -> str:
    """Return a path in a zip, relative and without empty parts.

    Some programs write UTF-8 without saying so, which Python reads as code page 437.
    """
    name = info.filename
    if not (info.flag_bits & 0x800 or name.isascii()):
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    if "/" not in name:  # some programs for Windows write "\\"
        name = name.replace("\\", "/")
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _is_text(name: str) -> bool:
    """Whether a file's name is Unicode; a name in another encoding could not be shown, stored or sent."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_below(path: str | Path, root: str) -> bool:
    target = os.path.realpath(path)
    return target.startswith(root.rstrip(os.sep) + os.sep)


def _bounded(file) -> bytes:
    content = file.read(MAX_BYTES + 1)  # the size that a zip announces may be a lie
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES // 1_000_000} MB")
    return content
