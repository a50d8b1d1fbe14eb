"""Layouts of state dicts, against open_clip's and transformers' own models, and the checksum of weights."""

import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.models.architecture import LayoutError, build_clip
from clip_demo.models.layouts import from_transformers, is_transformers, weights_sha256


@pytest.fixture(scope="module")
def small():
    return random_clip(SMALL_VIT)


@pytest.fixture(scope="module")
def theirs():
    """A small `transformers.CLIPModel` with random weights."""
    transformers = pytest.importorskip("transformers")
    common = {"hidden_act": "quick_gelu", "num_hidden_layers": 2, "num_attention_heads": 1, "hidden_size": 64}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config=common | {"intermediate_size": 256, "vocab_size": 49408, "eos_token_id": 49407},
        vision_config=common | {"intermediate_size": 256, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    return transformers.CLIPModel(config).eval()


def test_the_model_of_transformers_gives_its_own_features(theirs):
    state_dict = theirs.state_dict()
    assert is_transformers(state_dict) and not is_transformers(from_transformers(state_dict))
    ours = build_clip(from_transformers(state_dict))
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    tokens = torch.zeros(2, 77, dtype=torch.long)
    tokens[:, :4] = torch.tensor([[49406, 320, 2368, 49407], [49406, 1929, 49407, 0]])
    with torch.no_grad():
        images = theirs.get_image_features(pixel_values=pixels)
        texts = theirs.get_text_features(input_ids=tokens)
        images, texts = (getattr(each, "pooler_output", each) for each in (images, texts))
        torch.testing.assert_close(ours.encode_image(pixels), images, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours.encode_text(tokens), texts, atol=1e-5, rtol=1e-5)


def test_an_unknown_name_is_refused(theirs):
    with pytest.raises(LayoutError, match="openai-clip has no 'text_model.adapter.weight'"):
        from_transformers(theirs.state_dict() | {"text_model.adapter.weight": torch.zeros(2)})


def test_the_checksum_knows_weights_and_not_files(small):
    state_dict = small.state_dict()
    expected = weights_sha256(state_dict)
    assert len(expected) == 64 and weights_sha256(dict(reversed(state_dict.items()))) == expected
    # OpenAI's archives are in half precision, in which these weights are exact, and have three sizes among them.
    halves = {name: value.half() for name, value in state_dict.items()}
    archive = {
        name: half if torch.equal(half.float(), state_dict[name]) else state_dict[name] for name, half in halves.items()
    }
    archive["vocab_size"] = torch.tensor(49408)
    assert torch.float16 in {value.dtype for value in archive.values()}
    assert weights_sha256(archive) == expected
    changed = {name: value.clone() for name, value in state_dict.items()}
    first = changed["visual.proj"][0, 0]
    changed["visual.proj"][0, 0] = torch.nextafter(first, first + 1)
    assert weights_sha256(changed) != expected
    assert weights_sha256({**state_dict, "extra": torch.zeros(1)}) != expected
