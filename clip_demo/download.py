"""Files from the network: several sources in order, resumed, and used only after their checksum was verified.

A plain address is read with httpx, a file on the Hugging Face Hub with huggingface_hub, which has its own cache and
obeys ``HF_HOME``, ``HF_HUB_CACHE``, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and ``HF_TOKEN``.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from .errors import DISK_FULL
from .paths import is_readable
from .switches import is_offline

if TYPE_CHECKING:  # imported inside functions: the command line starts without it
    import httpx

ATTEMPTS = 4
READ_TIMEOUT, CONNECT_TIMEOUT = 20, 10  # seconds
# A source that sends less than this after this time is left while another is untried.
SLOW_BYTES_PER_SECOND, SLOW_SECONDS = 200_000, 20

# torchvision knows its datasets by their MD5 sums only.
ALGORITHMS = {"SHA-256": hashlib.sha256, "MD5": partial(hashlib.md5, usedforsecurity=False)}
Receive = Callable[[int, int], None]  # called with the bytes received and the bytes in total


@dataclass(frozen=True)
class HubFile:
    """A file on the Hugging Face Hub.

    Attributes
    ----------
    repository : str
        Owner and name.
    revision : str
        Commit.
    path : str
        Path inside the repository.
    kind : {"model", "dataset"}
    """

    repository: str
    revision: str
    path: str
    kind: str = "model"

    def __str__(self) -> str:
        folder = "datasets/" if self.kind == "dataset" else ""
        return f"huggingface.co/{folder}{self.repository}/{self.path}"


@dataclass(frozen=True)
class RemoteFile:
    """A file with a known content, and where to get it.

    Attributes
    ----------
    name : str
        File name on this machine, for what comes from a plain address.
    sha256 : str
        SHA-256 in hexadecimal; empty where only the MD5 sum is known.
    size : int or None
        Bytes; None where it is not known.
    sources : tuple of str or HubFile
        Addresses in the order in which they are tried. Empty for a file that is only used where it is on disk already.
    cached : tuple of HubFile
        Files of the Hub's cache that have the same content but are not downloaded.
    md5 : str
        MD5 sum in hexadecimal, in place of an unknown SHA-256.
    """

    name: str
    sha256: str = ""
    size: int | None = None
    sources: tuple[str | HubFile, ...] = ()
    cached: tuple[HubFile, ...] = ()
    md5: str = ""

    @property
    def checksum(self) -> tuple[str, str]:
        """Name of an algorithm in `ALGORITHMS`, and the sum in hexadecimal."""
        return ("SHA-256", self.sha256) if self.sha256 else ("MD5", self.md5)


class DownloadError(Exception):
    """No source gave the file; the message has a line for each source."""


class _TooSlow(Exception):
    pass


class _WrongChecksum(Exception):
    pass


def checksum_of(path: Path, algorithm: str = "SHA-256") -> str:
    """Return the checksum of a file in hexadecimal, by an algorithm of `ALGORITHMS`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, ALGORITHMS[algorithm]).hexdigest()


def places(file: RemoteFile, folder: Path) -> Iterator[Path]:
    """Yield the paths at which a file may lie on this machine, in the order in which they are looked at."""
    if file.name:
        yield folder / file.name
    for hub in (*(source for source in file.sources if isinstance(source, HubFile)), *file.cached):
        if is_readable(_hub_folder(hub)):
            # Any revision: the checksum decides.
            yield from sorted(_hub_folder(hub).glob(f"snapshots/*/{hub.path}"))


def _hub_folder(hub: HubFile) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"{hub.kind}s--{hub.repository.replace('/', '--')}"


def find(files: Sequence[RemoteFile], folder: Path) -> tuple[Path, RemoteFile] | None:
    """Return the first file that is on this machine with the right checksum, or None."""
    return next(((path, file) for file in files for path in places(file, folder) if _which([file], path)), None)


def match(files: Sequence[RemoteFile], given: Path) -> tuple[Path, RemoteFile] | None:
    """Return which of `files` a file is, or the first that a folder contains at any depth, by checksum; or None."""
    paths = sorted(Path(folder, name) for folder, _, names in os.walk(given) for name in names) or [given]
    return next(((path, file) for path in paths if (file := _which(files, path))), None)


def _which(files: Sequence[RemoteFile], path: Path) -> RemoteFile | None:
    """Return which of `files` a file on this machine is, by size and checksum."""
    size = _size(path)
    alike = [file for file in files if size and file.size in (None, size)]
    found = {(algorithm, _sum(path, algorithm)) for algorithm in {file.checksum[0] for file in alike}}
    return next((file for file in alike if file.checksum in found), None)


