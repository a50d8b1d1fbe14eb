"""The weights of a CLIP in what a checkpoint holds: among other things, under a prefix, in another layout."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from .architecture import NOT_WEIGHTS, LayoutError, listed
from .layouts import from_transformers, is_transformers

# Names by which a CLIP is found: those of transformers, of open_clip's `CustomTextCLIP`, and of openai-clip.
_ANCHORS = (
    "text_model.embeddings.token_embedding.weight",
    "vision_model.embeddings.patch_embedding.weight",
    "text.token_embedding.weight",
    "token_embedding.weight",
    "visual.conv1.weight",
)
# What torch.compile and FSDP put into names, at any depth.
_INSERTED = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Tensors without influence on the features or, like SigLIP's bias, on the probabilities of a softmax.
_WITHOUT_INFLUENCE = ("attn_mask", "logit_bias")
_DEPTH = 4  # of dictionaries in dictionaries
# Parts of names of what is often taken for a CLIP, and what to say about it.
_OTHERS = {
    "lora_": "it is a LoRA adapter, which needs the model that it was trained for: merge both, with `merge_and_unload` "
    "of peft, and save the model's state dict",
    "visual.trunk.": "its image encoder is one of timm, not of openai-clip",
    "vision_model.head.": "it is a SigLIP, whose network is not CLIP's",
    "text.transformer.embeddings.": "its text encoder is one of transformers, not of openai-clip",
}


@dataclass(frozen=True)
class Found:
    """A CLIP that was found in a checkpoint.

    Attributes
    ----------
    weights : dict of str to torch.Tensor
        In openai-clip's layout and in float32.
    left_out : tuple of str
        Names of tensors beside the CLIP, which are not used.
    as_is : bool
        Whether the checkpoint is nothing but a state dict in openai-clip's layout.
    """

    weights: dict[str, torch.Tensor]
    left_out: tuple[str, ...]
    as_is: bool


def find_clip(stored: object) -> Found:
    """Return the CLIP in the content of a checkpoint.

    Parameters
    ----------
    stored : object
        A state dict; or a dictionary that has one, at some depth, among other things such as an optimizer's state.

    Raises
    ------
    LayoutError
        When there is no CLIP in it or more than one, or its tensors are not weights.
    """
    if not isinstance(stored, Mapping):
        raise LayoutError(f"it holds a {type(stored).__name__}, not a state dict; save `model.state_dict()`")
    found = [
        (path, root, tensors)
        for path, mapping in _mappings(stored)
        for tensors in [_tensors(mapping)]
        for root in sorted(set(map(_root, tensors)) - {None})
    ]
    if not found:
        raise LayoutError(_no_clip(stored))
    if len(found) > 1:
        places = [".".join((*path, root.rstrip("."))).strip(".") or "the top" for path, root, _ in found]
        raise LayoutError(f"it holds several models, at {listed(places)}; save the state dict of one of them")
    path, root, tensors = found[0]
    below = {name.removeprefix(root): value for name, value in tensors.items() if name.startswith(root)}
    weights = _checked(_in_openai_layout(below))
    left_out = tuple(name for name in tensors if not name.startswith(root))
    shapes = {name: getattr(value, "shape", None) for name, value in stored.items() if name not in NOT_WEIGHTS}
    return Found(weights, left_out, as_is=shapes == {name: value.shape for name, value in weights.items()})


def _mappings(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping]]:
    if isinstance(value, Mapping):
        yield path, value
        if len(path) < _DEPTH:
            for name, part in value.items():
                yield from _mappings(part, (*path, str(name)))


def _tensors(mapping: Mapping) -> dict[str, torch.Tensor]:
    return {
        _INSERTED.sub("", name): value
        for name, value in mapping.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }


def _root(name: str) -> str | None:
    """Return what stands before the name of a tensor that every CLIP has; None for any other tensor."""
    anchor = next((each for each in _ANCHORS if name == each or name.endswith(f".{each}")), None)
    return None if anchor is None else name.removesuffix(anchor)


def _no_clip(stored: Mapping) -> str:
    names = [name for _, mapping in _mappings(stored) for name in _tensors(mapping)]
    if not names:
        return (
            f"it has no tensors with names (its keys: {listed(map(str, stored)) or 'none'}); save `model.state_dict()`"
        )
    hint = next((hint for part, hint in _OTHERS.items() if any(part in name for name in names)), "")
    return f"it has no {_ANCHORS[-1]!r} and no {_ANCHORS[-2]!r}, but {listed(names)}" + (f"; {hint}" if hint else "")


def _in_openai_layout(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    hint = next((hint for part, hint in _OTHERS.items() if any(part in name for name in tensors)), "")
    if hint:
        raise LayoutError(hint)
    if is_transformers(tensors) or any(name.startswith("vision_model.") for name in tensors):
        tensors = from_transformers(tensors)
    # `CustomTextCLIP` of open_clip has the text encoder in a module of its own.
    tensors = {name.removeprefix("text."): value for name, value in tensors.items()}
    return {
        name: value for name, value in tensors.items() if name not in NOT_WEIGHTS and name not in _WITHOUT_INFLUENCE
    }


def _checked(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights in float32, with the counters of batch normalisation, which some programs leave out."""
    counters = {name: value for name, value in weights.items() if name.endswith(".num_batches_tracked")}
    odd = [name for name, value in weights.items() if name not in counters and not _is_plain(value)]
    if odd:
        raise LayoutError(f"{listed(odd)}: these tensors are not plain floating-point numbers")
    result = {name: value if name in counters else value.float() for name, value in weights.items()}
    for name in weights:
        norm, _, kind = name.rpartition(".")
        if kind == "running_mean":
            result.setdefault(f"{norm}.num_batches_tracked", torch.tensor(0))
    scale = result.get("logit_scale")
    if scale is not None and scale.numel() == 1:
        result["logit_scale"] = scale.reshape(())  # of shape (1,) in some files
    return result


def _is_plain(value: torch.Tensor) -> bool:
    return value.is_floating_point() and value.layout == torch.strided and not value.is_meta
