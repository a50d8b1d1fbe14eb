"""Opening of checkpoints in several layouts, and a converted copy that opens fast."""

import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..artifacts import atomic_write
from ..errors import ModelError
from ..paths import converted_path
from .architecture import build_clip
from .layouts import from_transformers, is_transformers, weights_sha256


def open_checkpoint(path: Path) -> tuple[torch.nn.Module, str]:
    """Return the CLIP of a checkpoint, in float32 on the CPU, and the checksum of its weights.

    Parameters
    ----------
    path : pathlib.Path
        A TorchScript archive of OpenAI's; or a state dict, saved with ``torch.save`` or as safetensors, in
        openai-clip's layout, which is also open_clip's, or in that of `transformers`.

    Returns
    -------
    network : clip.model.CLIP
    sha256 : str
        See `clip_demo.models.layouts.weights_sha256`.

    Raises
    ------
    ModelError
        When the file is none of these, does not hold a CLIP, or has weights that are infinite or NaN.
    """
    try:
        stored = _read(path)
        if is_transformers(stored):
            stored = from_transformers(stored)
        weights = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
        network = build_clip(weights)
    except Exception as error:  # An arbitrary file can make torch raise anything.
        reason = str(error).splitlines()[0] if str(error) else ""
        raise ModelError(
            f"model: {str(path)!r} is not a CLIP checkpoint ({type(error).__name__}: {reason}); use an archive of "
            "OpenAI's, or a state dict in the layout of openai-clip, open_clip or transformers as .pt or .safetensors.",
            page=f"{path.name} is damaged or does not contain a CLIP model. Choose another model.",
            private=True,
        ) from error
    broken = [name for name, value in network.state_dict().items() if not value.isfinite().all()]
    if broken:
        names = f"{', '.join(broken[:3])}{', ...' if len(broken) > 3 else ''}"
        raise ModelError(
            f"model: {str(path)!r} has weights that are infinite or no numbers ({names}), and so would be every "
            "prediction; the training that made the file has failed. Use another checkpoint.",
            page=f"The weights in {path.name} are damaged: some are no numbers. Choose another model.",
            private=True,
        )
    return network, weights_sha256(weights)


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    if not zipfile.is_zipfile(path):  # by content, because files in the Hub's cache have no ending
        return load_file(path)
    with zipfile.ZipFile(path) as archive:
        scripted = any(entry.endswith("constants.pkl") for entry in archive.namelist())
    if scripted:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    return torch.load(path, map_location="cpu", weights_only=True)


def write_converted(network: torch.nn.Module, weights: str, source: str, archive: Path) -> bool:
    """Write a copy that opens fast beside the archive; do nothing where the folder cannot be written.

    The copy is in float32, in which a CPU computes. So it is memory-mapped and used in place, and several processes
    share it.

    Parameters
    ----------
    network : clip.model.CLIP
    weights, source : str
        Checksums of the weights, and of the file that they came from.
    archive : Path
        Where OpenAI's archive lies or would lie.

    Returns
    -------
    bool
        Whether the copy was written.
    """
    target = converted_path(archive)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"), atomic_write(target) as temporary:
            save_file(network.state_dict(), temporary, metadata={"sha256": source, "weights": weights})
    except (OSError, SafetensorError):
        return False  # A read-only folder or a full disk: the archive itself still opens, only more slowly.
    return True


def open_converted(archive: Path, sources: Collection[str]) -> tuple[torch.nn.Module, str] | None:
    """Return the model of an archive's converted copy and the checksum of its weights.

    Returns None unless there is a copy that was made from a file with one of the checksums `sources`.
    """
    target = converted_path(archive)
    try:
        with safe_open(target, framework="pt") as file:
            metadata = file.metadata() or {}
        if metadata.get("sha256") not in sources:
            return None
        weights = load_file(target)
        # Copies of earlier versions do not have the checksum of the weights.
        return build_clip(weights), metadata.get("weights") or weights_sha256(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None  # Missing or damaged: the caller converts the archive again.
