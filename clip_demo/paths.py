"""Where files lie."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "CURVES",
    "ASSETS",
    "BUILT_IN_CHECKPOINT",
    "CURVES",
    "EXAMPLES",
    "FEATURES",
    "HEADS",
    "cache_folder",
    "converted_path",
    "weights_on_disk",
    "weights_path",
    "weights_root",
]

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILT_IN_CHECKPOINT = ASSETS / "tiny.pt"
CURVES = ASSETS / "curves"
EXAMPLES = ASSETS / "examples"
FEATURES = ASSETS / "features"
HEADS = ASSETS / "heads"
CURVES = ASSETS / "curves"


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``$CLIP_DEMO_CACHE``, else ``~/.cache/clip_demo``."""
    return Path(os.environ.get("CLIP_DEMO_CACHE") or Path.home() / ".cache" / "clip_demo")


def weights_root(root: str | Path | None = None) -> Path:
    """Return the folder of OpenAI's weights: `root`, else ``$CLIP_DEMO_WEIGHTS``, else openai-clip's own."""
    return Path(root or os.environ.get("CLIP_DEMO_WEIGHTS") or Path.home() / ".cache" / "clip").expanduser()


def weights_path(name: str, root: str | Path | None = None) -> Path:
    """Return where openai-clip puts, and looks for, the archive of one of its models."""
    return weights_root(root) / f"{name.replace('/', '-').replace('@', '-')}.pt"


def converted_path(archive: Path) -> Path:
    """Return where the copy of an archive that opens fast lies: beside it."""
    return archive.with_name(archive.stem + ".float32.safetensors")


def weights_on_disk(name: str, root: str | Path | None = None) -> bool:
    """Whether one of OpenAI's models opens without a download: from its archive, or from the copy alone."""
    archive = weights_path(name, root)
    return archive.is_file() or converted_path(archive).is_file()
