"""Feature extraction: all images, in order, whatever their size and number."""

import numpy as np
import pytest

from clip_demo.errors import Cancelled
from clip_demo.features.extract import BATCH, SMALL_BATCH, encode_directly, encode_split, in_small_batches


@pytest.fixture
def toy_dataset(toy_dataset):
    toy_dataset.sizes = {"train": 50, "test": 2 * BATCH + 44}
    return toy_dataset


def expected(encoder, dataset):
    return np.stack([2 * encoder.preprocess(dataset.image(i)) for i in range(dataset.sizes["test"])])


def test_all_images_are_encoded_in_order(toy_encoder, toy_dataset):
    sizes, encode = [], toy_encoder.encode_images
    toy_encoder.encode_images = lambda inputs: sizes.append(len(inputs)) or encode(inputs)
    calls = []
    features = encode_split(encode_directly(toy_encoder), toy_dataset, "test", lambda *call: calls.append(call))
    np.testing.assert_array_equal(features, expected(toy_encoder, toy_dataset))
    assert sizes == [BATCH, BATCH, 44]
    assert calls == [("test features", done, 300) for done in (0, 128, 256, 300)]


def test_small_batches_are_encoded_in_order(toy_encoder, toy_dataset):
    sizes = []

    def encode(inputs):
        sizes.append(len(inputs))
        return toy_encoder.encode_images(inputs)

    features = encode_split(in_small_batches(toy_encoder.preprocess, encode), toy_dataset, "test")
    np.testing.assert_array_equal(features, expected(toy_encoder, toy_dataset))
    assert sizes == [SMALL_BATCH] * 9 + [12]


def test_extraction_can_be_cancelled(toy_encoder, toy_dataset):
    def cancel(what, done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        encode_split(encode_directly(toy_encoder), toy_dataset, "test", cancel)
