"""Opening of checkpoints in several layouts, and a converted copy that opens fast."""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..artifacts import atomic_write
from ..errors import ClipDemoError, ModelError, OptionError
from ..paths import converted_path
from .architecture import LayoutError, attention_width, build_clip, infer_architecture, listed
from .layouts import weights_sha256
from .marks import Marks, marks_beside, marks_inside, openai_marks
from .state_dict import Found, find_clip

VOCABULARY = 49408  # of openai-clip's tokenizer


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint.

    Attributes
    ----------
    network : clip.model.CLIP
        In float32 on the CPU.
    sha256 : str
        Of the weights, see `clip_demo.models.layouts.weights_sha256`; of the weights and what differs where the model
        is not computed as openai-clip computes these weights.
    marks : Marks
        How the model is computed; nothing is None.
    differences : str
        In what that differs from openai-clip; "" for nothing.
    assumption : str
        What is assumed because the file does not say it, as a part of a sentence; "" for nothing.
    as_is : bool
        Whether ``torch.load`` and ``clip.model.build_model`` open the file to the same model.
    """

    network: torch.nn.Module
    sha256: str
    marks: Marks
    differences: str
    assumption: str
    as_is: bool


def open_checkpoint(path: Path) -> tuple[torch.nn.Module, str]:
    """Return the network and the checksum of a checkpoint that is known to be openai-clip's; see `read_checkpoint`."""
    opened = read_checkpoint(path, trusted=True)
    return opened.network, opened.sha256


def read_checkpoint(
    path: Path, activation: str | None = None, heads: int | None = None, *, trusted: bool = False
) -> Checkpoint:
    """Open a checkpoint.

    Parameters
    ----------
    path : pathlib.Path
        A TorchScript archive of OpenAI's; or a state dict, saved with ``torch.save`` or as safetensors, in
        openai-clip's layout, which is also open_clip's, or in that of `transformers`. It may be a part of a training
        checkpoint, and its names may have a prefix.
    activation, heads : optional
        See `clip_demo.models.load.load_model`; default what the file or the files beside it say, and where they say
        nothing, as ``clip.model.build_model`` opens it.
    trusted : bool
        The file is one of openai-clip's: nothing else is looked at.

    Raises
    ------
    ModelError
        When the file is none of these, does not hold a CLIP, or has weights that are infinite or NaN.
    """
    try:
        stored, said = _read(path)
        found = find_clip(stored)
        sizes = infer_architecture(found.weights)
        if sizes["vocab_size"] != VOCABULARY:
            raise LayoutError(
                f"'token_embedding.weight' has the shape {tuple(found.weights['token_embedding.weight'].shape)}, and "
                f"openai-clip's tokenizer has {VOCABULARY} tokens"
            )
        _check_heads(path, heads, attention_width(sizes))
        marks = Marks(activation, heads)
        if trusted:
            marks |= openai_marks(sizes)
        else:
            marks |= marks_inside(stored, sizes) | marks_inside(said, sizes) | marks_beside(path, sizes)
        assumption = _assumption(marks, sizes, found)
        marks |= openai_marks(sizes)
        network = build_clip(found.weights, activation=marks.activation, heads=marks.heads, text_heads=marks.text_heads)
    except ClipDemoError:
        raise
    except OSError as error:
        raise ModelError(
            f"model: {str(path)!r} cannot be read ({error.strerror or error}); use a file that this user may read.",
            page=f"{path.name} cannot be read. Ask the person who runs this program.",
            private=True,
        ) from error
    except Exception as error:  # An arbitrary file can make torch raise anything.
        raise ModelError(
            f"model: {str(path)!r} is not a CLIP checkpoint that can be used here ({_reason(error)}); use an archive "
            "of OpenAI's, or a state dict in the layout of openai-clip, open_clip or transformers as .pt or "
            ".safetensors.",
            page=f"{path.name} is damaged or does not contain a CLIP model. Choose another model.",
            private=True,
        ) from error
    _check_numbers(path, network)
    weights, differences = weights_sha256(found.weights), marks.differences(sizes)
    sha256 = hashlib.sha256(f"{weights} {differences}".encode()).hexdigest() if differences else weights
    return Checkpoint(network, sha256, marks, differences, assumption, found.as_is and said is None and not differences)


