"""The bytes between a page and an encoder on another machine."""

import json

import numpy as np
import pytest

from clip_demo import errors
from clip_demo.artifacts import also_known_as
from clip_demo.errors import ClipDemoError, OptionError, PromptTooLongError
from clip_demo.models import encoder_protocol as protocol
from clip_demo.models.encoder import Anatomy
from clip_demo.models.encoder_protocol import ModelCard
from clip_demo.models.load import load_model

CARD = ModelCard(
    "toy", "a toy", "70" * 32, 10.0, Anatomy("ViT", 4, 2, 2, 3, 77), "Grad-ECLIP", "taken as it is", ("71" * 32,)
)


def test_a_card_survives_the_way():
    assert ModelCard.from_json(CARD.to_json()) == CARD


def test_the_card_of_the_built_in_model_has_its_numbers():
    model = load_model("tiny")
    also_known_as(model.sha256, "ab" * 32)
    card = ModelCard.from_json(ModelCard.of(model).to_json())
    assert (card.name, card.sha256, card.logit_scale) == ("tiny", model.sha256, model.logit_scale)
    assert card.anatomy == model.anatomy
    assert card.former == ("ab" * 32,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '"tiny"',
        CARD.to_json().replace("10.0", "-1"),
        CARD.to_json().replace("10.0", '"x"'),
        CARD.to_json().replace('"resolution": 4', '"resolution": 0'),
        CARD.to_json().replace('"a toy"', "7"),
        CARD.to_json().replace('"name"', '"extra"'),
    ],
)
def test_what_is_no_card_is_refused(text):
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        ModelCard.from_json(text)


def test_images_are_their_bytes():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    content = CARD.images_to_bytes(list(images))
    assert content == images.tobytes() and len(content) == 2 * CARD.image_bytes
    np.testing.assert_array_equal(CARD.images_of(content), images)


@pytest.mark.parametrize("n_bytes", [0, 1, 47, 49, 48 * (protocol.MAX_IMAGES + 1)])
def test_other_numbers_of_bytes_are_no_images(n_bytes):
    with pytest.raises(OptionError, match=f"^images: got {n_bytes} bytes; send 1 to 32 images of 48 bytes each"):
        CARD.images_of(bytes(n_bytes))


def test_features_are_four_bytes_a_number():
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    content = protocol.features_to_bytes(features)
    assert content == features.astype("<f4").tobytes()
    np.testing.assert_array_equal(CARD.features_of(content, 5), features)
    for n in (4, 6):
        with pytest.raises(ValueError):
            CARD.features_of(content, n)


def test_prompts_are_a_json_list():
    assert protocol.prompts_of('["a photo of a {", "\U0001f308"]'.encode()) == ["a photo of a {", "\U0001f308"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'"a"', b"[1]", b"\xff", b"[" * 100_000, json.dumps(["a"] * 129).encode()],
    ids=lambda content: repr(content[:9]),
)
def test_what_is_no_list_of_prompts_is_refused(content):
    with pytest.raises(OptionError, match="send a JSON list of 1 to 128 strings"):
        protocol.prompts_of(content)


def test_an_error_comes_back_as_what_it_was():
    error = PromptTooLongError("prompt: 'a a' has 99 tokens", page="Too long.")
    back = protocol.error_of(protocol.error_to_json(error).encode())
    assert type(back) is PromptTooLongError
    assert (str(back), back.page_message) == (str(error), "Too long.")


def test_folders_of_the_other_machine_are_not_told():
    error = ClipDemoError("model: /home/me/x.pt is damaged", page="Damaged.", private=True)
    assert "/home" not in protocol.error_to_json(error)


@pytest.mark.parametrize("name", ["OSError", "re", "quoted", "DISK_FULL", "ValueError", 7, None])
def test_only_errors_of_this_program_are_raised(name):
    assert name in ("OSError", "ValueError", 7, None) or hasattr(errors, name)
    with pytest.raises(ValueError, match="not an error of this program"):
        protocol.error_of(json.dumps({"error": name, "message": "m", "page": "p"}).encode())
