"""What a checkpoint says of its network, against open_clip's and transformers' own models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clip_demo.artifacts import checksums_of
from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.download import checksum_of
from clip_demo.errors import ModelError, OptionError
from clip_demo.features.feature_store import FeatureStore, TestFeatures
from clip_demo.models.load import load_model
from clip_demo.models.sources import ARCHIVES, is_openai_file

PROMPTS = ["a photo of a cat", "two dogs"]
TAKEN = "taken as QuickGELU, heads of 64"
RUN = "2024_05_01-10_00_00-model_{}-lr_0.0005-b_64-j_8-p_amp"  # as open_clip names a training run
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 160, "head_width": 80, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}


@pytest.fixture(scope="module")
def theirs():
    """A small model of open_clip with GELU and heads of 80, as its ViT-H; its weights are strengthened to show both."""
    model = pytest.importorskip("open_clip").model
    torch.manual_seed(0)
    network = model.CLIP(**CONFIG).eval().requires_grad_(False)
    for name, value in network.named_parameters():
        if value.ndim > 1 and "embedding" not in name:
            value.mul_(3)
    return network


@pytest.fixture(scope="module")
def small():
    return random_clip(SMALL_VIT).state_dict()


def features(model, images):
    inputs = [model.preprocess(image) for image in images]
    return model.encode_images(inputs), model.encode_texts(PROMPTS)


def features_of(network, images, mean=None):
    """Compute the features with a network of open_clip or transformers itself."""
    open_clip = pytest.importorskip("open_clip")
    transform = open_clip.image_transform(32, is_train=False, mean=mean, std=mean)
    pixels, tokens = torch.stack([transform(image) for image in images]), open_clip.tokenize(PROMPTS)
    return network.encode_image(pixels).numpy(), network.encode_text(tokens).numpy()


def save(state_dict, folder, config=None, **metadata):
    """Write a checkpoint as safetensors, with open_clip's configuration beside it."""
    if config is not None:
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(state_dict, folder / "x.safetensors", metadata=metadata or None)
    return str(folder / "x.safetensors")


def assert_same(got, expected):
    for ours, own in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, own, atol=1e-5 * np.abs(own).max())


def test_the_options_give_the_features_of_open_clip(theirs, images, tmp_path):
    expected, path = features_of(theirs, images), save(theirs.state_dict(), tmp_path)
    model = load_model(path, device="cpu", activation="gelu", heads=2)
    assert_same(features(model, images), expected)
    assert "taken" not in model.note and model.name == "x.safetensors (gelu, 2 heads)"
    for activation, heads in (("quickgelu", 2), ("gelu", 4)):
        other = features(load_model(path, device="cpu", activation=activation, heads=heads), images)[0]
        assert np.abs(other - expected[0]).max() > 1e-3


