"""Accuracy over whole test sets."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from clip_demo.errors import ClassnamesError
from clip_demo.evaluation.accuracy import accuracy, per_class_mean, ranks
from clip_demo.evaluation.significance import paired_difference
from clip_demo.numerics import normalize
from clip_demo.zero_shot.classifier import cosine_similarity
from clip_demo.zero_shot.prompt_set import PromptSet


def of_features(weights, features, labels):
    return accuracy(ranks(cosine_similarity(normalize(features), weights), labels), labels, len(weights))


def test_counts_equal_those_of_a_loop():
    rng = np.random.default_rng(0)
    weights, features, labels = rng.normal(size=(9, 4)), rng.normal(size=(200, 4)), rng.integers(0, 9, 200)
    expected = []
    for feature, label in zip(features, labels, strict=True):
        order = sorted(range(9), key=lambda i: -(weights[i] @ feature) / np.linalg.norm(feature))
        expected.append(order.index(label))
    expected = np.array(expected)
    got = of_features(weights, features, labels)
    assert (got.top1, got.top5, got.n) == (np.mean(expected == 0), np.mean(expected < 5), 200)
    assert got.per_class == tuple(np.mean(expected[labels == i] == 0) for i in range(9))


def test_the_earlier_class_wins_a_tie_as_in_a_prediction():
    weights = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert of_features(weights, np.array([[1.0, 0.0]] * 2), np.array([0, 1])).per_class == (1.0, 0.0)


def test_equal_classes_are_ranked_by_their_position_only():
    rng = np.random.default_rng(1)
    weights, features = rng.normal(size=(2, 100, 512)).astype(np.float32)
    weights[[7, 41, 99]] = weights[3]
    cosines = cosine_similarity(normalize(features), weights)
    assert set(ranks(cosines, np.full(100, 99)) - ranks(cosines, np.full(100, 3))) == {3}


def test_nan_is_never_correct():
    scores = np.array([[np.nan, np.nan, np.nan], [1.0, np.nan, 0.5]])
    assert (ranks(scores, np.array([0, 0])) > 0).all()


def test_a_class_without_images_has_no_accuracy():
    assert per_class_mean(np.array([True, False]), np.array([0, 0]), 2) == [0.5, None]


def test_the_mean_over_the_classes_is_scikit_learns_balanced_accuracy():
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.repeat(c, n) for c, n in enumerate([40, 3, 9, 0, 1])])
    rank = rng.integers(0, 3, len(labels))
    got = accuracy(rank, labels, 5)
    predicted = np.where(rank == 0, labels, (labels + 1) % 5)
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        assert got.mean_per_class == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-12)
    assert got.per_class[3] is None and not got.balanced and abs(got.mean_per_class - got.top1) > 0.02
    assert accuracy(rank[:40], labels[:40], 5).balanced


def test_the_message_for_fewer_classes_than_labels():
    with pytest.raises(ClassnamesError) as caught:
        ranks(np.zeros((2, 3)), np.array([0, 3]))
    assert str(caught.value) == "classnames: got 3; a whole test set needs a name for each of its classes."


def test_the_json_form_holds_the_difference_and_the_probe():
    rank, labels = np.array([0, 1, 7]), np.array([0, 1, 1])
    difference = paired_difference(rank == 0, np.array([False, True, False]))
    plain = json.loads(json.dumps(accuracy(rank, labels, 2, difference=difference, probe_top1=0.5).to_dict()))
    assert list(plain) == ["top1", "top5", "per_class", "n", "difference", "probe_top1", "mean_per_class"]
    assert (plain["top1"], plain["top5"], plain["per_class"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3), [1, 0])
    assert (plain["difference"]["gained"], plain["difference"]["lost"], plain["probe_top1"]) == (1, 1, 0.5)


# --- of the toy ------------------------------------------------------------------------------------------------------


def test_the_accuracy_of_the_toy_is_exact(backend, swapped):
    assert backend.evaluate().accuracy.top1 == 1.0
    got = backend.evaluate(swapped).accuracy
    assert got.top1 == 0.6 and got.per_class == (0.0, 0.0, 1.0, 1.0, 1.0)


def test_it_equals_the_accuracy_of_predictions_one_by_one(backend, toy_dataset):
    prompts = PromptSet(("green", "reddish", "blue", "yellow", "white"))
    correct = [
        backend.predict(index=i, prompts=prompts).zero_shot[0].label == prompts.classnames[toy_dataset.label(i)]
        for i in range(20)
    ]
    assert backend.evaluate(prompts).accuracy.top1 == np.mean(correct)


def test_the_probe_is_measured_on_the_test_set(backend, tmp_path):
    assert backend.evaluate().accuracy.probe_top1 is None
    _, head = backend.fit_probe(folder=tmp_path / "heads")
    assert backend.evaluate().accuracy.probe_top1 == head.provenance.test_accuracy == 1.0
