"""Loading of a model by name."""

import hashlib

import numpy as np
import pytest
import torch
from helpers import Server, publish

from clip_demo.artifacts import checksums_of
from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, random_clip, write_archive
from clip_demo.errors import ModelError, OptionError
from clip_demo.models.layouts import weights_sha256
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import converted_path

clip = import_clip()


@pytest.fixture(params=["ViT-B/32 in full size", "small ResNet"])
def archive(request, tmp_path):
    if request.param == "small ResNet":
        return write_archive(random_clip(SMALL_RESNET), tmp_path / "served.pt")
    return request.getfixturevalue("vit_b_32_archive")


def test_the_first_start_downloads_and_later_starts_open_the_converted_copy(archive, tmp_path, monkeypatch):
    prompts = ["a cat", "a photo of a dog"]
    with Server(archive.read_bytes()) as server:
        publish(server, monkeypatch)
        first = load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        assert converted_path(tmp_path / "ViT-B-32.pt").exists()
        (tmp_path / "ViT-B-32.pt").unlink()
        second = load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        assert len(server.requests) == 1
    theirs, _ = clip.load(str(archive), device="cpu")
    pixels = torch.rand(2, 3, *[theirs.visual.input_resolution] * 2)
    with torch.no_grad():
        image_features, text_features = theirs.encode_image(pixels), theirs.encode_text(clip.tokenize(prompts))
        for ours in (first, second):
            torch.testing.assert_close(ours.network.encode_image(pixels), image_features, atol=1e-5, rtol=0)
            np.testing.assert_allclose(ours.encode_texts(prompts), text_features, atol=1e-5)
            # openai-clip's own function needs the causal mask, which is not in the file.
            torch.testing.assert_close(
                ours.network.encode_text(clip.tokenize(prompts)), text_features, atol=1e-5, rtol=0
            )
    assert first.sha256 == second.sha256 == weights_sha256(theirs.state_dict())
    # What older heads are stored under.
    assert hashlib.sha256(server.data).hexdigest() in checksums_of(first.sha256)
    assert first.note == "OpenAI's CLIP ViT-B/32"


def test_the_built_in_model_is_a_plain_clip():
    tiny = load_model("tiny", device="cpu")
    assert type(tiny.network) is clip.model.CLIP and not tiny.network.training
    assert "not one of OpenAI's" in tiny.note
    assert 1 <= tiny.logit_scale <= 100.01


def test_a_checkpoint_is_named_after_its_file(checkpoint):
    model = load_model(str(checkpoint.state_dict), device="cpu")
    assert model.name == "state.pt" and model.note.startswith("a checkpoint, taken as ")


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelError, match="'ViT-B/33' is neither a known model nor a file"):
        load_model("ViT-B/33")


PRESENT = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "abacus": False}


@pytest.mark.parametrize("device", [device for device, present in PRESENT.items() if not present])
def test_a_device_that_is_not_available_is_refused(device):
    with pytest.raises(OptionError, match=rf"device: '{device}' is not available on this machine; use one of 'cpu'"):
        load_model("tiny", device=device)