def describe(files: Sequence[RemoteFile], folder: Path) -> list[str]:
    """Return a line for each place where a file was found on this machine, and for each source, in order."""
    found = [f"on disk    {path}" for file in files for path in places(file, folder) if _size(path) is not None]
    sources = []
    for file in files:
        size = f"{file.size / 1e6:,.0f} MB" if file.size else "size unknown"
        sources += [f"{size:>12}  {source}" for source in file.sources]
    return [*found, *sources]


def fetch(files: Sequence[RemoteFile], folder: Path, receive: Receive | None = None) -> tuple[Path, RemoteFile]:
    """Return a file that is on this machine; download it where none is.

    An interrupted download is resumed, but what fills the disk is removed. A file gets its name after its checksum was
    verified, so a file with that name is always complete. When several processes request the same file, one downloads
    it and the others wait.

    Parameters
    ----------
    files : sequence of RemoteFile
        Alternatives, the preferred one first.
    folder : Path
        Where files from plain addresses go.
    receive : callable, optional
        See `Receive`. What it raises stops the download, which the next call resumes.

    Returns
    -------
    path : Path
    file : RemoteFile
        Which of `files` it is.

    Raises
    ------
    DownloadError
        When no source gives one, downloads are switched off, or the disk is full.
    """
    found = find(files, folder)  # before anything is written: a shared folder may be read-only
    if found:
        return found
    if is_offline():
        raise DownloadError("nothing is downloaded, because of --offline or $CLIP_DEMO_OFFLINE")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The operating system releases this lock when its process ends, however it ends.
        with FileLock(folder / f"{files[0].name}.lock"):
            return find(files, folder) or _from_any_source(files, folder, receive or (lambda done, total: None))
    except OSError as error:
        raise DownloadError(_reason(error)) from error


def _from_any_source(files: Sequence[RemoteFile], folder: Path, receive: Receive) -> tuple[Path, RemoteFile]:
    import httpx

    untried = deque((file, source) for file in files for source in file.sources)
    slow: deque[tuple[RemoteFile, str | HubFile]] = deque()
    failures: dict[str | HubFile, Exception] = {}
    while untried or slow:
        file, source = (untried or slow).popleft()
        watched = _watch(receive) if untried else receive
        try:
            if isinstance(source, HubFile):
                return _from_hub(source, file, watched), file
            return _from_address(source, file, folder, watched), file
        except _TooSlow as error:
            slow.append((file, source))
            failures[source] = error
        except (httpx.HTTPError, OSError, _WrongChecksum) as error:
            if getattr(error, "errno", None) in DISK_FULL:
                raise
            failures[source] = error
    reasons = "\n".join(f"{source}: {_reason(error)}" for source, error in failures.items())
    raise DownloadError(reasons) from next(reversed(failures.values()), None)


def _watch(receive: Receive) -> Receive:
    """Return `receive` that raises when little was received for a while."""
    start, first = time.monotonic(), None

    def watched(done: int, total: int) -> None:
        nonlocal first
        first = done if first is None else first
        seconds = time.monotonic() - start
        if seconds > SLOW_SECONDS and done < total and done - first < SLOW_BYTES_PER_SECOND * seconds:
            raise _TooSlow(f"too slow, {(done - first) / seconds / 1000:,.0f} kB/s")
        receive(done, total)

    return watched


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return error.args[1] if "needed" in str(error) else "no space left on the disk"
    if isinstance(error, httpx.HTTPStatusError):
        return f"answered {error.response.status_code} {error.response.reason_phrase}".strip()
    if isinstance(error, httpx.TimeoutException):
        return "no answer"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _size(path: Path) -> int | None:
    """Return the bytes of a file; None where there is none, or none that may be read."""
    try:
        return path.stat().st_size if is_readable(path) and path.is_file() else None
    except OSError:
        return None


def _sum(path: Path, algorithm: str = "SHA-256") -> str:
    """Return the checksum of a file, or "" where it cannot be read."""
    try:
        return checksum_of(path, algorithm)
    except OSError:
        return ""


def _verify(path: Path, file: RemoteFile) -> None:
    algorithm, expected = file.checksum
    found = checksum_of(path, algorithm)
    if found != expected:
        raise _WrongChecksum(f"its {algorithm} is {found} instead of {expected}")


