"""Opening of checkpoints in several formats, and a converted copy that opens fast."""

import zipfile
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..artifacts import atomic_write
from ..errors import ModelError
from ..paths import converted_path
from .architecture import build_clip
from .download import sha256_of


def open_checkpoint(path: Path) -> tuple[torch.nn.Module, str]:
    """Return the CLIP of a checkpoint, in float32 on the CPU, and the checkpoint's SHA-256.

    Parameters
    ----------
    path : pathlib.Path
        A TorchScript archive of OpenAI's, a state dict saved with ``torch.save``, or a state dict as safetensors.

    Raises
    ------
    ModelError
        When the file is none of these or does not hold a CLIP.
    """
    try:
        weights = {name: value.float() if value.is_floating_point() else value for name, value in _read(path).items()}
        return build_clip(weights), sha256_of(path)
    except Exception as error:  # An arbitrary file can make torch raise anything.
        reason = str(error).splitlines()[0] if str(error) else ""
        raise ModelError(
            f"model: {str(path)!r} is not a CLIP checkpoint ({type(error).__name__}: {reason}); use an archive of "
            "OpenAI's, or a state dict in openai-clip's layout as .pt or .safetensors."
        ) from error


def _read(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    with zipfile.ZipFile(path) as archive:
        scripted = any(entry.endswith("constants.pkl") for entry in archive.namelist())
    if scripted:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    return torch.load(path, map_location="cpu", weights_only=True)


def write_converted(network: torch.nn.Module, sha256: str, archive: Path) -> None:
    """Write a copy that opens fast beside the archive; do nothing where the folder cannot be written.

    The copy is in float32, in which a CPU computes. So it is memory-mapped and used in place, and several processes
    share it.
    """
    target = converted_path(archive)
    partial = target.with_name(target.name + ".partial")
    try:
        with FileLock(f"{target}.lock"), atomic_write(target, part=partial) as temporary:
            save_file(network.state_dict(), temporary, metadata={"sha256": sha256})
    except (OSError, SafetensorError):
        return  # A read-only folder or a full disk: the archive itself still opens, only more slowly.


def open_converted(archive: Path, sha256: str) -> torch.nn.Module | None:
    """Return the model of an archive's converted copy, or None unless there is one with this checksum."""
    target = converted_path(archive)
    try:
        with safe_open(target, framework="pt") as file:
            if (file.metadata() or {}).get("sha256") != sha256:
                return None
        return build_clip(load_file(target))
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None  # Missing or damaged: the caller converts the archive again.
