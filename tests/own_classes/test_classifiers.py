"""The four classifiers of own classes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from clip_demo.numerics import normalize, softmax
from clip_demo.own_classes.classifiers import CLASSIFIERS, fit


def test_zero_shot_is_the_softmax_of_logit_scale_times_cosine(examples):
    expected = softmax(20 * normalize(examples.photos).astype(np.float64) @ examples.text.T)
    np.testing.assert_allclose(softmax(fit(examples)["zero_shot"].logits(examples.photos)), expected, rtol=1e-5)


def test_the_linear_probe_is_scikit_learns_by_the_recipe(examples):
    reference = LogisticRegression(random_state=0, C=0.316, max_iter=1000).fit(examples.photos, examples.labels)
    probe = fit(examples)["linear_probe"]
    np.testing.assert_allclose(
        softmax(probe.logits(examples.photos)), reference.predict_proba(examples.photos), atol=1e-6
    )


def test_the_probe_of_two_classes_is_scikit_learns(examples):
    two = examples.subset(examples.labels != 1)
    reference = LogisticRegression(random_state=0, C=0.316, max_iter=1000).fit(two.photos, two.labels)
    probe = fit(two)["linear_probe"]
    assert probe.classnames == ("cup", "key")
    np.testing.assert_allclose(softmax(probe.logits(two.photos)), reference.predict_proba(two.photos), atol=1e-6)


def test_the_nearest_mean_is_scikit_learns_nearest_centroid_by_direction(examples):
    """For vectors of length 1, the nearest centroid of length 1 has the largest cosine."""
    reference = NearestCentroid().fit(normalize(examples.photos), examples.labels)
    reference.centroids_ = normalize(reference.centroids_)
    predicted = fit(examples)["nearest_mean"].logits(examples.photos).argmax(axis=1)
    np.testing.assert_array_equal(predicted, reference.predict(normalize(examples.photos)))


@pytest.mark.parametrize("kept", [[], [0], [0, 0]])
def test_without_photos_of_two_classes_only_the_names_answer(examples, kept):
    positions = np.flatnonzero(examples.labels == 0)[: len(kept)]
    assert list(fit(examples.subset(positions))) == ["zero_shot"]


def test_a_class_without_photos_is_known_to_the_words_only(examples):
    classifiers = fit(examples.subset(examples.labels != 2))
    assert {name: each.classnames for name, each in classifiers.items()} == {
        "zero_shot": ("cup", "pen", "key"),
        "text_and_photos": ("cup", "pen", "key"),
        "nearest_mean": ("cup", "pen"),
        "linear_probe": ("cup", "pen"),
    }
    assert list(classifiers) == list(CLASSIFIERS)
