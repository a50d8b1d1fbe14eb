"""Locations of files."""

import os
from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILT_IN_CHECKPOINT = ASSETS / "tiny.pt"
BUILT_IN_WORDS = ASSETS / "tiny-words.npz"  # what the built-in model knows of each word
BUILT_IN_SNAPSHOTS = ASSETS / "tiny-snapshots.npz"  # image-caption pairs during its training
EXAMPLES = ASSETS / "examples"


def cache_folder() -> Path:
    """Return the folder for files that can be made again: ``$CLIP_DEMO_CACHE``, else ``~/.cache/clip_demo``."""
    return Path(os.environ.get("CLIP_DEMO_CACHE") or Path.home() / ".cache" / "clip_demo")


def weights_root(root: str | Path | None = None) -> Path:
    """Return the folder of OpenAI's weights: `root`, else ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``."""
    return Path(root or os.environ.get("CLIP_DEMO_WEIGHTS") or Path.home() / ".cache" / "clip").expanduser()


def weights_path(name: str, root: str | Path | None = None) -> Path:
    """Return the path of an OpenAI model's archive, under openai-clip's file name."""
    return weights_root(root) / f"{name.replace('/', '-').replace('@', '-')}.pt"


def converted_path(archive: Path) -> Path:
    """Return the path of an archive's converted copy: in the same folder."""
    return archive.with_name(archive.stem + ".float32.safetensors")
