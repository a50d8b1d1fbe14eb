"""Both methods as linear classifiers, and the scores of classes."""

import numpy as np
import pytest

from clip_demo.errors import ClassnamesError, OptionError
from clip_demo.inside.linear_classifier import LinearClassifier, Score
from clip_demo.linear_probe.fit import fit_head
from clip_demo.numerics import normalize, softmax
from clip_demo.zero_shot.classifier import zero_shot_scores
from clip_demo.zero_shot.prompt_set import PromptSet

PROMPTS = PromptSet(["ant", "sweet_pepper", "cat"])
RANDOM = np.random.default_rng(0)
WEIGHTS = normalize(RANDOM.normal(size=(3, 8))).astype(np.float32)
FEATURES = RANDOM.normal(size=(5, 8)).astype(np.float32)


@pytest.fixture
def zero_shot():
    return LinearClassifier.zero_shot(PROMPTS, WEIGHTS, 20.0)


def test_zero_shot_logits_are_those_of_the_prediction(zero_shot):
    logits = zero_shot.logits(FEATURES)
    for row, features in zip(logits, FEATURES, strict=True):
        expected = {each.label: each for each in zero_shot_scores(WEIGHTS, features, 20.0, PROMPTS.classnames, 3)}
        for name, logit, share in zip(PROMPTS.classnames, row, softmax(row), strict=True):
            assert logit == pytest.approx(20 * expected[name].cosine, abs=1e-5)
            assert share == pytest.approx(expected[name].probability, abs=1e-6)


@pytest.mark.parametrize("normalized", [True, False])
def test_probe_logits_are_those_of_the_head(normalized):
    labels = np.arange(40) % 2
    data = (RANDOM.normal(size=(40, 8)) + labels[:, None]).astype(np.float32)
    head = fit_head(
        data, labels, data, labels,
        classnames=("a", "b"), model="m", model_sha256="ab" * 32, dataset="toys", normalized=normalized,
    )  # fmt: skip
    classifier = LinearClassifier.probe(head)
    np.testing.assert_allclose(softmax(classifier.logits(FEATURES)), head.predict_proba(FEATURES), atol=1e-6)


def test_the_default_pair_is_the_best_two_classes(zero_shot):
    for features in FEATURES:
        order = [each.label for each in zero_shot_scores(WEIGHTS, features, 20.0, PROMPTS.classnames, 3)]
        assert Score.of_pair(zero_shot, features).names == (order[0], order[1])
        assert Score.of_pair(zero_shot, features, order[0]).names == (order[0], order[1])
        assert Score.of_pair(zero_shot, features, order[2]).names == (order[2], order[0])
        assert Score.of_pair(zero_shot, features, None, order[0]).names == (order[1], order[0])
        assert Score.of_class(zero_shot, features).names == (order[0], "")


def test_a_score_is_the_difference_of_the_logits(zero_shot):
    score = Score.of_pair(zero_shot, FEATURES[0], "cat", "Sweet pepper")
    logits = zero_shot.logits(FEATURES)
    np.testing.assert_allclose(score.of(FEATURES), logits[:, 2] - logits[:, 1])
    np.testing.assert_allclose(normalize(FEATURES.astype(float)) @ score.direction, score.of(FEATURES))
    np.testing.assert_allclose(score.probability(FEATURES), softmax(logits)[:, 2])
    np.testing.assert_allclose(Score.of_class(zero_shot, FEATURES[0], "cat").of(FEATURES), logits[:, 2])


def test_unknown_and_equal_classes_are_refused(zero_shot):
    with pytest.raises(ClassnamesError, match="'dog' is none of the 3 classes; use one of their names, such as 'ant'"):
        Score.of_pair(zero_shot, FEATURES[0], "dog")
    with pytest.raises(OptionError, match="both are 'cat'; name two classes"):
        Score.of_pair(zero_shot, FEATURES[0], "cat", "Cat")
