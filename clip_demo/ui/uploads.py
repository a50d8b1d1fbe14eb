"""The check that a file which a visitor names is one that visitors may name."""

import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gradio import processing_utils
from gradio.utils import get_upload_folder

from ..errors import ImageError
from ..paths import EXAMPLES

MAX_UPLOAD_BYTES = 20_000_000
# How the names of files begin that the page needs for one event only; see own_classes.js.
TEMPORARY = "once-"
NO_UPLOAD = "image: this is not an uploaded file; upload a file, or pass handle_file(PATH) from a program."
NOT_ARRIVED = "This photo did not arrive. Upload it again."


def uploaded_path(upload: Any) -> Path:
    """Return the path of an uploaded image, as Gradio sends it without preprocessing.

    Gradio's preprocessing is skipped so that `clip_demo.models.image_input.read_image` reads every image and writes
    every error message. Gradio checks a path only if the client's own `meta` marks it as a file, and sets the mark
    itself afterwards. So nothing that a client sends proves that the path is an upload, and the path itself is looked
    at: it must lead to a regular file in Gradio's upload folder, or be one of the example photos.

    Parameters
    ----------
    upload : mapping with ``"path"``
        From the client; it may be anything.

    Raises
    ------
    ImageError
        With the same message for every other path, so that it does not tell which files exist.
    """
    path = upload.get("path") if isinstance(upload, Mapping) else None
    found = _regular_file(path) if isinstance(path, str) else None
    if found is None:
        raise ImageError(NO_UPLOAD, page=NOT_ARRIVED)
    real, size = found
    if size > MAX_UPLOAD_BYTES:
        raise ImageError(
            f"image: {real.name!r} has {size / 1e6:.0f} MB; at most {MAX_UPLOAD_BYTES // 1_000_000} MB are allowed. "
            "Make it smaller.",
            page=f"This file has more than {MAX_UPLOAD_BYTES // 1_000_000} MB. Make the photo smaller.",
        )
    return real


@contextmanager
def temporary_upload(upload: Any) -> Iterator[Path]:
    """Yield the path of an upload as `uploaded_path` does, and delete the file afterwards.

    Only one whose name says that it is for one event: no call deletes what another visitor uploaded for longer.
    """
    path = uploaded_path(upload)
    try:
        yield path
    finally:
        if path.name.startswith(TEMPORARY) and path.is_relative_to(Path(get_upload_folder()).resolve()):
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another file with the same content is in the folder
                path.parent.rmdir()


def refuse_addresses() -> None:
    """Let Gradio refuse an address in place of a file; it would fetch it, of any size, into memory and onto disk."""
    processing_utils.async_ssrf_protected_download = _refuse


async def _refuse(url: str, cache_dir: str) -> str:
    raise ImageError(NO_UPLOAD, page=NOT_ARRIVED)


def _regular_file(path: str) -> tuple[Path, int] | None:
    """Return where a path leads, and the size in bytes, if that is a regular file that visitors may name."""
    try:
        real = Path(path).resolve(strict=True)
        allowed = any(real.is_relative_to(Path(folder).resolve()) for folder in (get_upload_folder(), EXAMPLES))
        status = real.stat()
        return (real, status.st_size) if allowed and stat.S_ISREG(status.st_mode) else None
    except (OSError, RuntimeError, ValueError):  # absent, forbidden, a circle of links, a null character
        return None
