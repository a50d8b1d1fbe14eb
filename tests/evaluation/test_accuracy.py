"""Accuracy over whole test sets, and features that are stored."""

import logging

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.errors import ClassnamesError, DatasetError, HeadError
from clip_demo.evaluation.accuracy import evaluate, places
from clip_demo.features.feature_store import FeatureStore, load_features, save_features
from clip_demo.numerics import normalize
from clip_demo.zero_shot.classifier import cosines_of


@pytest.fixture
def backend(toy_encoder, toy_images, tmp_path):
    return Backend(
        toy_encoder,
        datasets={"toys": toy_images},
        head_folders=[tmp_path / "heads"],
        feature_folders=[tmp_path / "given", tmp_path / "cache"],
    )


def hold(weights, features, labels):
    return evaluate(places(cosines_of(normalize(features), weights), labels), labels, len(weights))


def test_it_counts_what_a_loop_counts():
    rng = np.random.default_rng(0)
    weights, features, labels = rng.normal(size=(9, 4)), rng.normal(size=(200, 4)), rng.integers(0, 9, 200)
    places = []
    for feature, label in zip(features, labels, strict=True):
        order = sorted(range(9), key=lambda i: -(weights[i] @ feature) / np.linalg.norm(feature))
        places.append(order.index(label))
    places = np.array(places)
    got = hold(weights, features, labels)
    assert (got.top1, got.top5, got.n) == (np.mean(places == 0), np.mean(places < 5), 200)
    assert got.per_class == tuple(np.mean(places[labels == i] == 0) for i in range(9))


def test_ties_go_to_the_earlier_class_as_in_a_prediction():
    weights = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert hold(weights, np.array([[1.0, 0.0]] * 2), np.array([0, 1])).per_class == (1.0, 0.0)


def test_equal_classes_have_equal_cosines_wherever_they_stand():
    rng = np.random.default_rng(1)
    weights, features = rng.normal(size=(2, 100, 512)).astype(np.float32)
    weights[[7, 41, 99]] = weights[3]  # a matrix product alone may round these differently
    cosines = cosines_of(normalize(features), weights)
    assert (cosines[:, [7, 41, 99]] == cosines[:, [3]]).all()
    np.testing.assert_allclose(cosines, normalize(features) @ weights.T, rtol=1e-5, atol=1e-5)
    assert set(places(cosines, np.full(100, 99)) - places(cosines, np.full(100, 3))) == {3}


def test_what_is_no_number_is_never_right():
    scores = np.array([[np.nan, np.nan, np.nan], [1.0, np.nan, 0.5]])
    assert (places(scores, np.array([0, 0])) > 0).all()


def test_the_toy_knows_its_colours(backend):
    assert backend.evaluate().top1 == 1.0
    got = backend.evaluate(classnames=["green", "red", "blue", "yellow", "white"])
    assert got.top1 == 0.6 and got.per_class == (0.0, 0.0, 1.0, 1.0, 1.0)


def test_it_agrees_with_predictions_one_by_one(backend, toy_images):
    names = ["green", "reddish", "blue", "yellow", "white"]
    hits = [
        backend.predict(index=i, classnames=names).zero_shot[0].label == names[toy_images.label(i)] for i in range(20)
    ]
    assert backend.evaluate(classnames=names).top1 == np.mean(hits)


def test_images_are_encoded_once_for_good(backend, toy_encoder, toy_images, tmp_path):
    backend.evaluate()
    assert toy_encoder.encoded_images == 20
    backend.evaluate(templates=["{}"])
    again = Backend(toy_encoder, datasets={"toys": toy_images}, head_folders=[], feature_folders=[tmp_path / "cache"])
    again.evaluate()
    assert toy_encoder.encoded_images == 20


def test_a_class_list_of_another_length_is_said(backend):
    with pytest.raises(ClassnamesError, match="2 came; the test set of Toys-5 needs one for each of its 5 classes"):
        backend.evaluate(classnames=["red", "blue"])


def test_stored_features_answer_where_images_are_absent(backend, toy_images, monkeypatch, tmp_path):
    expected = [backend.predict(index=i).to_dict() for i in range(5)]
    backend.evaluate()
    monkeypatch.setattr(type(toy_images), "available", lambda self: False)

    def gone(self, indices, split="test"):
        raise DatasetError("images: gone")

    monkeypatch.setattr(type(toy_images), "pixels", gone)
    assert [backend.predict(index=i).to_dict() for i in range(5)] == expected


@pytest.mark.parametrize(("compact", "error"), [(False, 0), (True, 1 / 32767)])
def test_features_come_back(toy_encoder, toy_images, tmp_path, compact, error):
    data = FeatureStore([]).of(toy_encoder, toy_images)
    path = save_features(data, tmp_path, toy_encoder, toy_images, compact=compact)
    again, sha256, name = load_features(path)
    assert (path.name, sha256, name) == ("toy-toys.npz", toy_encoder.sha256, "toys")
    np.testing.assert_array_equal(again.labels, data.labels)
    largest = np.abs(data.features).max(axis=1, keepdims=True)
    assert (np.abs(again.features - data.features) <= error / 2 * largest + 1e-7).all()


def test_the_probe_is_measured_on_the_test_set(backend, tmp_path):
    assert backend.evaluate().probe_top1 is None
    _, head = backend.fit_probe(folder=tmp_path / "heads")
    assert backend.evaluate().probe_top1 == head.provenance.test_accuracy == 1.0


def test_features_of_another_model_are_not_used(toy_encoder, toy_images, tmp_path):
    data = FeatureStore([]).of(toy_encoder, toy_images)
    save_features(data, tmp_path, toy_encoder, toy_images)
    assert FeatureStore([tmp_path]).get(toy_encoder.sha256, "toys") is not None
    assert FeatureStore([tmp_path]).get("cd" * 32, "toys") is None


def test_a_damaged_file_is_passed_over_with_a_warning(tmp_path, caplog):
    (tmp_path / "a-toys.npz").write_bytes(b"nonsense")
    with pytest.raises(HeadError, match="holds no test features"):
        load_features(tmp_path / "a-toys.npz")
    store = FeatureStore([tmp_path])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert store.get("ab" * 32, "toys") is None
    assert caplog.text.count("a-toys.npz") == 1  # said once, not at every question
