"""The head: its probabilities, its file and its store."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from clip_demo.artifacts import file_name
from clip_demo.errors import HeadError
from clip_demo.linear_probe.head import HeadStore, linear_probe, load_head, save_head
from clip_demo.models.load import load_model
from clip_demo.paths import ASSETS


def test_probabilities_sum_to_one_and_do_not_overflow(data, fit):
    np.testing.assert_allclose(fit().predict_proba(1e6 * data[2]).sum(axis=1), 1)


def test_a_head_fitted_on_normalised_features_normalises_its_input(data, fit):
    head = fit(normalized=True)
    np.testing.assert_allclose(head.predict_proba(data[2]), head.predict_proba(7 * data[2]), atol=1e-6)


def test_features_of_another_width_are_refused(fit):
    with pytest.raises(HeadError, match="it needs features of 8 numbers, got 3; use it with toy/1"):
        fit().predict_proba(np.zeros((1, 3)))


def test_the_most_probable_classes_come_first(data, fit):
    head, image = fit(), data[2][0]
    probabilities = head.predict_proba(image[None])[0]
    top = linear_probe(head, image, 3).top
    assert [each.probability for each in top] == sorted(probabilities, reverse=True)[:3]
    assert top[0].label == head.classes_[probabilities.argmax()]
    assert linear_probe(None, image, 3) is None


def test_a_saved_head_is_loaded_again_and_holds_no_pickle(data, fit, tmp_path):
    head = fit()
    path = save_head(head, tmp_path / "new")
    assert path.name == "toy-1-toys.npz" == file_name("toy/1", "toys")
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored) == {"coef", "intercept", "classes", "metadata"}
        metadata = json.loads(str(stored["metadata"]))
        assert (metadata["n_train"], metadata["image_set"]) == (300, "toys")  # the keys of all files so far
    again = load_head(path)
    assert again.provenance == head.provenance and again.classes_ == head.classes_
    np.testing.assert_array_equal(again.predict_proba(data[2]), head.predict_proba(data[2]))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_head_is_found_by_checksum_and_never_for_another_model(fit, tmp_path):
    save_head(fit(), tmp_path)
    assert HeadStore([tmp_path / "none", tmp_path]).get("ab" * 32, "toys").provenance.model == "toy/1"
    assert HeadStore([tmp_path]).get("cd" * 32, "toys") is None
    assert HeadStore([tmp_path]).get("ab" * 32, "cifar100") is None


def test_a_renamed_head_is_not_used_for_another_dataset(fit, tmp_path):
    save_head(fit(), tmp_path).rename(tmp_path / "toy-cifar100.npz")
    assert HeadStore([tmp_path]).get("ab" * 32, "cifar100") is None


def test_a_head_that_appears_later_is_found(fit, tmp_path):
    store = HeadStore([tmp_path / "heads"])
    assert store.get("ab" * 32, "toys") is None
    save_head(fit(), tmp_path / "heads")
    assert store.get("ab" * 32, "toys") is not None


def test_a_damaged_head_is_skipped_with_a_warning(fit, tmp_path, caplog):
    (tmp_path / "a-toys.npz").write_bytes(b"nonsense")
    save_head(fit(), tmp_path)
    with caplog.at_level(logging.WARNING):
        assert HeadStore([tmp_path]).get("ab" * 32, "toys") is not None
    assert "a-toys.npz' is not a head" in caplog.text


def test_parts_of_different_lengths_are_refused(fit, tmp_path):
    head = fit()
    path = save_head(replace(head, intercept=head.intercept[:3]), tmp_path)
    with pytest.raises(HeadError, match="parts of different lengths"):
        load_head(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_head_of_no_numbers_is_refused(fit, tmp_path, value):
    head = fit()
    path = save_head(replace(head, intercept=np.full_like(head.intercept, value)), tmp_path)
    with pytest.raises(HeadError, match="infinite or no numbers; fit it again"):
        load_head(path)


def test_a_pickle_in_a_head_is_not_opened(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, coef=np.array([{}], dtype=object), intercept=np.zeros(1), classes=np.array(["a"]), metadata="{}")
    with pytest.raises(HeadError, match="is not a head"):
        load_head(path)


@pytest.mark.parametrize("dataset", ["cifar100", "shapes100"])
def test_the_heads_of_the_built_in_model_open(dataset):
    head = HeadStore([ASSETS / "heads"]).get(load_model("tiny", device="cpu").sha256, dataset)
    assert (head.provenance.dataset, head.provenance.n_train, len(head.classes_)) == (dataset, 50_000, 100)
