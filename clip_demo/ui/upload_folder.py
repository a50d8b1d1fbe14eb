"""The folder of uploads: of one run of the page, kept small, and gone afterwards."""

import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gradio import routes

from ..errors import OptionError
from ..paths import expanded
from .uploads import TEMPORARY

_PREFIX = "clip-explorer-"
MAX_AGE = 24 * 60 * 60  # seconds
MAX_AGE_TEMPORARY = 10 * 60  # of files for one event, where the event never came or was refused
MAX_BYTES = 2_000_000_000
_INTERVAL = 60  # seconds


class UploadFolder:
    """A context in which Gradio stores uploads in a folder of this process.

    Gradio's own folder is shared by all users and programs of a machine, and its clean-up forgets what was cut off
    while it came, and all files when the process ends. This folder can be read by its owner only. Files go after
    `MAX_AGE`, those for one event after `MAX_AGE_TEMPORARY`, and the oldest ones earlier if all together have more than
    `MAX_BYTES`. The folder itself goes at the end, and what a process left that was killed goes when the next one
    starts.

    Attributes
    ----------
    path : Path
        In ``$GRADIO_TEMP_DIR`` if that is set, else in the system's temporary folder.

    Raises
    ------
    OptionError
        When it cannot be made.
    """

    def __init__(self):
        self._given = os.environ.get("GRADIO_TEMP_DIR")
        parent = self._given or "the system's temporary folder"
        try:
            parent = expanded(self._given or tempfile.gettempdir())
            parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(parent)
            self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        except OSError as error:
            raise OptionError(
                f"GRADIO_TEMP_DIR: uploads cannot be stored in {str(parent)!r} ({error.strerror or error}); set it to "
                "a folder that this user may write."
            ) from error
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_clean, name="uploads", daemon=True)

    def __enter__(self) -> "UploadFolder":
        """Let Gradio use the folder from now on; to be entered before the page is built."""
        os.environ["GRADIO_TEMP_DIR"] = str(self.path)
        # Gradio took the folder when it was imported, and makes another one in it when it starts. That of the first
        # user of a machine is closed to the second.
        self._gradios, routes.DEFAULT_TEMP_DIR = routes.DEFAULT_TEMP_DIR, str(self.path)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Remove the folder."""
        self._ended.set()
        routes.DEFAULT_TEMP_DIR = self._gradios
        if self._given is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = self._given
        shutil.rmtree(self.path, ignore_errors=True)

    def _keep_clean(self) -> None:
        while not self._ended.wait(_INTERVAL):
            remove_old(self.path)


def remove_old(folder: Path, max_age: float = MAX_AGE, max_bytes: int = MAX_BYTES) -> None:
    """Remove files that are too old, then the oldest ones while all have more than `max_bytes` bytes.

    Too old are those of more than `max_age` seconds, and those for one event of more than `MAX_AGE_TEMPORARY`.

    Other threads may add and remove files at the same time.
    """
    files = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.lstat()
            if not path.is_dir() or path.is_symlink():
                files.append((status.st_mtime, status.st_size, path))
    total, now = sum(size for _, size, _ in files), time.time()
    for changed, size, path in sorted(files):
        most = min(max_age, MAX_AGE_TEMPORARY) if path.name.startswith(TEMPORARY) else max_age
        if now - changed <= most and total <= max_bytes:
            continue
        with suppress(OSError):
            path.unlink()
            total -= size
            if path.parent != folder:
                path.parent.rmdir()  # only if it is empty


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of processes of this user that have ended."""
    for path in parent.glob(f"{_PREFIX}*-*"):
        process = path.name.removeprefix(_PREFIX).split("-")[0]
        # In a container, this process often has the number of the one before.
        if process.isascii() and process.isdigit() and (int(process) == os.getpid() or not _is_running(int(process))):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # os.kill would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
