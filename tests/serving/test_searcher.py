"""The searcher: what it finds on the toy encoder, what it computes once, and what it refuses."""

import numpy as np
import pytest
from conftest import ToyDataset
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.folder import FolderDataset
from clip_demo.errors import ImageError, IndexRangeError, InputError, ModelError, OptionError, PromptTooLongError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.numerics import normalize
from clip_demo.serving.model_pool import ModelPool


def cosines(toy_encoder, toy_dataset, *queries):
    """Return the cosines of all test images with the normalised sum of normalised vectors."""
    images = [toy_encoder.preprocess(image) for image in toy_dataset.images(range(20))]
    query = normalize(sum(normalize(np.asarray(each, dtype=np.float64)) for each in queries))
    return normalize(toy_encoder.encode_images(images).astype(np.float64)) @ query


def test_a_sentence_finds_its_images(toy_backend):
    result = toy_backend.search("a green thing", limit=5)
    assert [match.index for match in result.matches] == [1, 6, 11, 16, 3]  # four green ones, then yellow
    assert [match.truth for match in result.matches] == ["green"] * 4 + ["yellow"]
    assert (result.model, result.dataset, result.text, result.index) == ("toy", "toys", "a green thing", None)
    assert (result.n, result.offset) == (20, 0)
    assert result.to_dict()["matches"][0] == {"index": 1, "cosine": result.matches[0].cosine, "truth": "green"}


def test_an_image_of_any_size_finds_its_like(toy_backend):
    result = toy_backend.search(image=Image.new("RGB", (700, 90), (0, 0, 255)), limit=4)
    assert {match.truth for match in result.matches} == {"blue"}
    assert result.matches[0].cosine == pytest.approx(1)


def test_more_like_a_test_image_leaves_that_out(toy_backend):
    result = toy_backend.search(index=6, limit=3)
    assert [match.index for match in result.matches] == [1, 11, 16]
    assert (result.index, result.n) == (6, 19)


def test_a_sentence_and_an_image_are_combined_by_the_formula(toy_backend, toy_encoder, toy_dataset):
    image, text = Image.new("RGB", (8, 8), (0, 255, 0)), "red"
    sentence = toy_encoder.encode_texts([text])[0]
    expected = cosines(toy_encoder, toy_dataset, sentence, [0, 2, 0])
    for given in ({"image": image}, {"index": 1}):
        found = toy_backend.search(text, **given, limit=20).matches
        assert found[0].truth == "yellow"  # red and green
        np.testing.assert_allclose([each.cosine for each in found], [expected[each.index] for each in found], atol=1e-7)


def test_pages_are_one_list_and_a_query_is_encoded_once(toy_backend, toy_encoder):
    whole = toy_backend.search("red", limit=20).matches
    prompts = len(toy_encoder.encoded_prompts)
    pages = [toy_backend.search("red", offset=offset, limit=6).matches for offset in (0, 6, 12, 18, 24)]
    assert sum(pages, ()) == whole and [len(page) for page in pages] == [6, 6, 6, 2, 0]
    assert len(toy_encoder.encoded_prompts) == prompts and toy_encoder.encoded_images == 20


def test_the_images_are_encoded_once_with_progress_and_stored(toy_backend, toy_encoder, toy_dataset, tmp_path):
    calls = []
    toy_backend.search("red", progress=lambda *call: calls.append(call))
    assert calls == [("test features", 0, 20), ("test features", 20, 20)]
    toy_backend.evaluate()
    again = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    assert again.search("red").matches[0].truth == "red"
    assert toy_encoder.encoded_images == 20


def test_images_that_were_left_out_meanwhile_are_no_results(tmp_path, toy_encoder):
    for i, name in enumerate(("red", "green", "red", "green")):
        (tmp_path / "set/train" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "set/test" / name).mkdir(parents=True, exist_ok=True)
        for split in ("train", "test"):
            Image.new("RGB", (2, 2), name).save(tmp_path / f"set/{split}/{name}/{i}.png")
    dataset = FolderDataset(tmp_path / "set")
    backend = Backend(ModelPool.of(toy_encoder), datasets={"set": dataset}, stores=Stores.open(tmp_path / "stores"))
    assert [match.index for match in backend.search("red").matches] == [2, 3, 0, 1]
    (tmp_path / "set/test" / dataset.path_of(1).removeprefix("test/")).unlink()
    dataset.leave_out(dataset.ids()[1:2])  # as another model does that encodes the images
    matches = backend.search("red").matches
    assert [(match.index, match.truth) for match in matches] == [(1, "red"), (2, "red"), (0, "green")]
    assert backend.evaluate().accuracy.n == 3


def test_stored_features_answer_without_the_images(toy_backend, toy_encoder, tmp_path):
    toy_backend.search("red")

    class Missing(ToyDataset):
        def available(self):
            return False

        def images(self, indices, split="test"):
            raise AssertionError("it needs no image")

    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": Missing()}, stores=Stores.open(tmp_path))
    assert [match.index for match in backend.search("blue", index=2, limit=3).matches] == [7, 12, 17]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, OptionError, "text, image, index: got none"),
        ({"text": "  "}, OptionError, "text, image, index: got none"),
        ({"text": 3}, InputError, "text: got int"),
        ({"text": "word " * 80}, PromptTooLongError, "is too long"),
        ({"image": b"no image"}, ImageError, "cannot be read|is not an image"),
        ({"index": 20}, IndexRangeError, "use a whole number from 0 to 19"),
        ({"index": 1, "image": b""}, OptionError, "image, index: got both"),
        ({"text": "red", "limit": 1001}, OptionError, "limit: 1001 is not allowed; use a whole number from 1 to 1,000"),
        ({"text": "red", "offset": -1}, OptionError, "offset: -1 is not allowed"),
        ({"text": "red", "model": "nowhere"}, ModelError, "model: 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said_before_an_image_is_encoded(toy_backend, toy_encoder, arguments, error, message):
    with pytest.raises(error, match=message):
        toy_backend.search(**arguments)
    assert toy_encoder.encoded_images == 0
