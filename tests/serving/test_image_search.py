"""Search by a sentence, an image, or both, on colours whose vectors are known."""

import json

import numpy as np
import pytest
from PIL import Image

from clip_demo.errors import IndexRangeError, OptionError
from clip_demo.numerics import normalize

RED, BLUE = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))


def expected(dataset, encoder, query):
    """Return the cosines of all test images with a query, and their order."""
    features = normalize(encoder.encode_images([encoder.preprocess(each) for each in dataset.images(range(20))]))
    scores = features @ normalize(query)
    return scores, np.argsort(-scores, kind="stable")


def test_a_sentence_finds_the_nearest_images(toy_backend, toy_encoder, toy_dataset):
    result = toy_backend.search.find(" yellow ", limit=20)
    scores, order = expected(toy_dataset, toy_encoder, toy_encoder.encode_texts(["yellow"])[0])
    assert [each.index for each in result.images] == order.tolist()
    np.testing.assert_allclose([each.cosine for each in result.images], scores[order], atol=1e-6)
    assert [each.truth for each in result.images[:4]] == ["yellow"] * 4 and result.images[0].index == 3
    assert (result.model, result.dataset, result.n, result.offset) == ("toy", "toys", 20, 0)
    assert json.loads(json.dumps(result.to_dict()))["images"][0]["truth"] == "yellow"


def test_pages_are_parts_of_one_order_and_the_images_are_encoded_once(toy_backend, toy_encoder):
    whole = toy_backend.search.find("white", limit=20).images
    n = toy_encoder.encoded_images
    parts = [toy_backend.search.find("white", offset=offset, limit=7).images for offset in (0, 7, 14, 21)]
    assert sum(parts, ()) == whole and toy_encoder.encoded_images == n == 20


def test_an_image_and_a_sentence_are_added(toy_backend, toy_encoder, toy_dataset):
    red, blue = (toy_encoder.preprocess(each) for each in (RED, BLUE))
    for query, vector in (
        ({"image": RED}, red),
        ({"image": RED, "text": "blue"}, normalize(red) + normalize(toy_encoder.encode_texts(["blue"])[0])),
        ({"index": 2, "text": "red"}, normalize(blue) + normalize(toy_encoder.encode_texts(["red"])[0])),
    ):
        found = toy_backend.search.find(**query, limit=20).images
        scores, order = expected(toy_dataset, toy_encoder, vector)
        others = [i for i in order.tolist() if i != query.get("index")]
        assert [each.index for each in found] == others
        np.testing.assert_allclose([each.cosine for each in found], scores[others], atol=1e-6)


def test_more_like_a_test_image_leaves_it_out(toy_backend):
    result = toy_backend.search.find(index=7, limit=5)
    assert [each.index for each in result.images[:3]] == [2, 12, 17] and result.n == 19


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ({}, OptionError, "got no sentence and no image; give a sentence"),
        ({"text": "  "}, OptionError, "got no sentence and no image"),
        ({"image": RED, "index": 0}, OptionError, "text, image, index: got both"),
        ({"text": 7}, OptionError, "text: 7 is not text"),
        ({"text": "x" * 501}, OptionError, "the sentence has 501 characters; at most 500 are allowed. Shorten it"),
        ({"text": "\ud83d"}, OptionError, "the sentence has half of a character"),
        (
            {"text": "x", "limit": 1_001},
            OptionError,
            "limit: got 0 and 1001; use whole numbers from 0",
        ),
        ({"text": "x", "offset": -1}, OptionError, "offset, limit: got -1 and 24"),
        ({"text": "x", "limit": True}, OptionError, "offset, limit: got 0 and True"),
        ({"index": 20}, IndexRangeError, "index: 20 is not in the test split of Toys-5"),
    ],
)
def test_a_query_that_cannot_be_used(toy_backend, query, error, message):
    with pytest.raises(error, match=message):
        toy_backend.search.find(**query)
