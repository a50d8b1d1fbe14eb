"""Confusion matrices against loops."""

import numpy as np
import pytest

from clip_demo.evaluation.confusion import confused_with, count_pairs
from clip_demo.evaluation.report import PREDICTORS


def test_rows_are_true_classes_and_columns_predicted_classes():
    counts = count_pairs(np.array([0, 0, 2, 2]), np.array([1, 1, 2, 0]), 3)
    assert counts.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 1]]


def test_the_most_frequent_confusions_come_first_and_ties_keep_the_order_of_the_class_list():
    counts = np.array([[9, 1, 3, 0, 1, 3]])
    assert confused_with(counts, 0, "abcdef") == (("c", 3), ("f", 3), ("b", 1))
    assert confused_with(counts, 0, "abcdef", most=5) == (("c", 3), ("f", 3), ("b", 1), ("e", 1))
    assert confused_with(np.array([[9, 0]]), 0, "ab") == ()


def test_the_confusions_of_the_toy_are_exact(with_head, swapped):
    report = with_head.evaluate(swapped)
    fine, coarse = report.confusion(), report.confusion(by="probe", coarse=True)
    assert fine.counts == ((0, 4, 0, 0, 0), (4, 0, 0, 0, 0), (0, 0, 4, 0, 0), (0, 0, 0, 4, 0), (0, 0, 0, 0, 4))
    assert fine.groups == ("plain",) * 3 + ("mixed",) * 2 and fine.names == swapped.classnames
    assert (coarse.names, coarse.counts) == (("plain", "mixed"), ((12, 0), (0, 8)))
    assert report.confusion(by="probe").counts[4] == (0, 0, 0, 4, 0)


@pytest.mark.parametrize("by", PREDICTORS)
def test_every_count_equals_that_of_a_loop(random_report, decisions, by):
    fine, field = random_report.confusion(by), by.replace("-", "_")
    for i, true in enumerate(fine.classes):
        for j, predicted in enumerate(fine.classes):
            pairs = [(each.true, getattr(each, field)) for each in decisions]
            assert fine.counts[i][j] == pairs.count((true, predicted))
    assert sum(map(sum, fine.counts)) == 400


def test_classes_of_a_coarse_class_are_neighbours(random_report):
    fine = random_report.confusion()
    assert fine.groups == ("x", "x", "x", "y", "y", "z", "z")
    assert fine.names == ("b", "d", "g", "c", "f", "a", "e") and fine.classes == (1, 3, 6, 2, 5, 0, 4)


@pytest.mark.parametrize("by", PREDICTORS)
def test_coarse_counts_equal_those_of_a_loop(random_report, decisions, by):
    coarse, group = random_report.confusion(by, coarse=True), (2, 0, 1, 0, 2, 1, 0)
    pairs = [(group[each.true], group[getattr(each, by.replace("-", "_"))]) for each in decisions]
    assert coarse.names == coarse.groups == ("x", "y", "z") and coarse.classes == (0, 1, 2)
    assert coarse.counts == tuple(tuple(pairs.count((i, j)) for j in range(3)) for i in range(3))
