"""Accuracies on photos that were not learned from."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from clip_demo.own_classes.classifiers import Examples
from clip_demo.own_classes.held_out import can_be_tested, first_of_each, folds, held_out, is_early


def test_the_probe_is_tested_as_scikit_learn_leaves_one_out(examples):
    recipe = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    reference = cross_val_predict(recipe, examples.photos, examples.labels, cv=LeaveOneOut())
    result = held_out(examples)
    np.testing.assert_array_equal(result.predicted["linear_probe"], reference)
    np.testing.assert_array_equal(result.confusion["linear_probe"], confusion_matrix(examples.labels, reference))
    assert result.curves["linear_probe"][-1].accuracy == (reference == examples.labels).mean()


def test_an_accuracy_has_the_interval_of_wilson(examples):
    last = held_out(examples).curves["nearest_mean"][-1]
    correct = round(last.accuracy * 16)
    interval = binomtest(correct, 16).proportion_ci(method="wilson")
    assert (last.low, last.high) == pytest.approx((interval.low, interval.high))


def test_zero_shot_prediction_learns_from_no_photo_so_its_curve_is_flat(examples):
    curve = held_out(examples).curves["zero_shot"]
    assert [point.shots for point in curve] == [1, 2, 4, None]  # the largest class has seven photos
    assert len({point.accuracy for point in curve}) == 1


def test_a_curve_ends_with_all_photos(examples):
    """Photos along three axes: all methods that learn from photos get them right from the first one on."""
    clear = Examples(("a", "b", "c"), np.eye(3)[[1, 2, 0]], 5 * np.eye(3)[examples.labels], examples.labels, 20.0)
    curves = held_out(clear).curves
    assert [point.accuracy for point in curves["linear_probe"]] == [1, 1, 1, 1]
    assert [point.accuracy for point in curves["zero_shot"]] == [0, 0, 0, 0]
    assert curves["text_and_photos"][-1].accuracy == 1


def test_the_photo_in_doubt_is_the_one_with_a_wrong_label():
    labels = np.repeat([0, 1], 6)
    photos = 5 * np.eye(2)[labels] + 0.1
    labels[4] = 1
    assert held_out(Examples(("a", "b"), np.eye(2), photos, labels, 20.0)).doubt == 4


def test_up_to_sixty_photos_are_left_out_one_by_one_and_more_in_ten_parts():
    assert folds(np.zeros(60, dtype=int)).tolist() == list(range(60))
    labels = np.array([0, 1, 2] * 41)
    fold = folds(labels)
    assert sorted(np.bincount(fold)) == [12] * 7 + [13] * 3
    for c in range(3):
        assert np.ptp(np.bincount(fold[labels == c])) <= 1


def test_the_first_photos_of_a_class_are_those_that_came_first():
    labels = np.array([1, 0, 1, 0, 1])
    keep = np.array([False, True, True, True, True])
    assert first_of_each(labels, keep, 1).tolist() == [1, 2]
    assert first_of_each(labels, keep, None).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("counts", "possible"), [([1, 9], False), ([2, 2], True), ([2, 0, 2], True), ([0, 5], False)])
def test_two_classes_need_a_second_photo(examples, counts, possible):
    labels = np.repeat(np.arange(len(counts)), counts)
    some = Examples(("a", "b", "c")[: len(counts)], np.eye(3)[: len(counts)], np.ones((len(labels), 3)), labels, 1.0)
    assert can_be_tested(some) is possible


def test_fewer_than_three_photos_of_a_class_are_early(examples):
    assert not is_early(examples)
    assert is_early(examples.subset(np.flatnonzero(examples.labels != 1)))


def test_progress_counts_the_folds_of_all_points_of_the_curve(examples):
    calls = []
    held_out(examples, lambda *call: calls.append(call))
    assert calls == [("tests", n, 4 * 16) for n in range(1, 65)]
