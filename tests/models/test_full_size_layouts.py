"""ViT-B/32 and RN50 in full size with random weights, in every layout that their weights are published in.

The files of open_clip and of transformers are written by these libraries themselves.
"""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clip_demo.benchmark.random_checkpoints import write_archive
from clip_demo.models.architecture import build_clip
from clip_demo.models.layouts import from_transformers
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip

PROMPTS = ["a photo of a cat", "two dogs"]


def halved(module):
    """Round all weights to half precision, as OpenAI's are, so that an archive holds exactly the same numbers."""
    for value in module.parameters():
        value.data = value.data.half().float()
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vit_files(tmp_path_factory):
    transformers, open_clip = pytest.importorskip("transformers"), pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config={"eos_token_id": 49407}, vision_config={}, projection_dim=512)
    theirs = halved(transformers.CLIPModel(config))  # its default is ViT-B/32
    theirs.save_pretrained(folder / "transformers")
    state_dict = from_transformers(theirs.state_dict())
    return theirs, {
        "transformers": folder / "transformers" / "model.safetensors",
        **_other_files(open_clip.create_model("ViT-B-32-quickgelu"), state_dict, folder),
    }


@pytest.fixture(scope="module")
def resnet_files(tmp_path_factory):
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    theirs = halved(open_clip.create_model("RN50-quickgelu"))
    state_dict = {name: value for name, value in theirs.state_dict().items() if name != "attn_mask"}
    return theirs, _other_files(theirs, state_dict, tmp_path_factory.mktemp("resnet"))


def _other_files(open_clip_model, state_dict, folder):
    network = build_clip(state_dict)
    open_clip_model.load_state_dict(network.state_dict(), strict=False)
    torch.save(network.state_dict(), folder / "state.pt")
    save_file(open_clip_model.state_dict(), folder / "open_clip_model.safetensors")
    return {
        "archive": write_archive(network, folder / "archive.pt"),
        "state dict": folder / "state.pt",
        "open_clip": folder / "open_clip_model.safetensors",
    }


def opened(files):
    """Return features of an image and of prompts, and the checksum of the weights, for each file."""
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    found = {}
    for layout, path in files.items():
        model = load_model(str(path), device="cpu")
        with torch.no_grad():
            found[layout] = model.network.encode_image(pixels).numpy(), model.encode_texts(PROMPTS), model.sha256
    return pixels, found


def assert_equal(found):
    images, texts, checksums = zip(*found.values(), strict=True)
    for all_features in (images, texts):
        for each in all_features[1:]:
            assert np.abs(each - all_features[0]).max() <= 1e-6 * np.abs(all_features[0]).max()
    assert len(set(checksums)) == 1


@pytest.mark.long
def test_vit_b_32_is_the_same_model_in_four_layouts(vit_files):
    theirs, files = vit_files
    pixels, found = opened(files)
    assert len(found) == 4
    assert_equal(found)
    tokens = import_clip().tokenize(PROMPTS).long()
    with torch.no_grad():
        images = theirs.get_image_features(pixel_values=pixels)
        texts = theirs.get_text_features(input_ids=tokens)
    for ours, other in zip(found["transformers"], (images, texts), strict=False):
        other = getattr(other, "pooler_output", other).numpy()
        assert np.abs(ours - other).max() <= 1e-5 * np.abs(other).max()


@pytest.mark.long
def test_rn50_is_the_same_model_in_three_layouts(resnet_files):
    theirs, files = resnet_files
    pixels, found = opened(files)
    assert len(found) == 3
    assert_equal(found)
    with torch.no_grad():
        image, text = theirs.encode_image(pixels).numpy(), theirs.encode_text(import_clip().tokenize(PROMPTS)).numpy()
    for ours, other in zip(found["open_clip"], (image, text), strict=False):
        assert np.abs(ours - other).max() <= 1e-5 * np.abs(other).max()