def _from_hub(hub: HubFile, file: RemoteFile, receive: Receive) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from tqdm import tqdm

    if not constants.HF_HUB_OFFLINE:
        # Asked first, because without a network the Hub's own client tries each file six times, for half a minute.
        with _client() as client:
            client.head(constants.ENDPOINT, follow_redirects=False)
    _remove_abandoned(hub, file)

    stopped: list[BaseException] = []
    bars: list[tqdm] = []

    class Bar(tqdm):
        """Draws nothing and reports the bytes."""

        def __init__(self, *arguments, **options):
            options.pop("name", None)  # of the Hub's own subclass
            super().__init__(*arguments, **options | {"disable": False, "file": _Nowhere()})
            bars.append(self)

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            try:
                receive(int(self.n), int(self.total or file.size or self.n))
            except BaseException as error:
                stopped.append(error)
                raise
            return shown

    def download(**options: bool) -> Path:
        where = {"revision": hub.revision, "repo_type": hub.kind}
        return Path(hf_hub_download(hub.repository, hub.path, **where, tqdm_class=Bar, **options))

    try:
        path = download()
        if not bars and not _which([file], path):  # what lay in the cache is damaged
            path = download(force_download=True)
    except Exception as error:  # its own errors, and those of its HTTP client, which is not ours
        if stopped:
            raise stopped[0] from None
        cause = error.__cause__ or error  # the Hub's own message speaks of its cache
        status = getattr(getattr(cause, "response", None), "status_code", None)
        raise OSError(f"answered {status}" if status else _reason(cause)) from error
    _verify(path, file)
    return path


def _remove_abandoned(hub: HubFile, file: RemoteFile) -> None:
    """Remove what killed processes left of a file in the Hub's cache: its client never resumes it."""
    folder = _hub_folder(hub)
    # The client holds this lock while it downloads.
    lock = FileLock(folder.parent / ".locks" / folder.name / f"{file.sha256}.lock", timeout=0)
    with contextlib.suppress(OSError, Timeout), lock:
        for part in folder.glob(f"blobs/{file.sha256}.*incomplete"):
            part.unlink(missing_ok=True)


class _Nowhere:
    """A text file that keeps nothing."""

    def write(self, text: str) -> None:
        """Forget the text."""

    def flush(self) -> None:
        """Do nothing."""


def _from_address(url: str, file: RemoteFile, folder: Path, receive: Receive) -> Path:
    """Download to a partial file, which other addresses of the same file continue, and give it its name."""
    target = folder / file.name
    part = target.with_name(target.name + ".partial")
    continued = bool(_size(part))
    try:
        _receive_all(url, part, file, receive)
    except _WrongChecksum:
        part.unlink()
        if not continued:
            raise
        # The wrong bytes may be those that came before, perhaps from elsewhere.
        return _from_address(url, file, folder, receive)
    except OSError as error:
        if error.errno in DISK_FULL:  # half a file would keep the disk full
            part.unlink(missing_ok=True)
        raise
    os.replace(part, target)
    return target


def _client() -> "httpx.Client":
    import httpx

    try:
        return httpx.Client(timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT), follow_redirects=True)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise OSError(f"the proxy that the environment names cannot be used ({error})") from error


def _receive_all(url: str, part: Path, file: RemoteFile, receive: Receive) -> None:
    """Complete a partial file, in several attempts where the connection is lost, and verify it."""
    import httpx

    with _client() as client:
        for attempt in range(ATTEMPTS):
            before = _size(part)
            try:
                _receive(client, url, part, file, receive)
                break
            except httpx.TransportError:
                # Only after some progress: a server that sends nothing is probably down.
                if attempt == ATTEMPTS - 1 or _size(part) == before:
                    raise
                time.sleep(0.5 * 2**attempt)
    _verify(part, file)


def _receive(client: "httpx.Client", url: str, part: Path, file: RemoteFile, receive: Receive) -> None:
    import httpx

    done = _size(part) or 0
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
        with part.open("ab" if done else "wb") as output:
            # Without a chunk size: httpx would drop an incomplete last chunk when the connection is lost.
            for chunk in response.iter_raw():
                output.write(chunk)
                output.flush()  # what was received is on disk, however the download ends
                done += len(chunk)
                if file.size and done > file.size:
                    raise _WrongChecksum(f"it is larger than {file.size:,} bytes")
                receive(done, max(total, done))


def _check_free_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.0f} MB are needed in {folder} and {free / 1e6:,.0f} MB are free")
