"""The difference of two classifiers against scipy and brute force."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, chi2

from clip_demo.evaluation.significance import (
    Difference,
    mcnemar_p_value,
    paired_difference,
    score_interval,
    wilson_interval,
)

Z = NormalDist().inv_cdf(0.975)


@pytest.mark.parametrize(
    ("gained", "lost"), [(1, 0), (5, 5), (4, 5), (3, 11), (100, 61), (56, 52), (0, 40), (900, 1100), (5000, 4800)]
)
def test_the_p_value_is_that_of_scipy(gained, lost):
    expected = binomtest(gained, gained + lost, 0.5).pvalue
    assert mcnemar_p_value(gained, lost) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p_value(lost, gained) == mcnemar_p_value(gained, lost)


@pytest.mark.parametrize(
    ("gained", "lost", "expected"), [(0, 0, 1.0), (1, 0, 1.0), (5000, 5000, 1.0), (10, 0, 2**-9), (10_000, 0, 0.0)]
)
def test_the_p_value_of_extreme_counts(gained, lost, expected):
    assert mcnemar_p_value(gained, lost) == expected


def likelihood_ratio(gained, lost, n, delta):
    """Return the most likely share of lost images for a difference of `delta`, and minus twice its log likelihood."""

    def cost(share):
        parts = [(gained, share + delta), (lost, share), (n - gained - lost, 1 - 2 * share - delta)]
        return -2 * sum(count * math.log(p) for count, p in parts if count)

    best = minimize_scalar(cost, bounds=(max(0, -delta), (1 - delta) / 2), method="bounded", options={"xatol": 1e-12})
    return best.x, best.fun


@pytest.mark.parametrize(("gained", "lost", "n"), [(30, 12, 200), (5, 5, 10_000), (120, 35, 10_000), (3, 9, 20)])
def test_both_ends_are_the_quantile_of_the_level_away_in_standard_errors(gained, lost, n):
    for end, sign in zip(score_interval(gained, lost, n), (1, -1), strict=True):
        share, _ = likelihood_ratio(gained, lost, n, end)  # by search, where the code solves a quadratic
        error = math.sqrt((2 * share + end - end**2) / n)
        assert ((gained - lost) / n - end) / error == pytest.approx(sign * Z, rel=1e-4)


def test_the_interval_is_close_to_the_likelihood_ratio_interval():
    gained, lost, n = 120, 60, 10_000
    _, least = likelihood_ratio(gained, lost, n, (gained - lost) / n)
    for end in score_interval(gained, lost, n):
        _, there = likelihood_ratio(gained, lost, n, end)
        assert there - least == pytest.approx(chi2.ppf(0.95, 1), rel=0.05)


def test_the_interval_without_changes_has_a_closed_form():
    low, high = score_interval(0, 0, 10_000)
    assert high == -low == pytest.approx(Z**2 / (10_000 + Z**2), rel=1e-6)


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 20, 20), (20, 0, 20), (1, 0, 1), (10, 10, 20), (0, 1, 10_000)])
def test_the_interval_of_extreme_counts_stays_within_1(gained, lost, n):
    low, high = score_interval(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1 and low < high
    assert score_interval(lost, gained, n) == pytest.approx((-high, -low), abs=1e-9)


def test_the_interval_contains_0_exactly_where_the_uncorrected_test_does_not_reject_it():
    for gained, lost in [(25, 10), (24, 13), (40, 24), (40, 22), (2, 0), (6, 0), (3, 0)]:
        low, high = score_interval(gained, lost, 1000)
        assert (low <= 0 <= high) == ((gained - lost) ** 2 / (gained + lost) <= Z**2)


@pytest.mark.parametrize(("up", "down"), [(0.3, 0.2), (0.1, 0.1), (0.02, 0.05)])
def test_the_coverage_is_about_the_nominal_level(up, down):
    n, covered = 50, 0.0
    for changed in range(n + 1):
        weight = binom.pmf(changed, n, up + down)
        if weight < 1e-9:
            continue
        for gained in range(changed + 1):
            low, high = score_interval(gained, changed - gained, n)
            if low <= up - down <= high:
                covered += weight * binom.pmf(gained, changed, up / (up + down))
    assert 0.93 < covered < 0.98


def test_a_difference_pairs_the_images():
    new, old = np.array([1, 1, 0, 1, 0], dtype=bool), np.array([1, 0, 1, 0, 0], dtype=bool)
    low, high = score_interval(2, 1, 5)
    assert paired_difference(new, old) == Difference(0.2, low, high, 1.0, 2, 1)
    assert paired_difference(new, new).top1 == 0 and paired_difference(new, new).p_value == 1


@pytest.mark.parametrize(("gained", "lost", "significant"), [(5, 0, False), (6, 0, True), (20, 9, False), (0, 6, True)])
def test_a_difference_is_significant_where_mcnemars_exact_test_says_so(gained, lost, significant):
    new = np.array([1] * gained + [0] * lost + [1] * 50, dtype=bool)
    old = np.array([0] * gained + [1] * lost + [1] * 50, dtype=bool)
    assert paired_difference(new, old).significant is significant


@pytest.mark.parametrize(("correct", "n"), [(0, 5), (3, 5), (5, 5), (17, 60)])
def test_the_interval_of_a_proportion_is_scipys(correct, n):
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
