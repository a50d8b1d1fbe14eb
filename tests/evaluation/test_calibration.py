"""Reliability diagrams against loops."""

import numpy as np
import pytest

from clip_demo.errors import OptionError
from clip_demo.evaluation.calibration import BINS, reliability
from clip_demo.numerics import softmax


def ece_by_loop(confidence, correct, bins=15):
    """Guo et al. 2017, equation 3, bin by bin."""
    total = 0.0
    for m in range(bins):
        inside = [k for k in range(len(correct)) if m / bins < confidence[k] <= (m + 1) / bins]
        if inside:
            gap = np.mean([correct[k] for k in inside]) - np.mean([confidence[k] for k in inside])
            total += len(inside) / len(correct) * abs(gap)
    return total


@pytest.mark.parametrize("n", [1, 7, 300])
def test_the_calibration_error_equals_that_of_a_loop(n):
    rng = np.random.default_rng(5)
    confidence, correct = rng.random(n), rng.random(n) < 0.4
    assert reliability(confidence, correct).ece == pytest.approx(ece_by_loop(confidence, correct), abs=1e-12)


@pytest.mark.parametrize("scale", [0.5, 3.0, 100.0])
def test_the_calibration_error_of_a_report_equals_that_of_a_loop(random_report, scale):
    confidence = softmax(np.float32(scale) * random_report.predictions.cosines).max(axis=1)
    got = random_report.calibration(scale)["zero-shot"]
    assert got.ece == pytest.approx(ece_by_loop(confidence, random_report.predictions.correct), abs=1e-6)
    assert (got.accuracy, sum(each.n for each in got.bins)) == (random_report.accuracy.top1, 400)


def test_the_default_logit_scale_is_the_models_own_and_does_not_affect_the_probe(random_report):
    own, other = random_report.calibration(), random_report.calibration(50)
    assert random_report.logit_scale == 3.0 and own["zero-shot"] == random_report.calibration(3.0)["zero-shot"]
    assert own["probe"] == other["probe"] and own["zero-shot"] != other["zero-shot"]
    assert own["probe"].accuracy == random_report.accuracy.probe_top1


def test_a_larger_logit_scale_raises_the_confidence_and_not_the_accuracy(random_report):
    curves = [random_report.calibration(scale)["zero-shot"] for scale in (0.001, 1, 10, 100, 10_000)]
    means = [each.mean_confidence for each in curves]
    assert means == sorted(means) and means[0] == pytest.approx(1 / 7, abs=1e-3)
    assert len({each.accuracy for each in curves}) == 1


def test_an_edge_belongs_to_the_bin_below_and_1_to_the_last():
    edges = np.linspace(0, 1, 16)
    got = reliability(np.array([edges[3], edges[3] + 1e-9, 1.0, 0.0]), np.array([True, False, True, False]))
    assert BINS == 15 and [each.n for each in got.bins] == [1, 0, 1, 1, *[0] * 10, 1]
    assert (got.bins[1].confidence, got.bins[1].accuracy) == (None, None)
    assert (got.bins[14].accuracy, got.bins[14].low, got.bins[14].high) == (1.0, edges[14], 1.0)


def test_the_error_is_0_for_certain_and_correct_and_1_for_certain_and_wrong():
    assert reliability(np.ones(9), np.ones(9, dtype=bool)).ece == 0
    assert reliability(np.ones(9), np.zeros(9, dtype=bool)).ece == 1


def test_a_report_without_a_head_has_no_diagram_of_the_probe(backend):
    assert backend.evaluate().calibration()["probe"] is None


@pytest.mark.parametrize("scale", [0, -1, 10_001, float("nan"), float("inf"), True, "100"])
def test_the_message_for_a_wrong_logit_scale(random_report, scale):
    with pytest.raises(OptionError) as caught:
        random_report.calibration(scale)
    assert str(caught.value) == (
        f"logit_scale: {scale!r} is not allowed; use a number above 0 and at most 10,000, such as 100, the scale of "
        "OpenAI's models."
    )
