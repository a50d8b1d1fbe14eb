"""Cells, their choice, and the check of a map."""

import numpy as np
import pytest

from clip_demo.inside.deletion_check import deletion_row
from clip_demo.inside.heat_map import (
    Effect,
    MapCheck,
    check_of,
    hottest_fifth,
    random_fifth,
    resample,
    single_cells,
)
from clip_demo.inside.linear_classifier import LinearClassifier, Score


def test_a_map_on_another_grid_has_the_mean_of_each_area():
    values = np.arange(16.0).reshape(4, 4)
    np.testing.assert_allclose(resample(values, 4), values)
    np.testing.assert_allclose(resample(values, 2), [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_allclose(resample(values, 8), values.repeat(2, axis=0).repeat(2, axis=1))
    # From six cells to eight: the second new cell has a third of its area in the first old one, the rest in the second.
    row = resample(np.tile(np.arange(6.0), (6, 1)), 8)[0]
    np.testing.assert_allclose(row[:4], [0, 2 / 3, 4 / 3, 2])
    random = np.random.default_rng(0).random((7, 7))
    assert resample(random, 5).mean() == pytest.approx(random.mean())


def test_a_fifth_of_the_cells_is_chosen():
    values = np.zeros((7, 7))
    values[3, 1:6] = [5, 4, 3, 2, 1]
    chosen = hottest_fifth(values)
    assert chosen.sum() == 10 and chosen[3, 1:6].all() and chosen[0, :5].all()  # of equals the earlier ones
    assert hottest_fifth(np.array([[0.0, 1.0]])).tolist() == [[False, True]]


def test_random_cells_depend_on_the_seed_alone():
    masks = [random_fifth((8, 8), seed) for seed in range(50)]
    assert all(mask.shape == (8, 8) and mask.sum() == 13 for mask in masks)
    np.testing.assert_array_equal(masks[3], random_fifth((8, 8), 3))
    assert np.mean(masks, axis=0).max() < 0.5 and len({mask.tobytes() for mask in masks}) == 50


def test_single_cells_go_row_by_row():
    cells = single_cells(3)
    assert cells.shape == (9, 3, 3) and cells.sum() == 9 and cells[5, 1, 2]


def test_a_check_has_the_scores_and_probabilities_of_the_covered_images():
    classifier = LinearClassifier(("a", "b"), np.eye(2), np.zeros(2), normalized=False)
    check = check_of(Score(classifier, 0, 1), 64, np.array([[3.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
    assert (check.covered, check.cells) == (13, 64)
    assert [each.score for each in (check.before, check.hottest, check.random)] == [3, -1, 2]
    assert check.before.probability == pytest.approx(1 / (1 + np.exp(-3)))
    assert check.better_than_random
    assert not check_of(Score(classifier, 0, 1), 64, np.array([[3.0, 0], [2, 0], [2, 0]])).better_than_random


def test_the_deletion_check_is_the_mean_over_the_images():
    before, random = Effect(5.0, 0.9), Effect(4.0, 0.8)
    checks = [MapCheck(13, 64, before, Effect(score, share), random) for score, share in ((1, 0.2), (2, 0.3), (6, 0.7))]
    row = deletion_row("cover test", "zero-shot", checks)
    assert (row.method, row.predictor, row.n, row.better) == ("cover test", "zero-shot", 3, pytest.approx(2 / 3))
    assert (row.probability, row.hottest, row.random) == pytest.approx((0.9, 0.4, 0.8))
    assert row.drop == pytest.approx((3 + 2 - 2) / 3)
    half = 1.96 * np.std([3, 2, -2], ddof=1) / 3**0.5
    assert (row.low, row.high) == pytest.approx((row.drop - half, row.drop + half))
