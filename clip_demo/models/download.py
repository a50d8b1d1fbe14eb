"""OpenAI's weights, and how they come to this machine."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from filelock import FileLock

from ..errors import ModelError
from ..paths import weights_path
from .catalog import BUILT_IN
from .openai_clip import import_clip

__all__ = ["Progress", "checksum_of", "fetch_weights", "sha256_of"]

# Called with the bytes that have come and the bytes in all.
Progress = Callable[[int, int], None]

ATTEMPTS = 4
TIMEOUT = httpx.Timeout(30, connect=10)


def _url(name: str) -> str:
    return import_clip().clip._MODELS[name]


def checksum_of(name: str) -> str:
    """Return the SHA-256 of the archive: openai-clip's addresses carry it as their last folder."""
    return _url(name).split("/")[-2]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_weights(name: str, root: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Return the archive of one of OpenAI's models, downloaded and checked where it is not on disk yet.

    A download that was cut goes on where it stopped; the file gets its name only after its checksum was right, so
    whatever opens that name finds the whole file. Processes that want the same file wait for one another.

    Parameters
    ----------
    name : str
        One of ``clip.available_models()``.
    root : path, optional
        See `clip_demo.paths.weights_root`.
    progress : callable, optional
        Called with the bytes that have come and the bytes in all.

    Raises
    ------
    ModelError
        When it cannot be had: no network, no room, or a file that is not what openai-clip's checksum says.
    """
    target = weights_path(name, root)
    if _is_whole(target, name):  # asked before anything is written: a shared folder may be read-only
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # An operating-system lock: it falls when its process dies, however it dies.
        with FileLock(f"{target}.lock"):
            if not _is_whole(target, name):
                partial = target.with_name(target.name + ".partial")
                _download(_url(name), partial, progress)
                _check(partial, checksum_of(name))
                os.replace(partial, target)
        return target
    except (httpx.HTTPError, OSError, ModelError) as error:
        raise ModelError(
            f"model: {name!r} cannot be downloaded ({_reason(error)}). Put the file from {_url(name)} at {target}, "
            f"give the path of a checkpoint, or use {BUILT_IN!r}, which needs no network."
        ) from error


def _is_whole(path: Path, name: str) -> bool:
    return path.is_file() and sha256_of(path) == checksum_of(name)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk"
    return str(error) or type(error).__name__


def _check(partial: Path, expected: str) -> None:
    found = sha256_of(partial)
    if found != expected:
        partial.unlink()
        raise ModelError(f"its SHA-256 is {found[:12]}… and should be {expected[:12]}…; the file was thrown away")


def _download(url: str, partial: Path, progress: Progress | None) -> None:
    """Fill `partial`; where the connection is cut, go on from there a few times before giving up."""
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        for attempt in range(ATTEMPTS):
            before = _size(partial)
            try:
                return _receive(client, url, partial, progress)
            except httpx.TransportError:
                # A server that is gone gives nothing at all: only a cut on the way is worth another try at once.
                if attempt == ATTEMPTS - 1 or _size(partial) == before:
                    raise
                time.sleep(0.5 * 2**attempt)


def _receive(client: httpx.Client, url: str, partial: Path, progress: Progress | None) -> None:
    have = _size(partial)
    # A compressed answer would have other bytes and another length than the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # All of it is there; the checksum tells whether it is right.
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            have = 0  # This server does not resume: from the start.
        total = have + int(response.headers.get("Content-Length", 0))
        _check_room(partial.parent, total - have)
        with partial.open("ab" if have else "wb") as file:
            # As they come: gathered into larger pieces, the last one would be lost with the connection.
            for chunk in response.iter_raw():
                file.write(chunk)
                have += len(chunk)
                if progress:
                    progress(have, max(total, have))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(f"{needed / 1e6:,.0f} MB are needed in {folder} and {free / 1e6:,.0f} MB are free")