@pytest.mark.parametrize("mean", [None, [0.5, 0.5, 0.5]])
def test_the_configuration_of_open_clip_is_believed(theirs, images, tmp_path, mean):
    config = {"model_cfg": CONFIG, "preprocess_cfg": {"mean": mean, "std": mean, "resize_mode": "shortest"}}
    model = load_model(save(theirs.state_dict(), tmp_path, config), device="cpu")
    assert_same(features(model, images), features_of(theirs, images, mean))
    assert "taken" not in model.note and model.name == "x.safetensors"
    # An option is stronger.
    asked = load_model(save(theirs.state_dict(), tmp_path), device="cpu", activation="quickgelu")
    assert np.abs(features(asked, images)[0] - features(model, images)[0]).max() > 1e-3


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_the_configuration_of_transformers_is_believed(images, tmp_path, heads):
    transformers = pytest.importorskip("transformers")
    common = {"hidden_act": "gelu", "num_hidden_layers": 2, "num_attention_heads": heads, "hidden_size": 64}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config=common | {"intermediate_size": 256, "vocab_size": 49408, "eos_token_id": 49407},
        vision_config=common | {"intermediate_size": 256, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    own = transformers.CLIPModel(config).eval().requires_grad_(False)
    for name, value in own.named_parameters():
        if value.ndim > 1 and "embedding" not in name:
            value.mul_(5)
    own.save_pretrained(tmp_path)
    own.encode_image = lambda pixels: own.get_image_features(pixel_values=pixels).pooler_output
    own.encode_text = lambda tokens: own.get_text_features(input_ids=tokens).pooler_output
    model = load_model(str(tmp_path / "model.safetensors"), device="cpu")
    assert_same(features(model, images), features_of(own, images))
    assert "taken" not in model.note
    (tmp_path / "config.json").unlink()
    assert TAKEN in load_model(str(tmp_path / "model.safetensors"), device="cpu").note


@pytest.mark.parametrize(
    "said, differences",
    [
        ({"name": RUN.format("ViT-B-32")}, "activation gelu"),
        ({"name": RUN.format("ViT-B-32-quickgelu")}, ""),
        ({"name": RUN.format("RN50")}, "activation gelu"),
        ({"name": "ViT-B-16-plus-240"}, "activation gelu"),
        ({"arch": "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"}, "activation gelu"),
        ({"model_name": "ViT-B/32"}, ""),
        ({"model_name": "openai/clip-vit-base-patch32"}, ""),
        ({"args": {"model": "ViT-B-32", "force_quick_gelu": False}}, "activation gelu"),
        ({"args": {"model": "ViT-B-32", "force_quick_gelu": True}}, ""),
        ({"hyper_parameters": {"quick_gelu": False}}, "activation gelu"),
        ({"args": {"model": "ViT-B-32", "pretrained": "openai"}}, None),  # it depends on the version of open_clip
        ({"name": "RN50"}, None),  # a model of openai-clip and of open_clip
        ({"name": "my ViT-B-32"}, None),
        ({"model_name": 3, "args": [], "config": None, "epoch": 2}, None),
    ],
)
def test_the_name_of_a_model_is_believed(small, tmp_path, said, differences):
    torch.save({"state_dict": small, **said}, tmp_path / "x.pt")
    model = load_model(str(tmp_path / "x.pt"), device="cpu")
    assert model.checkpoint.differences == (differences or "")
    assert (TAKEN in model.note) == (differences is None)
    if all(isinstance(value, (str, dict)) for value in said.values()):
        metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
        assert load_model(save(small, tmp_path, **metadata), device="cpu").sha256 == model.sha256


def test_a_vit_h_has_heads_of_80(theirs, images, tmp_path):
    path = save(theirs.state_dict(), tmp_path, model_name="ViT-H-14")
    assert_same(features(load_model(path, device="cpu"), images), features_of(theirs, images))


def test_a_configuration_of_another_model_is_not_believed(small, tmp_path):
    for content in (json.dumps({"model_cfg": CONFIG}), "{", "[]", '{"model_cfg": 3}'):
        path = save(small, tmp_path)
        (tmp_path / "open_clip_config.json").write_text(content)
        assert TAKEN in load_model(path, device="cpu").note


@pytest.mark.parametrize(
    "change, said",
    [
        ({"vision_cfg": {"pool_type": "avg"}}, "pool_type='avg'"),
        ({"vision_cfg": {"act_kwargs": {"approximate": "tanh"}}}, "act_kwargs"),
        ({"text_cfg": {"no_causal_mask": True}}, "no_causal_mask=True"),
        ({"text_cfg": {"hf_tokenizer_name": "bert-base-uncased"}}, "hf_tokenizer_name"),
    ],
)
def test_options_that_openai_clip_does_not_have_are_refused(theirs, tmp_path, change, said):
    config = CONFIG | {key: CONFIG[key] | value for key, value in change.items()}
    with pytest.raises(ModelError, match=said):
        load_model(save(theirs.state_dict(), tmp_path, {"model_cfg": config}), device="cpu")
    squash = {"model_cfg": CONFIG, "preprocess_cfg": {"resize_mode": "squash"}}
    with pytest.raises(ModelError, match="resize_mode='squash'"):
        load_model(save(theirs.state_dict(), tmp_path, squash), device="cpu")


def test_a_state_dict_without_a_mark_opens_as_openai_clip_opens_it(model, checkpoint, images):
    from clip_demo.models.openai_clip import import_clip

    weights = torch.load(checkpoint.state_dict, weights_only=True)
    own = import_clip().model.build_model(dict(weights)).float()
    assert TAKEN in model.note
    with torch.no_grad():
        assert_same(features(model, images), features_of(own, images))


def test_what_one_activation_computed_is_not_used_for_the_other(small, tmp_path, toy_dataset):
    path = tmp_path / "x.pt"
    torch.save(small, path)
    plain, gelu, heads, both = (
        load_model(str(path), device="cpu", **options)
        for options in ({}, {"activation": "gelu"}, {"heads": 2}, {"activation": "gelu", "heads": 2})
    )
    assert len({each.sha256 for each in (plain, gelu, heads, both)}) == 4
    assert load_model(str(path), device="cpu", activation="quickgelu", heads=1).sha256 == plain.sha256
    # What was stored under the checksum of the file was computed with QuickGELU.
    assert checksum_of(path) in checksums_of(plain.sha256) and checksums_of(gelu.sha256) == (gelu.sha256,)
    stores = [FeatureStore([tmp_path / "features"]) for _ in range(2)]
    ones = TestFeatures(np.ones((20, 32), np.float32), toy_dataset.labels())
    stores[0].put(ones, plain, toy_dataset)
    assert stores[1].get(gelu.sha256, toy_dataset.name) is None
    stores[0].put(ones, gelu, toy_dataset)  # in a file of its own
    assert all(FeatureStore([tmp_path / "features"]).get(each.sha256, toy_dataset.name) for each in (plain, gelu))


def test_a_resnet_has_its_heads_in_the_attention_pool(tmp_path, images):
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 64, "head_width": 128}
    theirs = open_clip.model.CLIP(**CONFIG | {"vision_cfg": vision}).eval().requires_grad_(False)
    own = {name: value for name, value in theirs.state_dict().items() if name != "attn_mask"}
    assert own.keys() == random_clip(SMALL_RESNET).state_dict().keys()
    model = load_model(save(own, tmp_path), device="cpu", activation="gelu", heads=16)
    assert_same(features(model, images), features_of(theirs, images))


