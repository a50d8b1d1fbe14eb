"""Opens a checkpoint in any of its forms, and keeps a copy that opens fast."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..errors import ModelError
from ..paths import converted_path
from .architecture import build_clip
from .download import sha256_of

__all__ = ["open_checkpoint", "open_converted", "write_converted"]


def open_checkpoint(path: Path) -> tuple[torch.nn.Module, str]:
    """Return the CLIP of a checkpoint in float32 on the CPU, and the checkpoint's SHA-256.

    Parameters
    ----------
    path : pathlib.Path
        OpenAI's TorchScript archive, a state dict by ``torch.save``, or a state dict in safetensors form.

    Raises
    ------
    ModelError
        When it is none of these or no CLIP.
    """
    try:
        weights = {name: value.float() if value.is_floating_point() else value for name, value in _read(path).items()}
        return build_clip(weights), sha256_of(path)
    except Exception as error:  # Whatever a foreign file makes of torch: the user can only choose another file.
        reason = str(error).splitlines()[0] if str(error) else ""
        raise ModelError(
            f"model: {str(path)!r} is not a CLIP checkpoint ({type(error).__name__}: {reason}); use OpenAI's archive, "
            "or a state dict in openai-clip's layout as .pt or .safetensors."
        ) from error


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    with zipfile.ZipFile(path) as archive:
        scripted = any(entry.endswith("constants.pkl") for entry in archive.namelist())
    if scripted:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    return torch.load(path, map_location="cpu", weights_only=True)


def write_converted(model: torch.nn.Module, sha256: str, archive: Path) -> None:
    """Keep a model in a form that opens at once; where there is no room for it, do without.

    It is in float32, since that is what a CPU computes in: the file is then mapped into memory and used in place,
    and several processes share one copy.
    """
    target = converted_path(archive)
    partial = target.with_name(target.name + ".partial")
    try:
        # One process at a time, and always the same name: what a killed process leaves is written over.
        with FileLock(f"{target}.lock"):
            try:
                save_file(model.state_dict(), partial, metadata={"sha256": sha256})
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)
    except (OSError, SafetensorError):
        return  # A folder that is read-only or full: the archive itself still opens, only slower.


def open_converted(archive: Path, sha256: str) -> torch.nn.Module | None:
    """Return the model of an archive's copy, or None where there is no copy of just this archive."""
    target = converted_path(archive)
    try:
        with safe_open(target, framework="pt") as file:
            if (file.metadata() or {}).get("sha256") != sha256:
                return None
        return build_clip(load_file(target))
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None  # Cut short by a full disk, say: it is made again from the archive.
