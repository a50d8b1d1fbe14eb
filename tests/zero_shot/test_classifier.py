"""The zero-shot classifier on small vectors."""

import numpy as np
import pytest

from clip_demo.numerics import normalize, softmax
from clip_demo.zero_shot.classifier import class_weights, cosine_similarity, zero_shot_scores
from clip_demo.zero_shot.prompt_set import PromptSet

# Text features of the prompts, not normalised.
TEXTS = {"a cat": (3, 4), "cat": (0, 2), "a dog": (5, 0), "dog": (1, 0)}


def encode(prompts):
    return normalize(np.array([TEXTS[prompt] for prompt in prompts], dtype=np.float32))


def test_class_weights_are_normalised_means_of_normalised_features():
    weights = class_weights(encode, PromptSet(("cat", "dog"), ("a {}", "{}")))
    mean = (np.array([0.6, 0.8]) + np.array([0, 1])) / 2  # Radford et al. 2021, section 3.1.4
    np.testing.assert_allclose(weights, [mean / np.linalg.norm(mean), [1, 0]], atol=1e-6)
    assert weights.dtype == np.float32


def test_all_prompts_are_encoded_in_one_call():
    calls = []
    class_weights(lambda prompts: calls.append(prompts) or encode(prompts), PromptSet(("cat", "dog"), ("a {}", "{}")))
    assert calls == [["a cat", "cat", "a dog", "dog"]]


def test_equal_classes_have_equal_cosines_at_every_position():
    rng = np.random.default_rng(1)
    weights, features = rng.normal(size=(2, 100, 512)).astype(np.float32)
    weights[[7, 41, 99]] = weights[3]  # a matrix product alone may round these differently
    cosines = cosine_similarity(normalize(features), weights)
    assert (cosines[:, [7, 41, 99]] == cosines[:, [3]]).all()
    np.testing.assert_allclose(cosines, normalize(features) @ weights.T, rtol=1e-5, atol=1e-5)


def test_one_image_has_the_cosines_of_a_batch_of_one():
    weights, image = normalize(np.array([[1.0, 2], [3, 1], [1, 2]])), normalize(np.array([1.0, 1]))
    assert cosine_similarity(image, weights).shape == (3,)
    np.testing.assert_array_equal(cosine_similarity(image[None], weights), [cosine_similarity(image, weights)])


def test_scores_are_a_softmax_of_scaled_cosines_sorted_from_the_best():
    weights = np.array([[0.0, 1], [0.6, 0.8], [1, 0]])
    scores = zero_shot_scores(weights, np.array([2.0, 0]), 10.0, ("a", "b", "c"), top_k=2)
    assert [score.label for score in scores] == ["c", "b"]
    assert [score.cosine for score in scores] == pytest.approx([1, 0.6])
    assert [score.probability for score in scores] == pytest.approx(softmax(np.array([0, 6, 10.0]))[[2, 1]])


def test_ties_keep_the_order_of_the_class_list():
    scores = zero_shot_scores(np.array([[1.0, 0]] * 3), np.array([1.0, 0]), 10.0, ("b", "a", "c"), top_k=3)
    assert [score.label for score in scores] == ["b", "a", "c"]


def test_classes_are_sorted_by_cosine_where_probabilities_underflow():
    weights = normalize(np.array([[-1.0, 0], [0, 1], [1, 0]]))
    scores = zero_shot_scores(weights, np.array([1.0, 0]), 10_000.0, ("a", "b", "c"), top_k=3)
    assert [(score.label, score.probability) for score in scores] == [("c", 1), ("b", 0), ("a", 0)]