@pytest.mark.parametrize(
    "options, said",
    [
        ({"activation": "relu"}, "activation: got 'relu'; use 'quickgelu' or 'gelu'"),
        ({"heads": 0}, "heads: got 0; use a whole number of at least 1"),
        ({"heads": True}, "heads: got True"),
        ({"heads": 7}, "heads: got 7; the heads of the image encoder .* share a width of 64"),
    ],
)
def test_options_that_do_not_fit_are_refused(small, tmp_path, options, said):
    torch.save(small, tmp_path / "x.pt")
    with pytest.raises(OptionError, match=said):
        load_model(str(tmp_path / "x.pt"), device="cpu", **options)


def test_a_file_of_openai_needs_no_mark_and_an_option_is_stronger(small, tmp_path, monkeypatch):
    path = save(small, tmp_path, {"model_cfg": {"quick_gelu": False}})  # a configuration that is not this file's
    monkeypatch.setattr("clip_demo.models.load.is_openai_file", lambda sha256: sha256 == checksum_of(Path(path)))
    model = load_model(path, device="cpu")
    assert "taken" not in model.note and model.checkpoint.differences == ""
    assert load_model(path, device="cpu", activation="gelu").checkpoint.differences == "activation gelu"


def test_the_files_of_openais_models_are_known():
    assert all(is_openai_file(sha256) for sha256, _ in ARCHIVES.values()) and not is_openai_file("0" * 64)


def test_of_models_with_a_name_the_options_are_known():
    with pytest.raises(OptionError, match="activation, heads: of 'tiny' they are known"):
        load_model("tiny", activation="gelu", heads=2)
