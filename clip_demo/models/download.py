"""Download of OpenAI's weights."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from filelock import FileLock

from ..errors import ModelError
from ..paths import weights_path
from ..progress import Progress
from .catalog import BUILT_IN
from .openai_clip import import_clip

ATTEMPTS = 4
TIMEOUT = httpx.Timeout(30, connect=10)


def _url(name: str) -> str:
    return import_clip().clip._MODELS[name]


def checksum_of(name: str) -> str:
    """Return the SHA-256 that an OpenAI model's archive must have: a component of its URL in openai-clip."""
    return _url(name).split("/")[-2]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_weights(name: str, root: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Return the archive of an OpenAI model; download it unless it is on disk with the right checksum.

    An interrupted download is resumed. The file gets its final name after its checksum was verified, so a file with
    that name is always complete. When several processes request the same file, one downloads it and the others wait.

    Parameters
    ----------
    name : str
        A name in ``clip.available_models()``.
    root : path, optional
        See `clip_demo.paths.weights_root`.
    progress : callable, optional
        Called with the model's name, the bytes received and the bytes in total.

    Raises
    ------
    ModelError
        When the download fails: no network, no disk space, or a file with a wrong checksum.
    """
    target = weights_path(name, root)
    if _is_complete(target, name):  # before anything is written: a shared folder may be read-only
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The operating system releases this lock when its process ends, however it ends.
        with FileLock(f"{target}.lock"):
            if not _is_complete(target, name):
                part = target.with_name(target.name + ".partial")
                _download(_url(name), part, partial(progress, name) if progress else lambda done, total: None)
                _verify(part, checksum_of(name))
                os.replace(part, target)
        return target
    except (httpx.HTTPError, OSError, ModelError) as error:
        raise ModelError(
            f"model: {name!r} cannot be downloaded ({_reason(error)}). Put the file from {_url(name)} at {target}, "
            f"give the path of a checkpoint, or use {BUILT_IN!r}, which needs no network."
        ) from error


def _is_complete(path: Path, name: str) -> bool:
    return path.is_file() and sha256_of(path) == checksum_of(name)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk"
    return str(error) or type(error).__name__


def _verify(part: Path, expected: str) -> None:
    found = sha256_of(part)
    if found != expected:
        part.unlink()
        raise ModelError(f"its SHA-256 is {found[:12]}… instead of {expected[:12]}…; the file was deleted")


def _download(url: str, part: Path, progress: Callable[[int, int], None]) -> None:
    """Download to `part`, and resume a few times when the connection is lost."""
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        for attempt in range(ATTEMPTS):
            before = _size(part)
            try:
                return _receive(client, url, part, progress)
            except httpx.TransportError:
                # Only after some progress: a server that sends nothing is probably down.
                if attempt == ATTEMPTS - 1 or _size(part) == before:
                    raise
                time.sleep(0.5 * 2**attempt)


def _receive(client: httpx.Client, url: str, part: Path, progress: Callable[[int, int], None]) -> None:
    done = _size(part)
    # A compressed response would not have the bytes and the length of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # `part` is already complete; its checksum is verified next
        response.raise_for_status()
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            done = 0  # the server does not support ranges: start again
        total = done + int(response.headers.get("Content-Length", 0))
        _check_free_space(part.parent, total - done)
        with part.open("ab" if done else "wb") as file:
            # Without a chunk size: httpx would drop an incomplete last chunk when the connection is lost.
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                progress(done, max(total, done))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_free_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(f"{needed / 1e6:,.0f} MB are needed in {folder} and {free / 1e6:,.0f} MB are free")
