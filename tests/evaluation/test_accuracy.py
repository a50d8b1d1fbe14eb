"""Accuracy over whole test sets."""

import json
import warnings

import numpy as np
import pytest

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
    assert per_class_mean(np.array([True, False]), np.array([0, 0]), 2) == (0.5, None)


@pytest.mark.parametrize("n_classes", [2, 3, 30])
def test_the_numbers_of_unbalanced_classes_are_those_of_scikit_learn(n_classes):
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, top_k_accuracy_score

    rng = np.random.default_rng(n_classes)
    frequency = 0.7 ** np.arange(n_classes)
    labels = rng.choice(n_classes, 300, p=frequency / frequency.sum())
    scores = rng.normal(size=(300, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    probe = rng.integers(0, n_classes, 300)
    got = accuracy(ranks(scores, labels), labels, n_classes, probe_correct=probe == labels)
    predicted, tested = scores.argmax(axis=1), np.unique(labels)
    assert got.top1 == pytest.approx(accuracy_score(labels, predicted))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a predicted class has no image
        assert got.mean_per_class == pytest.approx(balanced_accuracy_score(labels, predicted))
        assert got.probe_mean_per_class == pytest.approx(balanced_accuracy_score(labels, probe))
    recall = recall_score(labels, predicted, labels=tested, average=None)
    assert [got.per_class[i] for i in tested] == pytest.approx(recall.tolist())
    assert [i for i in range(n_classes) if got.per_class[i] is not None] == tested.tolist()
    if n_classes > 5:
        expected = top_k_accuracy_score(labels, scores, k=5, labels=range(n_classes))
        assert got.top5 == pytest.approx(expected) and len(tested) < n_classes
    else:
        assert got.top5 == 1
    assert not got.balanced and got.mean_per_class != pytest.approx(got.top1)


def test_the_message_for_fewer_classes_than_labels():
    with pytest.raises(ClassnamesError) as caught:
        ranks(np.zeros((2, 3)), np.array([0, 3]))
    assert str(caught.value) == "classnames: got 3; a whole test set needs a name for each of its classes."


def test_the_json_form_holds_the_difference_and_the_probe():
    rank, labels = np.array([0, 1, 7]), np.array([0, 1, 1])
    difference = paired_difference(rank == 0, np.array([False, True, False]))
    probe = np.array([False, True, True])
    plain = json.loads(json.dumps(accuracy(rank, labels, 3, difference=difference, probe_correct=probe).to_dict()))
    assert plain.pop("difference")["gained"] == 1
    assert plain == {
        "top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3), "per_class": [1, 0, None], "mean_per_class": 0.5,
        "balanced": False, "n": 3, "probe_top1": pytest.approx(2 / 3), "probe_mean_per_class": 0.5,
    }  # fmt: skip


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
