"""The plane of principal components and what it keeps."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from clip_demo.inside.projection import Plane, nearest_prompts, project
from clip_demo.numerics import normalize

RANDOM = np.random.default_rng(0)
IMAGES = normalize(RANDOM.normal(size=(40, 6)) + [2, 0, 0, 0, 0, 0])
CLASSES = normalize(RANDOM.normal(size=(9, 6)) - [2, 0, 0, 0, 0, 0])


def test_the_plane_is_that_of_scikit_learn():
    plane, pca = Plane.of(IMAGES), PCA(2).fit(IMAGES)
    np.testing.assert_allclose(plane.variance, pca.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(plane.project(CLASSES)), np.abs(pca.transform(CLASSES)), atol=1e-12)
    assert (plane.axes[[0, 1], np.abs(plane.axes).argmax(axis=1)] > 0).all()


def test_neighbours_and_gap_are_counted_one_by_one():
    found = project(IMAGES, CLASSES)
    assert found.modality_gap == pytest.approx(np.linalg.norm(IMAGES.mean(axis=0) - CLASSES.mean(axis=0)))

    def kept(points, others, flat, flat_others, itself):
        shares = []
        for i in range(len(points)):
            true = [j for j in np.argsort(-(others @ points[i])) if not (itself and j == i)][:5]
            distance = np.linalg.norm(flat_others - flat[i], axis=1)
            shown = [j for j in np.argsort(distance) if not (itself and j == i)][:5]
            shares.append(len(set(true) & set(shown)) / 5)
        return np.mean(shares)

    assert found.prompts_kept == pytest.approx(kept(IMAGES, CLASSES, found.images, found.classes, False))
    points, flat = np.concatenate([IMAGES, CLASSES]), np.concatenate([found.images, found.classes])
    assert found.neighbours_kept == pytest.approx(kept(points, points, flat, flat, True))


def test_points_in_a_plane_keep_all_their_neighbours():
    angles = RANDOM.random(30) * 2 * np.pi
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(30)], axis=1)
    found = project(circle[:20], circle[20:])
    assert (found.prompts_kept, found.neighbours_kept) == (1, 1) and sum(found.variance) == pytest.approx(1)


def test_added_classes_and_the_star_get_points_and_move_nothing():
    alone = project(IMAGES[:-1], CLASSES[:-2])
    more = project(IMAGES[:-1], CLASSES, n_added=2, star=IMAGES[-1])
    np.testing.assert_array_equal(more.images, alone.images)
    np.testing.assert_array_equal(more.classes[:-2], alone.classes)
    for name in ("variance", "prompts_kept", "neighbours_kept", "modality_gap"):
        assert getattr(more, name) == getattr(alone, name)
    plane = Plane.of(np.concatenate([IMAGES[:-1], CLASSES[:-2]]))
    np.testing.assert_allclose(more.classes[-2:], plane.project(CLASSES[-2:]))
    np.testing.assert_allclose(more.star, plane.project(IMAGES[-1:])[0])


def test_centring_hides_the_gap_in_the_plane_and_leaves_its_number():
    apart, together = (project(IMAGES, CLASSES, star=IMAGES[0], centred=each) for each in (False, True))
    distances = [np.linalg.norm(each.images.mean(axis=0) - each.classes.mean(axis=0)) for each in (apart, together)]
    assert distances[0] > 1 and distances[1] == pytest.approx(0, abs=1e-9)
    assert apart.modality_gap == together.modality_gap
    np.testing.assert_allclose(together.star, together.images[0])


def test_the_nearest_prompts_are_those_of_all_dimensions():
    names = [f"class {i}" for i in range(9)]
    found = nearest_prompts(IMAGES[0], CLASSES, names)
    cosines = CLASSES @ IMAGES[0]
    assert [each.position for each in found] == np.argsort(-cosines)[:5].tolist()
    assert found[0].label == names[found[0].position] and found[0].cosine == pytest.approx(cosines.max())
