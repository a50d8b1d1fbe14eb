"""The store of test features."""

import logging

import numpy as np
import pytest

from clip_demo.errors import ArtifactError, HeadError
from clip_demo.features.extract import encode_directly
from clip_demo.features.feature_store import FeatureStore, TestFeatures, load_features, save_features
from clip_demo.models.load import load_model
from clip_demo.paths import ASSETS


@pytest.fixture
def data(toy_encoder, toy_dataset):
    return FeatureStore([]).get_or_encode(toy_encoder, toy_dataset, encode_directly(toy_encoder))


@pytest.mark.parametrize(("compact", "error"), [(False, 0), (True, 1 / 32767)])
def test_saved_features_are_loaded_again(data, toy_encoder, toy_dataset, tmp_path, compact, error):
    path = save_features(data, tmp_path, toy_encoder, toy_dataset, compact=compact)
    again, sha256, name = load_features(path)
    assert (path.name, sha256, name) == ("toy-toys.npz", toy_encoder.sha256, "toys")
    np.testing.assert_array_equal(again.labels, data.labels)
    largest = np.abs(data.features).max(axis=1, keepdims=True)
    assert (np.abs(again.features - data.features) <= error / 2 * largest + 1e-7).all()
    with np.load(path) as stored:
        assert str(stored["image_set"]) == "toys"  # the key of all files so far


@pytest.mark.parametrize("n_classes", [5, 255, 256, 300, 1000])
def test_labels_of_any_number_of_classes_are_kept(toy_encoder, toy_dataset, tmp_path, n_classes):
    toy_dataset.classnames = tuple(f"class {i}" for i in range(n_classes))
    labels = np.arange(n_classes) % n_classes
    data = TestFeatures(np.ones((n_classes, 3), np.float32), labels)
    again, *_ = load_features(save_features(data, tmp_path, toy_encoder, toy_dataset))
    np.testing.assert_array_equal(again.labels, labels)
    assert again.labels.dtype == np.int64


def test_features_are_encoded_once_and_found_by_checksum(toy_encoder, toy_dataset, tmp_path):
    extract = encode_directly(toy_encoder)
    FeatureStore([tmp_path]).get_or_encode(toy_encoder, toy_dataset, extract)
    assert toy_encoder.encoded_images == 20
    FeatureStore([tmp_path]).get_or_encode(toy_encoder, toy_dataset, extract)
    assert toy_encoder.encoded_images == 20
    assert FeatureStore([tmp_path]).get("cd" * 32, "toys") is None


def test_a_folder_that_cannot_be_written_costs_no_answer(toy_encoder, toy_dataset, tmp_path, caplog):
    (tmp_path / "a file").write_text("")
    store = FeatureStore([tmp_path / "a file" / "features"])
    assert len(store.get_or_encode(toy_encoder, toy_dataset, encode_directly(toy_encoder)).labels) == 20
    assert "features cannot be stored" in caplog.text


@pytest.mark.parametrize("value", [np.nan, np.inf, 0])
def test_features_without_a_direction_are_computed_again(value, toy_encoder, toy_dataset, tmp_path):
    features = np.ones((20, 3), np.float32)
    features[7] = value
    path = save_features(TestFeatures(features, toy_dataset.labels()), tmp_path, toy_encoder, toy_dataset)
    with pytest.raises(ArtifactError, match="some are infinite, zero or no numbers"):
        load_features(path)
    assert FeatureStore([tmp_path]).get(toy_encoder.sha256, toy_dataset.name) is None


def test_features_of_another_number_of_images_than_labels_are_refused(toy_encoder, toy_dataset, tmp_path):
    data = TestFeatures(np.ones((21, 3), np.float32), toy_dataset.labels())
    with pytest.raises(ArtifactError, match="there are more of them than labels, or fewer"):
        load_features(save_features(data, tmp_path, toy_encoder, toy_dataset))


def test_a_damaged_file_is_skipped_with_one_warning(tmp_path, caplog):
    (tmp_path / "a-toys.npz").write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match="does not hold test features") as caught:
        load_features(tmp_path / "a-toys.npz")
    assert not isinstance(caught.value, HeadError)
    store = FeatureStore([tmp_path])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert store.get("ab" * 32, "toys") is None
    assert caplog.text.count("a-toys.npz") == 1


def test_stored_features_stay_on_disk_and_earlier_files_open(data, toy_encoder, toy_dataset, tmp_path):
    store = FeatureStore([tmp_path])
    for found in (store.put(data, toy_encoder, toy_dataset), FeatureStore([tmp_path]).get(toy_encoder.sha256, "toys")):
        assert isinstance(found.features.base, np.memmap) and not found.features.flags.writeable
        np.testing.assert_array_equal(found.features, data.features)
        np.testing.assert_allclose(found.norms, np.linalg.norm(data.features, axis=1), rtol=1e-6)
        assert found.norms is found.norms
    with np.load(tmp_path / "toy-toys.npz") as stored:  # any program can read it
        arrays = {name: stored[name] for name in stored}
    np.savez_compressed(tmp_path / "earlier.npz", **arrays)
    again, *_ = load_features(tmp_path / "earlier.npz")
    np.testing.assert_array_equal(again.features, data.features)


def test_a_changed_byte_is_found_in_features_on_disk(data, toy_encoder, toy_dataset, tmp_path):
    path = save_features(data, tmp_path, toy_encoder, toy_dataset)
    content = bytearray(path.read_bytes())
    at = content.index(data.features.tobytes())
    content[at] ^= 1  # still a number
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="features.npy is damaged"):
        load_features(path)


@pytest.mark.parametrize("dataset", ["cifar100", "shapes100"])
def test_the_features_of_the_built_in_model_open(dataset):
    found = FeatureStore([ASSETS / "features"]).get(load_model("tiny", device="cpu").sha256, dataset)
    assert found.features.shape == (10_000, 256) and found.features.dtype == np.float32
    assert np.array_equal(np.bincount(found.labels), np.full(100, 100))
