"""Odd checkpoints: those that hold a CLIP open, and the others are refused with what is wrong and what would help."""

import pickle
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.errors import ModelError
from clip_demo.models.checkpoint import open_checkpoint
from clip_demo.models.load import load_model

VIT = random_clip(SMALL_VIT).state_dict()
RESNET = random_clip(SMALL_RESNET).state_dict()
NUMBERS = torch.zeros(2, 3)


def under(prefix, state_dict=VIT):
    return {prefix + name: value for name, value in state_dict.items()}


def without(*names, state_dict=VIT):
    return {name: value for name, value in state_dict.items() if not name.endswith(names)}


OPEN = {
    "model_state_dict": {"epoch": 3, "model_state_dict": VIT},
    "state_dict": {"state_dict": VIT, "optimizer": {"state": {0: {"exp_avg": NUMBERS}}}},
    "model": {"model": VIT, "best": torch.tensor(0.5)},
    "twice": {"checkpoint": {"model": under("clip.")}},
    "module.": under("module."),
    "clip_model.": under("clip_model."),
    "_orig_mod.": under("_orig_mod."),
    "model.": under("model."),
    "module._orig_mod.": under("module._orig_mod."),
    "compiled encoder": {name.replace("visual.", "visual._orig_mod.", 1): value for name, value in VIT.items()},
    "CustomTextCLIP": {
        (n if n.startswith("visual.") or n == "logit_scale" else f"text.{n}"): v for n, v in VIT.items()
    },
    "scale of shape (1,)": {**VIT, "logit_scale": VIT["logit_scale"].reshape(1)},
    "double precision": {name: value.double() for name, value in VIT.items()},
    "parameters": dict(random_clip(SMALL_VIT).named_parameters()),
    "not only tensors": {**VIT, "epoch": 3},
    "bias of SigLIP": {**VIT, "logit_bias": torch.tensor(-10.0), "attn_mask": torch.zeros(77, 77)},
    "ResNet without counters": without("num_batches_tracked", state_dict=RESNET),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("stored", OPEN.values(), ids=OPEN)
def test_a_clip_is_found(stored, legacy, tmp_path):
    torch.save(stored, tmp_path / "x.pt", _use_new_zipfile_serialization=not legacy)
    torch.save(RESNET if stored is OPEN["ResNet without counters"] else VIT, tmp_path / "plain.pt")
    network, sha256 = open_checkpoint(tmp_path / "x.pt")
    plain, expected = open_checkpoint(tmp_path / "plain.pt")
    # Counters of batch normalisation are not weights.
    assert sha256 == expected and network.state_dict().keys() == plain.state_dict().keys()
    assert all(value.dtype in (torch.float32, torch.int64) for value in network.state_dict().values())


def test_what_is_beside_the_clip_is_said(tmp_path):
    torch.save({**under("clip_model."), "head.weight": NUMBERS, "head.bias": NUMBERS}, tmp_path / "x.pt")
    note = load_model(str(tmp_path / "x.pt"), device="cpu").note
    assert note.endswith("; without 'head.weight', 'head.bias', which are beside the CLIP in the file")


def wide_mlps():
    shapes = {"c_fc.weight": (320, 64), "c_fc.bias": (320,), "c_proj.weight": (64, 320)}
    return {n: torch.zeros(next((s for end, s in shapes.items() if n.endswith(end)), v.shape)) for n, v in VIT.items()}


REFUSED = {
    "no ViT": (without("visual.proj"), "it lacks 'visual.proj'"),
    "no scale": (without("logit_scale"), "it lacks 'logit_scale'"),
    "no layer": (without("ln_1.weight"), "it lacks 'visual.transformer.resblocks.0.ln_1.weight', .* and 1 more"),
    "only images": ({n: v for n, v in VIT.items() if n.startswith("visual.")}, "it lacks 'token_embedding.weight', "),
    "only texts": ({n: v for n, v in VIT.items() if not n.startswith("visual.")}, "it lacks 'visual.conv1.weight', "),
    "without visual.": ({n.removeprefix("visual."): v for n, v in VIT.items() if "visual." in n},
                        r"it has no 'visual.conv1.weight' and no 'token_embedding.weight', but '\w+', '\w+', '\w+'"),
    "more": ({**VIT, "head.weight": NUMBERS}, "openai-clip has no 'head.weight'; save the state dict of the CLIP"),
    "LoRA": ({"base_model.model.visual.mlp.lora_A.weight": NUMBERS}, "it is a LoRA adapter, .* `merge_and_unload`"),
    "SigLIP": ({"vision_model.embeddings.patch_embedding.weight": NUMBERS, "vision_model.head.a": NUMBERS}, "SigLIP"),
    "LoRA beside its model": ({**VIT, "visual.mlp.lora_A.weight": NUMBERS}, "it is a LoRA adapter"),
    "timm": ({**VIT, "visual.trunk.norm.weight": NUMBERS}, "its image encoder is one of timm"),
    "two models": ({"model": VIT, "ema": VIT}, "it holds several models, at 'model', 'ema'; save the state dict of"),
    "teacher": (under("student.") | under("teacher."), "several models, at 'student', 'teacher'"),
    "MLPs": (wide_mlps(), r"c_fc.weight' has the shape \(320, 64\), not \(256, 64\); .* and 9 more"),
    "positions": ({**VIT, "visual.positional_embedding": torch.zeros(20, 64)}, r"the shape \(20, 64\), not \(17, 64\)"),
    "dimensions": ({**VIT, "visual.conv1.weight": torch.zeros(64)}, r"the shape \(64,\), not 4 dimensions"),
    "vocabulary": ({**VIT, "token_embedding.weight": torch.zeros(1000, 64)}, r"the shape \(1000, 64\), .* 49408"),
    "integers": ({**VIT, "visual.proj": VIT["visual.proj"].to(torch.int8)}, "'visual.proj': these tensors are not"),
    "sparse": ({**VIT, "visual.proj": VIT["visual.proj"].to_sparse()}, "'visual.proj': these tensors are not plain"),
    "escape codes": ({"\x1b[31mred\n": NUMBERS}, r"but '\\x1b\[31mred\\n'"),
    "scale, not its logarithm": ({**VIT, "logit_scale": torch.tensor(100.0)}, r"no numbers \(logit_scale\)"),
    "too large": ({**VIT, "visual.proj": VIT["visual.proj"].double() * 1e300}, r"no numbers \(visual.proj\)"),
    "nothing": ({}, r"it has no tensors with names \(its keys: none\)"),
    "numbers": ({"a": 1}, r"it has no tensors with names \(its keys: 'a'\); save `model.state_dict\(\)`"),
    "list": ([1, 2], "it holds a list, not a state dict"),
    "tensor": (NUMBERS, "it holds a Tensor"),
    "module": (torch.nn.Linear(2, 2), r"Python objects of torch.nn.modules.linear.Linear, .*torch.save\(model.state"),
    "NumPy": ({"model": VIT, "best": np.float64(1)}, "Python objects of numpy"),
}  # fmt: skip


def refusal(path):
    with pytest.raises(ModelError) as caught:
        load_model(str(path), device="cpu")
    message = str(caught.value)
    assert message.isprintable() and "attnpool" not in message and "weights_only" not in message
    assert path.name in message and re.match(r"[A-Z]|x\.pt", caught.value.page_message)
    return message


@pytest.mark.parametrize("stored, said", REFUSED.values(), ids=REFUSED)
def test_what_is_no_clip_is_refused(stored, said, tmp_path):
    torch.save(stored, tmp_path / "x.pt")
    assert re.search(said, refusal(tmp_path / "x.pt"))


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    for content, said in (
        (b"", "begins with b''"),
        (b"<!DOCTYPE html>", "begins with b'<!DOCTYPE'"),
        (pickle.dumps({"a": 1}), "it holds Python objects, which are not opened because they can run code"),
    ):
        path.write_bytes(content)
        assert said in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "it is a ZIP archive without a model; it has 'hello.txt'" in refusal(path)


def test_half_of_a_file_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    for write in (
        lambda: torch.save(VIT, path),
        lambda: torch.save(VIT, path, _use_new_zipfile_serialization=False),
        lambda: save_file(VIT, path),
    ):
        write()
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "the file is incomplete or damaged" in refusal(path)


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(ModelError, match="cannot be read") as caught:
        open_checkpoint(tmp_path)
    assert caught.value.page_message.endswith("cannot be read. Ask the person who runs this program.")


@pytest.mark.parametrize("factor", [0, 1e30])
def test_features_that_are_no_numbers_are_refused(factor, tmp_path):
    torch.save({name: factor * value if value.ndim == 2 else value for name, value in VIT.items()}, tmp_path / "x.pt")
    model = load_model(str(tmp_path / "x.pt"), device="cpu")
    for encode in (lambda: model.encode_texts(["a"]), lambda: model.encode_images([np.zeros((32, 32, 3), np.uint8)])):
        with pytest.raises(ModelError, match="features that are zero or no numbers"):
            encode()
