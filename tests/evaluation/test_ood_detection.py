import numpy as np
import pytest

from clip_demo.errors import OptionError
from clip_demo.evaluation.labelled_images import LabelledImages
from clip_demo.evaluation.ood_detection import (
    auroc_interval,
    choose_hidden,
    detection,
    fpr95_interval,
    hidden_classes,
)
from clip_demo.features.feature_store import TestFeatures
from clip_demo.linear_probe.head import Head
from clip_demo.numerics import normalize
from clip_demo.zero_shot.none_of_these import NegativeLabels


def scores_of(seed, ties):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(1, 1, 300), rng.normal(0, 1, 120)])
    order = rng.permutation(420)
    return (np.round(scores, 1) if ties else scores)[order], (np.arange(420) < 300)[order]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_scikit_learn(seed, ties):
    from sklearn.metrics import roc_auc_score, roc_curve

    scores, known = scores_of(seed, ties)
    found = detection(scores, known)
    assert found.auroc == pytest.approx(roc_auc_score(known, scores), abs=1e-12)
    fpr, tpr, _ = roc_curve(known, scores, drop_intermediate=False)
    assert found.fpr95 == pytest.approx(fpr[tpr >= 0.95][0], abs=1e-12)
    assert found.auroc_low < found.auroc < found.auroc_high
    assert found.fpr95_low < found.fpr95 < found.fpr95_high


@pytest.mark.parametrize("ties", [False, True])
def test_delongs_variance_is_that_of_his_structural_components(ties):
    scores, is_known = scores_of(1, ties)
    known, unknown = scores[is_known], scores[~is_known]
    wins = (known[:, None] > unknown) + 0.5 * (known[:, None] == unknown)
    variance = wins.mean(axis=1).var(ddof=1) / len(known) + wins.mean(axis=0).var(ddof=1) / len(unknown)
    auroc, low, high = auroc_interval(known, unknown)
    assert auroc == pytest.approx(wins.mean())
    assert (low, high) == pytest.approx((auroc - 1.959964 * variance**0.5, auroc + 1.959964 * variance**0.5))
    assert auroc_interval(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == (1, 1, 1)


def test_the_interval_of_the_false_positive_rate_is_that_of_a_plain_bootstrap():
    scores, is_known = scores_of(2, False)
    known, unknown = scores[is_known], scores[~is_known]
    rng, rates = np.random.default_rng(9), []
    for _ in range(2_000):
        drawn = np.sort(rng.choice(known, len(known)))
        rates.append((rng.choice(unknown, len(unknown)) >= drawn[15]).mean())  # 15 of 300 are below: 5 %
    assert fpr95_interval(known, unknown) == pytest.approx(np.quantile(rates, [0.025, 0.975]), abs=0.02)
    assert fpr95_interval(known, unknown) == fpr95_interval(known, unknown)


def test_the_hidden_classes_are_drawn_with_a_seed():
    first = choose_hidden(100)
    assert len(set(first)) == 20 and list(first) == sorted(first)
    assert list(choose_hidden(100, seed=0)) == list(first) != list(choose_hidden(100, seed=1))
    for wrong in (0, 99, 2.5, "20", None, True):
        with pytest.raises(OptionError, match="^hidden: .*; use a whole number from 1 to 98"):
            choose_hidden(100, wrong)
    for wrong in (-1, 2**32, "0"):
        with pytest.raises(OptionError, match="^seed: .*; use a whole number from 0"):
            choose_hidden(100, seed=wrong)


@pytest.mark.parametrize("normalized", [False, True])
def test_every_score_is_measured_without_the_hidden_classes(toy_dataset, provenance, normalized):
    from dataclasses import replace

    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    features = rng.normal(size=(200, 4)).astype(np.float32)
    labels, weights, nouns = np.arange(200) % 5, normalize(rng.normal(size=(5, 4))), normalize(rng.normal(size=(9, 4)))
    classes = ("white", "red", "green", "yellow", "blue")  # the head's order is its own
    head = Head(rng.normal(size=(5, 4)), rng.normal(size=5), classes, replace(provenance, normalized=normalized))
    images = LabelledImages.of(TestFeatures(features, labels), toy_dataset, 10.0, head)
    negatives = NegativeLabels(tuple("abcdefghi"), nouns)
    measured = hidden_classes(images, features, images.features @ weights.T, negatives, [1, 4])
    assert (measured.hidden, measured.n_known, measured.n_hidden, measured.nouns) == (("green", "white"), 120, 80, 9)
    known = np.isin(labels, [0, 2, 3])

    def shares(logits):
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ weights[[0, 2, 3]].T
    alone, among = shares(10 * cosines), shares(10 * np.concatenate([cosines, unit @ nouns.T], axis=1))
    kept = (unit if normalized else features) @ head.coef[[1, 3, 4]].T + head.intercept[[1, 3, 4]]
    for found, score in (
        (measured.mcm, shares(cosines).max(axis=1)),
        (measured.msp, alone.max(axis=1)),
        (measured.neglabel, among[:, :3].sum(axis=1)),
        (measured.probe, shares(kept).max(axis=1)),
    ):
        assert found.auroc == pytest.approx(roc_auc_score(known, score), abs=1e-6)
    won = among[:, 3:].sum(axis=1) > among[:, :3].max(axis=1)
    assert (measured.known_won, measured.hidden_won) == pytest.approx((won[known].mean(), won[~known].mean()))
