"""Loading of a model by name or from a checkpoint."""

from pathlib import Path

import torch

from ..errors import OptionError
from ..paths import BUILT_IN_CHECKPOINT, weights_path
from ..progress import Progress
from .catalog import BUILT_IN, OPENAI_MODELS, check_model
from .checkpoint import open_checkpoint, open_converted, write_converted
from .clip_model import ClipModel
from .download import checksum_of, fetch_weights
from .openai_clip import import_clip


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
        ``"tiny"`` for the built-in model; a name in ``clip.available_models()``, which is downloaded if it is not on
        disk; or the path of a checkpoint: an archive of OpenAI's, or a state dict as ``.pt`` or ``.safetensors``.
    device : str, optional
        ``"cpu"``, ``"cuda"`` or ``"mps"``; default ``"cuda"`` if available, else ``"cpu"``. As in openai-clip, the
        model computes in float16 on a CUDA device and in float32 elsewhere.
    weights_root : path, optional
        Folder of OpenAI's weights; default ``$CLIP_DEMO_WEIGHTS``, else ``~/.cache/clip``.
    progress : callable, optional
        Called during a download with the model's name, the bytes received and the bytes in total.

    Raises
    ------
    ModelError
        When the name is unknown, the download fails, or the file is not a CLIP checkpoint.
    OptionError
        When the device is not available.
    """
    check_model(name)
    device = _check_device(device)
    if name == BUILT_IN:
        note = "built in, trained by this project on small images; not one of OpenAI's models"
        network, sha256 = open_checkpoint(BUILT_IN_CHECKPOINT)
    elif name in OPENAI_MODELS:
        note = f"OpenAI's CLIP {name}"
        network, sha256 = _open_openai(name, weights_root, progress)
    else:
        path = Path(name).expanduser()
        name, note = path.name, f"a checkpoint from {path}"
        network, sha256 = open_checkpoint(path)
    if device.startswith("cuda"):
        import_clip().model.convert_weights(network)  # float16 wherever openai-clip uses it
    return ClipModel(network.to(device), name=name, note=note, sha256=sha256)


def _open_openai(name: str, root: str | Path | None, progress: Progress | None) -> tuple[torch.nn.Module, str]:
    archive, sha256 = weights_path(name, root), checksum_of(name)
    network = open_converted(archive, sha256)
    if network is None:
        archive = fetch_weights(name, root, progress)
        network, _ = open_checkpoint(archive)
        write_converted(network, sha256, archive)
        # Reopened, so that the first start also runs on the memory-mapped file and frees the other copy.
        network = open_converted(archive, sha256) or network
    return network, sha256


def _check_device(device: str | None) -> str:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        return "cuda" if available["cuda"] else "cpu"
    if not available.get(device.split(":")[0]):
        allowed = ", ".join(repr(each) for each, is_available in available.items() if is_available)
        raise OptionError(f"device: {device!r} is not available on this machine; use one of {allowed}.")
    return device
