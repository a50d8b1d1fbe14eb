"""Loading of a model by name or from a checkpoint."""

from pathlib import Path

import torch

from ..artifacts import also_known_as
from ..download import checksum_of, match
from ..errors import ModelError, OptionError
from ..paths import BUILT_IN_CHECKPOINT, converted_path, weights_path
from ..progress import Progress
from .catalog import (
    BUILT_IN,
    OPENAI_MODELS,
    available_models,
    check_model,
    check_network_options,
    is_downloaded,
    title_of,
)
from .checkpoint import Checkpoint, open_checkpoint, open_converted, read_checkpoint, write_converted
from .clip_model import ClipModel
from .encoder_protocol import ModelCard
from .openai_clip import import_clip
from .sources import ARCHIVES, fetch_weights, is_openai_file, weights_files


def load_model(
    name: str = BUILT_IN,
    *,
    device: str | None = None,
    weights_root: str | Path | None = None,
    progress: Progress | None = None,
    activation: str | None = None,
    heads: int | None = None,
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
    activation : {"quickgelu", "gelu"}, optional
        Of a checkpoint's network; default what the file or the files beside it say, otherwise QuickGELU.
    heads : int, optional
        Number of attention heads of a checkpoint's image encoder; default what the file or the files beside it say,
        otherwise one for 64 of its width.

    Raises
    ------
    ModelError
        When the name is unknown, the download fails, or the file is not a CLIP checkpoint.
    OptionError
        When the device is not available, or `activation` or `heads` do not fit.
    """
    check_model(name)
    check_network_options(name, activation, heads)
    device = check_device(device)
    opened = None
    if name == BUILT_IN:
        note = "built in, trained by this project on small images; not one of OpenAI's models"
        network, sha256 = open_checkpoint(BUILT_IN_CHECKPOINT)
    elif name in OPENAI_MODELS:
        note = f"OpenAI's CLIP {name}"
        network, sha256 = _open_openai(name, weights_root, progress)
        also_known_as(sha256, ARCHIVES[name][0])
    else:
        opened, file_sha256 = _read_file(name, activation, heads)
        network, sha256 = opened.network, opened.sha256
        name, note = title_of(name), ", ".join(filter(None, ["a checkpoint", opened.assumption]))
        if not opened.differences:
            also_known_as(sha256, file_sha256)
        elif given := ", ".join(filter(None, [activation, heads and f"{heads} heads"])):
            name += f" ({given})"  # or stored heads and features would replace those of the same file without options
    if device.startswith("cuda"):
        import_clip().model.convert_weights(network)  # float16 wherever openai-clip uses it
    return ClipModel(network.to(device), name=name, note=note, sha256=sha256, checkpoint=opened)


def checksum_of_model(name: str, *, activation: str | None = None, heads: int | None = None) -> str:
    """Return a checksum of a model, perhaps a former one, without its weights where it is one of OpenAI's.

    See `load_model` for the arguments.
    """
    check_model(name)
    check_network_options(name, activation, heads)
    if name in OPENAI_MODELS:
        return ARCHIVES[name][0]
    if name == BUILT_IN:
        return open_checkpoint(BUILT_IN_CHECKPOINT)[1]
    return _read_file(name, activation, heads)[0].sha256


def load_copy(card: ModelCard, given: str | None, **options) -> ClipModel:
    """Return the copy on this machine of a model that runs elsewhere, loaded without a download.

    Parameters
    ----------
    card : ModelCard
    given : str or None
        Name or path of the model, where the host named it.
    **options
        As for `load_model`.

    Raises
    ------
    ModelError
        When there is none, or it is another model.
    """
    name = given or card.name
    if name not in available_models():
        found = given is not None
    else:
        found = is_downloaded(name, options.get("weights_root"))
    if not found:
        hint = f"run `python -m clip_demo download {name}`" if name in OPENAI_MODELS else "give its path with --model"
        raise ModelError(
            f"model: {name!r} runs on another machine, and this needs a copy on this one; {hint}.",
            page=f"This needs {name} on the computer that runs this page, and it is only on another one.",
        )
    copy = load_model(name, **options)
    if copy.sha256 != card.sha256:
        raise ModelError(
            f"model: {name!r} on this machine has the SHA-256 {copy.sha256}, and the encoder's {card.sha256}.",
            page=f"This needs the same {name} on the computer that runs this page, and there it is another one.",
        )
    return copy


def _read_file(name: str, activation: str | None, heads: int | None) -> tuple[Checkpoint, str]:
    """Return the checkpoint at a path, and the checksum of the file."""
    path = Path(name).expanduser()
    file_sha256 = checksum_of(path)
    return read_checkpoint(path, activation, heads, trusted=is_openai_file(file_sha256)), file_sha256


def _open_openai(name: str, root: str | Path | None, progress: Progress | None) -> tuple[torch.nn.Module, str]:
    archive, files = weights_path(name, root), weights_files(name)
    sums = [file.sha256 for file in files]
    opened = open_converted(archive, sums)
    if opened is None:
        path, file = fetch_weights(name, root, progress)
        opened = open_checkpoint(path)
        write_converted(*opened, file.sha256, archive)
        # Reopened, so that the first start also runs on the memory-mapped file and frees the other copy.
        opened = open_converted(archive, sums) or opened
    return opened


def import_weights(name: str, given: Path, root: str | Path | None = None) -> Path:
    """Take an OpenAI model's weights from a file, or from a folder that contains one, such as a copy of a cache.

    Returns
    -------
    Path
        The converted copy, from which the model opens.

    Raises
    ------
    ModelError
        When no file has one of the known checksums, or the copy cannot be written.
    """
    files = weights_files(name)
    found = match(files, given)
    if found is None:
        here = "contains none" if given.is_dir() else "is none"
        known = "\n".join(
            f"{file.sha256}  {file.name or file.sources[0] if file.sources else file.cached[0]}" for file in files
        )
        raise ModelError(f"model: {str(given)!r} {here} of the known files of {name}, by SHA-256:\n{known}")
    path, file = found
    archive = weights_path(name, root)
    if not write_converted(*open_checkpoint(path), file.sha256, archive):
        raise ModelError(f"model: {converted_path(archive)} cannot be written; give a folder with --weights-root.")
    return converted_path(archive)


def check_device(device: str | None) -> str:
    """Return the device, by default the best one here, or raise an OptionError where it is not available."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device is None:
        return "cuda" if available["cuda"] else "cpu"
    if not available.get(device.split(":")[0]):
        allowed = ", ".join(repr(each) for each, is_available in available.items() if is_available)
        raise OptionError(
            f"device: {device!r} is not available on this machine; use one of {allowed}.",
            page=f"Models cannot run on {device} here. Ask the person who runs this program to choose another device.",
        )
    return device
