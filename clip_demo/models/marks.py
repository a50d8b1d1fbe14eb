"""What a checkpoint says of its model besides the weights: activation, attention heads, normalisation of images.

Two networks may have the same names and shapes. open_clip's state dicts are in openai-clip's layout, but most of its
models have GELU where openai-clip has QuickGELU, and the heads of a ViT-H are 80 wide where openai-clip has 64.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from .architecture import HEAD_WIDTH, LayoutError, attention_width, listed
from .catalog import ACTIVATIONS, OPENAI_MODELS

# As in `clip.clip._transform` of openai-clip 1.0.1.
OPENAI_MEAN, OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

# open_clip's names of the models with openai-clip's layers, alone, in the name of a training run, or on the Hub.
_OPEN_CLIP_NAME = re.compile(
    r"(?:^|\bmodel_|^laion/CLIP-)(?P<kind>ViT-(?P<size>bigG|[SMBLHge])-\d+|RN\d+(?:x\d+)?)(?:-(?:plus|alt|\d+))*"
    r"(?P<quick>-quickgelu)?(?=$|-lr_|-laion|-DataComp|-CommonPool)"
)
_HEAD_WIDTHS = {"H": 80, "g": 88, "bigG": 104, "e": 112}  # of the image encoders; 64 in all others
_NAME_KEYS = ("name", "model_name", "model", "arch", "architecture")
_CONTAINERS = ("args", "config", "cfg", "hparams", "hyper_parameters", "metadata")
# Options of open_clip that change the network or its input, with the values that openai-clip has besides empty ones.
_NEUTRAL = {
    "pool_type": ("tok", "argmax"), "pos_embed_type": ("learnable",), "proj_type": ("linear",),
    "block_type": ("default",), "tokenizer_mode": ("clean",),
}  # fmt: skip
# What shapes say, and what has no influence or needs another option that is in neither of the lists.
_HARMLESS = {
    "layers", "width", "head_width", "heads", "mlp_ratio", "patch_size", "image_size", "patch_dropout", "pad_id",
    "context_length", "vocab_size", "eos_id", "output_tokens", "attn_pooler_queries", "attn_pooler_heads",
    "hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "timm_model_pretrained", "timm_pool", "timm_proj",
    "timm_drop", "timm_drop_path",
}  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """What is said of a model; None where nothing is said.

    Attributes
    ----------
    activation : {"quickgelu", "gelu"} or None
    heads, text_heads : int or None
        Attention heads of the image encoder and of the text encoder.
    mean, std : tuple of float, or None
        Of the three channels of an image, by which it is normalised.
    """

    activation: str | None = None
    heads: int | None = None
    text_heads: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __or__(self, other: "Marks") -> "Marks":
        """Return these marks, and those of `other` where nothing is said here."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return Marks(**{name: second if first is None else first for name, (first, second) in pairs.items()})

    def differences(self, sizes: Mapping) -> str:
        """Return in what the model differs from openai-clip's of the same shapes; "" for none."""
        own = openai_marks(sizes)
        found = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return ", ".join(f"{name} {value}" for name, value in found.items() if value != getattr(own, name))


def openai_marks(sizes: Mapping) -> Marks:
    """Return how ``clip.model.build_model`` opens a state dict of these sizes; see `infer_architecture`."""
    heads, text_heads = attention_width(sizes) // HEAD_WIDTH, sizes["transformer_width"] // HEAD_WIDTH
    return Marks("quickgelu", heads, text_heads, OPENAI_MEAN, OPENAI_STD)


def marks_inside(stored: object, sizes: Mapping) -> Marks:
    """Return what the content of a file says: the name of a model, or options of open_clip.

    Parameters
    ----------
    stored : object
        What was saved together with the state dict, or the metadata of a safetensors file.
    sizes : mapping
        See `infer_architecture`.
    """
    marks = Marks()
    for mapping in _descriptions(stored):
        marks |= _of_open_clip(mapping, sizes)
        if mapping.get("force_quick_gelu") is True:
            marks |= Marks("quickgelu")
        if isinstance(activation := mapping.get("activation"), str) and activation in ACTIVATIONS:
            marks |= Marks(activation)
        # OpenAI's weights in open_clip: its version 2 computes them with QuickGELU, version 3 with the model's own.
        is_openai = mapping.get("pretrained") == "openai"
        for key in _NAME_KEYS:
            if isinstance(mapping.get(key), str) and not is_openai:
                marks |= _of_name(mapping[key], sizes)
    return marks


def marks_beside(path: Path, sizes: Mapping) -> Marks:
    """Return what the files say that open_clip and transformers write into the folder of a checkpoint."""
    theirs = _of_transformers(_json(path.with_name("config.json")), sizes)
    if theirs != Marks():
        theirs |= _normalisation(_json(path.with_name("preprocessor_config.json")), "image_mean", "image_std")
    return _of_open_clip(_json(path.with_name("open_clip_config.json")), sizes) | theirs


