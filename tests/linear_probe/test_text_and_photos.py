"""The probe that begins from the words."""

import numpy as np
import pytest

from clip_demo.linear_probe.text_and_photos import (
    N0,
    choose_n0,
    class_means,
    leave_one_out_scores,
    text_and_photo_weights,
)
from clip_demo.numerics import normalize, softmax

RNG = np.random.default_rng(3)
TEXT = normalize(RNG.normal(size=(4, 6)))
LABELS = np.array([0, 0, 1, 1, 1, 2])  # the last class has no photo
PHOTOS = normalize(RNG.normal(size=(6, 6)) + 1)


def test_the_mean_of_a_class_has_length_1_and_is_zero_without_photos():
    means = class_means(PHOTOS, LABELS, 4)
    np.testing.assert_allclose(means[1], normalize(PHOTOS[2:5].mean(axis=0)))
    np.testing.assert_array_equal(means[3], 0)


def test_the_weights_are_the_written_formula():
    means = np.stack([normalize(PHOTOS[LABELS == c].mean(axis=0)) for c in range(3)])
    centred = TEXT - TEXT.mean(axis=0)
    weights = text_and_photo_weights(TEXT, PHOTOS, LABELS, n0=2)
    np.testing.assert_allclose(weights[0], 0.5 * centred[0] + 0.5 * (means[0] - means.mean(axis=0)))  # 2 photos
    np.testing.assert_allclose(weights[1], 0.4 * centred[1] + 0.6 * (means[1] - means.mean(axis=0)))  # 3 photos
    np.testing.assert_allclose(weights[3], centred[3])


@pytest.mark.parametrize("labels", [[], [2, 2, 2]], ids=["none", "one"])
def test_photos_of_fewer_than_two_classes_leave_the_order_of_zero_shot_prediction(labels):
    weights = text_and_photo_weights(TEXT, PHOTOS[: len(labels)], np.array(labels, dtype=int), n0=1)
    images = normalize(RNG.normal(size=(50, 6)))
    np.testing.assert_allclose(softmax(9 * images @ weights.T), softmax(9 * images @ TEXT.T))


def test_a_class_with_one_photo_does_not_take_the_images_of_a_class_with_only_a_name():
    """Image-image cosines are about 0.9 here and image-text cosines at most 0.1, as a modality gap has it."""
    common, text_side = np.eye(12)[0], np.eye(12)[1]
    texts = normalize(text_side + 0.3 * np.eye(12)[2:5])
    photos = normalize(common + 0.3 * np.eye(12)[2:5])  # each lies towards its own text
    assert (photos @ photos.T).min() > 0.9 > 0.1 > (photos @ texts.T).max()
    weights = text_and_photo_weights(texts, photos[:2], np.array([0, 1]), n0=1)
    assert (photos @ weights.T).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("n0", N0)
def test_leaving_one_out_equals_making_the_weights_without_each_photo(n0):
    scores = leave_one_out_scores(TEXT, PHOTOS, LABELS, n0, logit_scale=20)
    for i in range(len(PHOTOS)):
        keep = np.arange(len(PHOTOS)) != i
        weights = text_and_photo_weights(TEXT, PHOTOS[keep], LABELS[keep], n0)
        np.testing.assert_allclose(softmax(scores[i]), softmax(20 * weights @ PHOTOS[i]), atol=1e-12)


def test_names_that_fit_are_kept_and_names_that_do_not_are_given_up():
    directions = np.eye(6)[:3]
    labels = np.repeat(np.arange(3), 6)
    photos = normalize(directions[labels] + 0.6 * RNG.normal(size=(18, 6)))
    fitting, swapped = choose_n0(directions, photos, labels, 10), choose_n0(directions[[1, 2, 0]], photos, labels, 10)
    assert swapped <= 1 < fitting


def test_one_photo_of_each_class_leaves_most_to_the_names():
    photos, labels = normalize(np.eye(6)[:3] + 0.1), np.arange(3)
    assert choose_n0(np.eye(6)[:3], photos, labels, 10) == N0[-1]


def test_an_extreme_logit_scale_does_not_overflow():
    assert choose_n0(TEXT, PHOTOS, LABELS, 1e5) in N0
