"""Finds, loads and runs a CLIP; the only file of the app that imports torch and clip."""

from __future__ import annotations

import hashlib
import sys
import types
import urllib.error
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .errors import ModelError, PromptTooLongError
from .metadata import OPENAI_MODELS
from .names import BUILT_IN, check_model
from .paths import BUILT_IN_CHECKPOINT

__all__ = ["ClipModel", "import_clip", "load_model"]

BATCH = 128


def import_clip() -> types.ModuleType:
    """Return openai-clip.

    openai-clip 1.0.1 runs ``from pkg_resources import packaging``. setuptools took that name out in version 70 and
    the whole module in 82, and torch asks for a newer setuptools than 70; so the `packaging` library is put where
    clip looks for it (openai/CLIP issues 446 and 528).
    """
    if "clip" not in sys.modules:
        import packaging.version

        stand_in = types.ModuleType("pkg_resources")
        stand_in.packaging = packaging
        before = sys.modules.get("pkg_resources")
        sys.modules["pkg_resources"] = stand_in
        try:
            import clip  # noqa: F401
        finally:
            # Others may look for the real one: leave no trace.
            del sys.modules["pkg_resources"]
            if before is not None:
                sys.modules["pkg_resources"] = before
    return sys.modules["clip"]


def load_model(name: str = BUILT_IN, device: str | None = None) -> ClipModel:
    """Load a CLIP.

    Parameters
    ----------
    name : str
        ``"tiny"`` for the built-in model; a name of ``clip.available_models()``, which openai-clip downloads to
        ``~/.cache/clip`` and checks; or the path of a checkpoint (OpenAI's archive, or a state dict by
        ``torch.save``).
    device : str, optional
        Default ``"cuda"`` where there is one, else ``"cpu"``.

    Returns
    -------
    ClipModel

    Raises
    ------
    ModelError
        When the name is unknown, the download fails, or the file is not a CLIP checkpoint.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    check_model(name)
    if name == BUILT_IN:
        note = "built in, trained by this project on small pictures; not one of OpenAI's models"
        return _open_checkpoint(BUILT_IN_CHECKPOINT, name, note, device)
    if name in OPENAI_MODELS:
        return _open_checkpoint(_download(name), name, f"OpenAI's CLIP {name}", device)
    path = Path(name).expanduser()
    return _open_checkpoint(path, path.name, f"a checkpoint from {path}", device)


def _download(name: str) -> Path:
    clip = import_clip()
    try:
        return Path(clip.clip._download(clip.clip._MODELS[name], str(Path.home() / ".cache" / "clip")))
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise ModelError(
            f"model: {name!r} cannot be downloaded ({error}); put the file at "
            f"{Path.home() / '.cache' / 'clip' / Path(clip.clip._MODELS[name]).name}, "
            f"give the path of a checkpoint, or use {BUILT_IN!r}, which needs no network."
        ) from error


def _open_checkpoint(path: Path, name: str, note: str, device: str) -> ClipModel:
    try:
        state_dict = _read_state_dict(path)
        model = import_clip().model.build_model(dict(state_dict))
    except Exception as error:  # Whatever a foreign file makes of torch: the user can only choose another file.
        raise ModelError(
            f"model: {str(path)!r} is not a CLIP checkpoint ({type(error).__name__}: {error}); use OpenAI's archive "
            "or a state dict in openai-clip's layout."
        ) from error
    # build_model leaves half precision, which openai-clip keeps on a GPU and gives up on a CPU.
    model = model.float() if device == "cpu" else model.to(device)
    return ClipModel(model, name=name, note=note, sha256=_sha256(path))


def _read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(path) as archive:
        scripted = any(entry.endswith("constants.pkl") for entry in archive.namelist())
    if scripted:
        return torch.jit.load(str(path), map_location="cpu").state_dict()
    return torch.load(path, map_location="cpu", weights_only=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ClipModel:
    """A `clip.model.CLIP` behind the form that the backend asks for; see `clip_demo.encoder.Encoder`.

    Parameters
    ----------
    model : clip.model.CLIP
        In evaluation mode.
    name, note, sha256 : str
        What it is called, what it is, and its checkpoint's checksum.
    """

    def __init__(self, model: torch.nn.Module, *, name: str, note: str, sha256: str):
        self.model = model.eval().requires_grad_(False)
        self.name, self.note, self.sha256 = name, note, sha256
        self.logit_scale = float(model.logit_scale.exp())
        self.preprocess = import_clip().clip._transform(model.visual.input_resolution)
        self._device = model.logit_scale.device

    @torch.inference_mode()
    def encode_images(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Encode pictures with openai-clip's own preprocessing.

        Parameters
        ----------
        pictures : sequence of PIL.Image.Image
            RGB, any size.

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            As ``model.encode_image`` gives them: not normalised.
        """
        parts = []
        for start in range(0, len(pictures), BATCH):
            batch = torch.stack([self.preprocess(each) for each in pictures[start : start + BATCH]])
            parts.append(self.model.encode_image(batch.to(self._device)).float().cpu())
        return torch.cat(parts).numpy()

    @torch.inference_mode()
    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Encode prompts with openai-clip's tokenizer.

        Parameters
        ----------
        prompts : sequence of str
            Each at most 77 tokens, start and end included.

        Returns
        -------
        numpy.ndarray, shape (n, d), float32
            As ``model.encode_text`` gives them: not normalised.

        Raises
        ------
        PromptTooLongError
            When a prompt is too long; the message says which.
        """
        tokens = self._tokenize(list(prompts)).to(self._device)
        parts = [_encode_text(self.model, tokens[i : i + BATCH]).float().cpu() for i in range(0, len(tokens), BATCH)]
        return torch.cat(parts).numpy()

    def _tokenize(self, prompts: list[str]) -> torch.Tensor:
        clip, limit = import_clip(), self.model.context_length
        try:
            return clip.tokenize(prompts, context_length=limit)
        except RuntimeError:
            for prompt in prompts:
                # Two more: the marks of start and end.
                count = len(clip.clip._tokenizer.encode(prompt)) + 2
                if count > limit:
                    shown = repr(prompt if len(prompt) <= 80 else prompt[:77] + "...")
                    raise PromptTooLongError(
                        f"prompt: {shown} has {count} tokens, start and end included; at most {limit} are allowed. "
                        "Shorten the template or the class name."
                    ) from None
            raise


def _encode_text(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Do what ``model.encode_text`` does, on the context cut to the longest prompt.

    The attention is causal and the feature is read at the end-of-text token, so what stands behind it changes
    nothing; for a hundred short prompts this is about ten times faster.
    """
    end = tokens.argmax(dim=-1)  # the end-of-text token has the highest number, (n,)
    length = int(end.max()) + 1
    mask = model.build_attention_mask()[:length, :length].to(tokens.device, model.dtype)
    x = model.token_embedding(tokens[:, :length]).type(model.dtype)  # (n, length, width)
    x = x + model.positional_embedding[:length].type(model.dtype)
    x = x.permute(1, 0, 2)  # (length, n, width)
    for block in model.transformer.resblocks:
        y = block.ln_1(x)
        x = x + block.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        x = x + block.mlp(block.ln_2(x))
    x = model.ln_final(x.permute(1, 0, 2)).type(model.dtype)
    return x[torch.arange(len(x)), end] @ model.text_projection  # (n, d)