def _assumption(marks: Marks, sizes: dict, found: Found) -> str:
    """Return what the marks leave open, and what of the file is not used."""
    parts = ["QuickGELU"] if marks.activation is None else []
    if marks.heads is None:
        widths = {width // max(width // 64, 1) for width in (attention_width(sizes), sizes["transformer_width"])}
        parts.append(f"heads of {' and '.join(map(str, sorted(widths)))}")
    taken = (
        f"taken as {', '.join(parts)}, as OpenAI's models are: the file does not say so, and if it was trained "
        "otherwise, all predictions are wrong"
    )
    unused = f"without {listed(found.left_out)}, which are beside the CLIP in the file"
    return "; ".join([taken] * bool(parts) + [unused] * bool(found.left_out))


def _check_heads(path: Path, heads: int | None, width: int) -> None:
    if heads is not None and width % heads:
        raise OptionError(
            f"heads: got {heads}; the heads of the image encoder in {str(path)!r} share a width of {width}, so use a "
            "number that divides it.",
            page=f"The image encoder in {path.name} cannot have {heads} heads. Ask the person who runs this program.",
        )


def _check_numbers(path: Path, network: torch.nn.Module) -> None:
    broken = [name for name, value in network.state_dict().items() if not value.isfinite().all()]
    # The parameter is a logarithm; some programs store the scale itself, 100, of which the exponential is infinite.
    if not broken and not network.logit_scale.exp().isfinite():
        broken = ["logit_scale"]
    if broken:
        names = f"{', '.join(broken[:3])}{', ...' if len(broken) > 3 else ''}"
        raise ModelError(
            f"model: {str(path)!r} has weights that are infinite or no numbers ({names}), and so would be every "
            "prediction; the training that made the file has failed. Use another checkpoint.",
            page=f"The weights in {path.name} are damaged: some are no numbers. Choose another model.",
            private=True,
        )


def _read(path: Path) -> tuple[object, object]:
    """Return the content of a file, and what else the file says; None for a file of ``torch.save``.

    Objects other than tensors and plain values are never made from it.
    """
    with path.open("rb") as file:
        start = file.read(9)
    # By content, because files in the Hub's cache have no ending.
    if start[8:] == b"{":
        with safe_open(path, framework="pt") as file:
            said = file.metadata()
        return load_file(path), said or {}
    if start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            entries = archive.namelist()
            if any(entry.endswith("constants.pkl") for entry in entries):
                programs = b"".join(archive.read(entry) for entry in entries if entry.endswith(".py"))
                said = {"activation": "gelu"} if b"gelu(" in programs else {"activation": "quickgelu"}
                return torch.jit.load(str(path), map_location="cpu").state_dict(), said
        if not any(entry.endswith("data.pkl") for entry in entries):
            raise LayoutError(f"it is a ZIP archive without a model; it has {listed(entries) or 'no files'}")
    elif start[:1] != b"\x80":  # of a pickle, in which torch saved before version 1.6
        raise LayoutError(f"it is neither a file of torch nor of safetensors; it begins with {start!r}")
    return torch.load(path, map_location="cpu", weights_only=True), None


def _reason(error: Exception) -> str:
    """Return why a file cannot be opened, without torch's advice to open it unsafely."""
    text = str(error)
    if isinstance(error, LayoutError):
        return text
    if isinstance(error, pickle.UnpicklingError):
        objects = re.findall(r"GLOBAL ([\w.]+)", text)
        return (
            f"it holds Python objects{f' of {objects[0]}' if objects else ''}, which are not opened because they can "
            "run code; save the weights alone, with `torch.save(model.state_dict(), ...)`"
        )
    damaged = ("PytorchStreamReader", "incomplete metadata", "unexpected EOF")
    if isinstance(error, (zipfile.BadZipFile, EOFError)) or any(each in text for each in damaged):
        return "the file is incomplete or damaged"
    first = "".join(letter for letter in text.partition("\n")[0] if letter.isprintable())
    return f"{type(error).__name__}: {first}"


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
    except (OSError, SafetensorError, LayoutError, RuntimeError):
        return None  # Missing or damaged: the caller converts the archive again.
