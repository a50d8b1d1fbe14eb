"""Where files lie."""

import os
from pathlib import Path

__all__ = ["ASSETS", "BUILT_IN_CHECKPOINT", "EXAMPLES", "HEADS", "cache_folder"]

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILT_IN_CHECKPOINT = ASSETS / "tiny.pt"
EXAMPLES = ASSETS / "examples"
HEADS = ASSETS / "heads"


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``$CLIP_DEMO_CACHE``, else ``~/.cache/clip_demo``."""
    return Path(os.environ.get("CLIP_DEMO_CACHE") or Path.home() / ".cache" / "clip_demo")