def _json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent or damaged: it says nothing
        return {}
    return content if isinstance(content, dict) else {}


def _descriptions(stored: object) -> Iterator[Mapping]:
    if isinstance(stored, str) and stored.startswith("{"):  # the metadata of safetensors are texts
        try:
            stored = json.loads(stored)
        except ValueError:
            return
    if isinstance(stored, Mapping):
        yield stored
        for key in (*_CONTAINERS, "open_clip_config"):
            yield from _descriptions(stored.get(key))


def _of_name(name: str, sizes: Mapping) -> Marks:
    own = openai_marks(sizes)
    if name.startswith("openai/clip-vit") or (name in OPENAI_MODELS and "/" in name):
        return Marks("quickgelu", own.heads, own.text_heads)
    found = _OPEN_CLIP_NAME.search(name)
    if found is None or name in OPENAI_MODELS:  # "RN50" is a model of both
        return Marks()
    heads = attention_width(sizes) // _HEAD_WIDTHS.get(found["size"], HEAD_WIDTH)
    return Marks("quickgelu" if found["quick"] else "gelu", heads, own.text_heads)


def _of_open_clip(config: Mapping, sizes: Mapping) -> Marks:
    """Return what a configuration of open_clip says; nothing where it is another model's."""
    model = _part(config, "model_cfg") or config
    if not ("quick_gelu" in model or "vision_cfg" in model):
        return Marks()
    vision, text = _part(model, "vision_cfg"), _part(model, "text_cfg")
    layers = vision.get("layers")
    if not _same(sizes, embed_dim=model.get("embed_dim"), vision_width=vision.get("width"),
                 vision_layers=tuple(layers) if isinstance(layers, list) else layers,
                 transformer_width=text.get("width"), transformer_layers=text.get("layers")):  # fmt: skip
        return Marks()
    preprocessing = _part(config, "preprocess_cfg")
    odd = [
        f"{key}={value!r}"
        for options in (vision, text)
        for key, value in options.items()
        if value and key not in _HARMLESS and value not in _NEUTRAL.get(key, ())
    ]
    usual = {"mode": "RGB", "interpolation": "bicubic", "resize_mode": "shortest"}
    odd += [f"{key}={preprocessing[key]!r}" for key, value in usual.items() if preprocessing.get(key, value) != value]
    if odd:
        raise LayoutError(f"it is a model of open_clip with options that openai-clip does not have: {listed(odd)}")
    return Marks(
        "quickgelu" if model.get("quick_gelu") else "gelu",
        attention_width(sizes) // vision.get("head_width", HEAD_WIDTH),
        text.get("heads", 8) if text else None,  # open_clip's default
    ) | _normalisation(preprocessing, "mean", "std")


def _of_transformers(config: Mapping, sizes: Mapping) -> Marks:
    """Return what the ``config.json`` of a ``transformers.CLIPModel`` says; nothing where it is another model's."""
    vision, text = _part(config, "vision_config"), _part(config, "text_config")
    if config.get("model_type") != "clip" or not _same(
        sizes, embed_dim=config.get("projection_dim"), vision_width=vision.get("hidden_size"),
        vision_layers=vision.get("num_hidden_layers"), transformer_width=text.get("hidden_size"),
        transformer_layers=text.get("num_hidden_layers"),
    ):  # fmt: skip
        return Marks()
    names = {"quick_gelu": "quickgelu", "gelu": "gelu"}
    activations = [each.get("hidden_act", "quick_gelu") for each in (vision, text)]
    odd = [f"hidden_act={each!r}" for each in activations if each not in names or each != activations[0]]
    odd += [f"layer_norm_eps={eps}" for each in (vision, text) if (eps := each.get("layer_norm_eps", 1e-5)) != 1e-5]
    if odd:
        raise LayoutError(f"its config.json has options that openai-clip does not have: {listed(odd)}")
    # The defaults of `transformers`, which leaves them out of the file.
    heads, text_heads = vision.get("num_attention_heads", 12), text.get("num_attention_heads", 8)
    return Marks(names[activations[0]], heads, text_heads)


def _part(config: Mapping, key: str) -> Mapping:
    part = config.get(key)
    return part if isinstance(part, Mapping) else {}


def _same(sizes: Mapping, **said: object) -> bool:
    return all(value is None or value == sizes[key] for key, value in said.items())


def _normalisation(options: Mapping, mean: str, std: str) -> Marks:
    values = [options.get(key) for key in (mean, std)]
    if not all(isinstance(each, list) and len(each) == 3 for each in values):
        return Marks()
    return Marks(mean=tuple(map(float, values[0])), std=tuple(map(float, values[1])))
