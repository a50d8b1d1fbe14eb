"""The zero-shot classifier from text features, without a model."""

import numpy as np
import pytest

from clip_demo.numerics import normalize
from clip_demo.zero_shot.classifier import class_weights, cosine_similarity, zero_shot_scores
from clip_demo.zero_shot.prompt_set import PromptSet


def test_weights_are_normalised_means_over_the_templates():
    prompts = PromptSet(["a", "b"], ["{}", "x {}", "{} y"])
    rng = np.random.default_rng(0)
    table = dict(zip(("a", "x a", "a y", "b", "x b", "b y"), normalize(rng.normal(size=(6, 4))), strict=True))
    weights = class_weights(lambda texts: np.stack([table[text] for text in texts]), prompts)
    for weight, name in zip(weights, "ab", strict=True):
        mean = (table[name] + table[f"x {name}"] + table[f"{name} y"]) / 3
        np.testing.assert_allclose(weight, mean / np.linalg.norm(mean), rtol=1e-12)


def test_all_prompts_are_encoded_in_one_call():
    calls = []

    def encode(texts):
        calls.append(list(texts))
        return np.ones((len(texts), 3)) / np.sqrt(3)

    assert class_weights(encode, PromptSet(["a", "b"], ["{}", "x {}"])).shape == (2, 3)
    assert calls == [["a", "x a", "b", "x b"]]


def test_equal_classes_have_equal_cosines_at_any_position():
    rng = np.random.default_rng(1)
    weights, features = rng.normal(size=(2, 100, 512)).astype(np.float32)
    weights[[7, 41, 99]] = weights[3]  # a matrix product alone may round these differently
    cosines = cosine_similarity(normalize(features), weights)
    assert (cosines[:, [7, 41, 99]] == cosines[:, [3]]).all()
    np.testing.assert_allclose(cosines, normalize(features) @ weights.T, rtol=1e-5, atol=1e-5)


def test_scores_are_sorted_and_ties_keep_the_order_of_the_class_list():
    weights = normalize(np.array([[0, 1.0], [1, 0], [1, 1], [1, 0]]))
    scores = zero_shot_scores(weights, np.array([5.0, 0]), 10.0, ("up", "right", "diagonal", "also right"), 3)
    assert [score.label for score in scores] == ["right", "also right", "diagonal"]
    exponentials = np.exp(10 * np.array([0, 1, np.sqrt(0.5), 1]))
    assert scores[0].probability == pytest.approx(exponentials[1] / exponentials.sum(), rel=1e-12)
    assert (scores[0].cosine, scores[2].cosine) == (1.0, pytest.approx(np.sqrt(0.5)))


def test_scores_are_sorted_by_cosine_where_probabilities_underflow():
    weights = normalize(np.array([[-1.0, 0.1], [-1, 0.2], [1, 0]]))
    scores = zero_shot_scores(weights, np.array([1.0, 0]), 10_000.0, ("far", "less far", "near"), 3)
    assert [score.label for score in scores] == ["near", "less far", "far"]
    assert [score.probability for score in scores] == [1.0, 0.0, 0.0]
