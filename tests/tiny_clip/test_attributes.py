"""The alterations of images."""

import numpy as np
import pytest

from clip_demo.tiny_clip.attributes import ATTRIBUTES, alter, alter_slightly, gaussian_blur

NAMES = list(ATTRIBUTES)


@pytest.fixture(scope="module")
def images():
    """Eight images with a gradient from top left, a bright square and some texture, shape (8, 32, 32, 3)."""
    y, x = np.mgrid[:32, :32]
    base = np.stack([60 + 2 * x, 80 + 2 * y, 100 + x - y], axis=2) + np.where((x // 2 + y // 2) % 2, 12, 0)[..., None]
    base[10:16, 18:26] = (230, 200, 40)
    return np.stack([np.roll(base, 2 * k, axis=1) for k in range(8)]).astype(np.uint8)


def altered(images, name):
    rng = np.random.default_rng(0)
    return alter(images.astype(np.float32), np.full(len(images), NAMES.index(name)), rng).astype(float)


def contrast(x):
    return x.std(axis=(1, 2, 3))


def roughness(x):
    return np.abs(np.diff(x, axis=2)).mean(axis=(1, 2, 3))


def test_each_alteration_does_what_its_name_says(images):
    x = images.astype(float)
    assert (roughness(altered(images, "blurry")) < 0.6 * roughness(x)).all()
    assert np.ptp(altered(images, "black and white"), axis=3).max() == 0
    assert (altered(images, "dark").mean(axis=(1, 2, 3)) < 0.5 * x.mean(axis=(1, 2, 3))).all()
    assert (altered(images, "bright").mean(axis=(1, 2, 3)) > 1.25 * x.mean(axis=(1, 2, 3))).all()
    assert (contrast(altered(images, "low contrast")) < 0.45 * contrast(x)).all()
    assert (contrast(altered(images, "high contrast")) > 1.5 * contrast(x)).all()
    assert (roughness(altered(images, "noisy")) > 1.5 * roughness(x)).all()
    assert np.array_equal(altered(images, "upside down"), x[:, ::-1])
    for one, image in zip(altered(images, "sideways"), x, strict=True):
        assert any(np.array_equal(one, np.rot90(image, turns)) for turns in (1, 3))


def test_a_pixelated_image_consists_of_plain_blocks(images):
    for image in altered(images, "pixelated"):
        steps = np.flatnonzero(np.abs(np.diff(image, axis=1)).sum(axis=(0, 2))) + 1  # columns where a block begins
        assert set(np.diff(steps)) <= {3, 4, 5} and len(set(np.diff(steps))) == 1


def test_small_images_lie_in_a_plain_border_and_big_ones_show_the_middle(images):
    for one in altered(images, "small"):
        assert np.ptp(one[0].reshape(-1, 3), axis=0).max() == 0 and np.array_equal(one[0], one[-1])
    plain = np.zeros((1, 32, 32, 3), np.uint8)
    plain[:, 8:24, 8:24] = 200
    assert altered(plain, "big").mean() > 1.5 * plain.mean() > 1.5 * altered(plain, "small").mean()


def test_what_is_not_said_changes_less_than_what_is(images):
    slight = alter_slightly(images, np.random.default_rng(0))
    change = np.abs(slight - images).mean()
    assert 2 < change
    # Neither are images as dark or as blurry as those that are called so.
    assert (slight.mean(axis=(1, 2, 3)) > altered(images, "dark").mean(axis=(1, 2, 3)) * 1.3).all()
    assert (roughness(slight) > roughness(altered(images, "blurry"))).mean() >= 0.75


def test_unaltered_images_stay_as_they_are(images):
    names = np.array([-1] * 7 + [0])
    result = alter(images.astype(np.float32), names, np.random.default_rng(0))
    assert np.array_equal(result[:7], images[:7]) and not np.array_equal(result[7], images[7])
    assert result.dtype == np.uint8


def test_gaussian_blur_agrees_with_scipy(images):
    from scipy.ndimage import gaussian_filter

    sigma = np.array([0.5, 1.0, 1.5, 2.0] * 2, np.float32).reshape(-1, 1, 1, 1)
    ours = gaussian_blur(images.astype(np.float32), sigma)
    for one, image, s in zip(ours, images, sigma.ravel(), strict=True):
        expected = gaussian_filter(image.astype(float), (s, s, 0), truncate=8)
        inside = slice(10, 22)  # at the border scipy mirrors the image, and we leave the missing pixels out
        assert np.abs(one - expected)[inside, inside].max() < 0.1


@pytest.mark.parametrize("attribute", ATTRIBUTES.values(), ids=NAMES)
def test_every_phrase_has_a_place_for_a_noun(attribute):
    for phrase in (*attribute.phrases, *attribute.opposites):
        assert phrase.format("a CAT", n="CAT").count("CAT") == 1
    assert set(attribute.excludes) <= set(NAMES)
