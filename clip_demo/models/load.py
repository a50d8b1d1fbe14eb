"""Finds, loads and runs a CLIP; the only room of the app that imports torch and clip.

``openai_clip.py`` imports openai-clip, ``weights.py`` fetches OpenAI's archives, ``checkpoint.py`` opens them and
keeps a fast copy, ``architecture.py`` builds the network, ``clip_model.py`` runs it,
by the forward passes of ``forward.py``, on all cores by ``cores.py``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import OptionError
from ..paths import BUILT_IN_CHECKPOINT, weights_path
from .catalog import BUILT_IN, OPENAI_MODELS, check_model
from .checkpoint import open_checkpoint, open_converted, write_converted
from .clip_model import ClipModel
from .download import Progress, checksum_of, fetch_weights
from .forward import encode_text
from .openai_clip import import_clip

__all__ = ["ClipModel", "encode_text", "fetch_weights", "import_clip", "load_model"]


def load_model(
    name: str = BUILT_IN,
    *,
    device: str | None = None,
    weights_root: str | Path | None = None,
    progress: Progress | None = None,
) -> ClipModel:
    """Load a CLIP.

    Parameters
    ----------
    name : str
        ``"tiny"`` for the built-in model; a name of ``clip.available_models()``, which is downloaded where it is not
        on disk; or the path of a checkpoint: OpenAI's archive, or a state dict as ``.pt`` or ``.safetensors``.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"mps"``; default ``"cuda"`` where there is one, else ``"cpu"``. As openai-clip does,
        it computes in float16 on a CUDA device and in float32 on any other.
    weights_root : path, optional
        Where OpenAI's weights lie; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.
    progress : callable, optional
        Called during a download with the bytes that have come and the bytes in all.

    Returns
    -------
    ClipModel

    Raises
    ------
    ModelError
        When the name is unknown, the download fails, or the file is not a CLIP checkpoint.
    OptionError
        When there is no such device.
    """
    check_model(name)
    device = _check_device(device)
    if name == BUILT_IN:
        note = "built in, trained by this project on small images; not one of OpenAI's models"
        model, sha256 = open_checkpoint(BUILT_IN_CHECKPOINT)
    elif name in OPENAI_MODELS:
        note = f"OpenAI's CLIP {name}"
        model, sha256 = _open_openai(name, weights_root, progress)
    else:
        path = Path(name).expanduser()
        name, note = path.name, f"a checkpoint from {path}"
        model, sha256 = open_checkpoint(path)
    return ClipModel(_on_device(model, device), name=name, note=note, sha256=sha256)


def _open_openai(name: str, root: str | Path | None, progress: Progress | None) -> tuple[torch.nn.Module, str]:
    archive, sha256 = weights_path(name, root), checksum_of(name)
    model = open_converted(archive, sha256)
    if model is None:
        archive = fetch_weights(name, root, progress)
        model, _ = open_checkpoint(archive)
        write_converted(model, sha256, archive)
        # Opened again, so that the first start too runs on the mapped file and gives the rest of its memory back.
        model = open_converted(archive, sha256) or model
    return model, sha256


def _check_device(device: str | None) -> str:
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        return "cuda" if usable["cuda"] else "cpu"
    if not usable.get(device.split(":")[0]):
        allowed = ", ".join(repr(name) for name, there in usable.items() if there)
        raise OptionError(f"device: {device!r} is not to be had on this machine; use one of {allowed}.")
    return device


def _on_device(model: torch.nn.Module, device: str) -> torch.nn.Module:
    if device.startswith("cuda"):
        import_clip().model.convert_weights(model)  # half precision where openai-clip has it
    return model.to(device)
