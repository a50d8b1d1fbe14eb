"""Locations of files."""

import functools
import logging
import os
import re
from pathlib import Path

logger = logging.getLogger(__name__)

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILT_IN_CHECKPOINT = ASSETS / "tiny.pt"
BUILT_IN_WORDS = ASSETS / "tiny-words.npz"  # what the built-in model knows of each word
BUILT_IN_SNAPSHOTS = ASSETS / "tiny-snapshots.npz"  # image-caption pairs during its training
EXAMPLES = ASSETS / "examples"


def cache_folder() -> Path:
    """Return the folder for files that can be made again: ``$CLIP_DEMO_CACHE``, else ``~/.cache/clip_demo``."""
    return expanded(os.environ.get("CLIP_DEMO_CACHE") or "~/.cache/clip_demo")


def weights_root(root: str | Path | None = None) -> Path:
    """Return the folder of OpenAI's weights: `root`, else ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``."""
    return expanded(root or os.environ.get("CLIP_DEMO_WEIGHTS") or "~/.cache/clip")


def weights_path(name: str, root: str | Path | None = None) -> Path:
    """Return the path of an OpenAI model's archive, under openai-clip's file name."""
    return weights_root(root) / f"{name.replace('/', '-').replace('@', '-')}.pt"


def converted_path(archive: Path) -> Path:
    """Return the path of an archive's converted copy: in the same folder."""
    return archive.with_name(archive.stem + ".float32.safetensors")


def expanded(path: str | Path) -> Path:
    """Return a path whose ``~`` is the user's home; of a user without one, a folder that does not exist."""
    # os.path leaves "~" where there is no home, which would be a folder of that name in the working directory.
    return Path(re.sub(r"^~(?=[/\\]|$)", "/nonexistent", os.path.expanduser(path)))


def is_readable(path: Path) -> bool:
    """Whether a file or folder exists and may be read. Where it may not, one line says so: it counts as absent."""
    try:
        os.stat(path)
    except PermissionError:  # a folder above it may not be entered
        above = reversed(path.absolute().parents)
        _say_unreadable(next((each for each in above if not os.access(each, os.X_OK)), path))
        return False
    except (OSError, ValueError):  # also a path that is too long, leads in circles or has a null character
        return False
    if os.access(path, os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK):
        return True
    _say_unreadable(path)
    return False


@functools.cache
def _say_unreadable(path: Path) -> None:
    logger.warning("%s may not be read by this user and counts as absent.", path)
