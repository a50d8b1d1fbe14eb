"""The ranking, against all cosines in float64."""

import numpy as np
import pytest

from clip_demo.artifacts import map_array, write_mappable_npz
from clip_demo.numerics import row_norms
from clip_demo.search import nearest
from clip_demo.search.nearest import Ranking
from clip_demo.search.query import combine


def brute_force(features, query):
    """Return the indices in the order of their cosines in float64, ties by index, and these cosines."""
    rows = features.astype(np.float64)
    cosines = (rows * query).sum(axis=1) / np.sqrt((rows * rows).sum(axis=1))
    order = np.lexsort((np.arange(len(cosines)), -cosines))
    return order, cosines[order]


def ranked(features, query, **options):
    return Ranking(features, row_norms(features), query, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_ranking_is_that_of_brute_force(rng):
    features = (rng.normal(size=(3_000, 48)) + 0.5).astype(np.float32) * rng.uniform(0.1, 30, (3_000, 1)).astype("f4")
    query = combine(rng.normal(size=48))
    order, cosines = brute_force(features, query)
    for offset, limit in ((0, 24), (24, 24), (1_000, 100), (2_990, 24), (0, 3_000)):
        found, found_cosines = ranked(features, query).page(offset, limit)
        np.testing.assert_array_equal(found, order[offset : offset + limit])
        np.testing.assert_allclose(found_cosines, cosines[offset : offset + limit], rtol=0, atol=1e-12)


def test_what_float32_cannot_tell_apart_is_in_order_and_equal_images_by_index(rng):
    near = np.float32(1) + rng.normal(size=(500, 64)).astype(np.float32) * np.float32(2e-6)
    features = near[rng.integers(0, 500, 2_000)]  # most occur several times, anywhere
    query = combine(np.ones(64) + rng.normal(size=64) * 1e-3)
    order, _ = brute_force(features, query)
    coarse = np.argsort(-(features @ query.astype(np.float32)) / row_norms(features), kind="stable")
    assert not np.array_equal(coarse, order)  # the case is hard enough
    np.testing.assert_array_equal(ranked(features, query).page(0, 2_000)[0], order)


def test_equal_images_only_are_ranked_by_index_in_bounded_blocks(monkeypatch):
    monkeypatch.setattr(nearest, "ROWS", 64)
    features = np.tile(np.arange(1, 9, dtype=np.float32), (1_000, 1))
    found, cosines = ranked(features, combine(np.arange(8.0))).page(500, 10)
    assert found.tolist() == list(range(500, 510)) and len(set(cosines.tolist())) == 1


def test_pages_together_are_the_whole_list(rng):
    features = rng.normal(size=(1_001, 16)).astype(np.float32)
    features[500:600] = features[:100]
    ranking = ranked(features, combine(rng.normal(size=16)))
    whole = ranking.page(0, 1_001)
    pages = [ranking.page(start, 24) for start in range(0, 1_050, 24)]
    for part in (0, 1):
        np.testing.assert_array_equal(np.concatenate([page[part] for page in pages]), whole[part])
    assert sorted(whole[0].tolist()) == list(range(1_001))


def test_an_image_can_be_left_out(rng):
    features = rng.normal(size=(100, 8)).astype(np.float32)
    ranking = ranked(features, combine(features[7]), leave_out=7)
    found, _ = ranking.page(0, 200)
    order, _ = brute_force(features, combine(features[7]))
    assert order[0] == 7 and ranking.n == 99
    np.testing.assert_array_equal(found, order[1:])


def test_many_images_are_ranked_from_a_file(rng, tmp_path):
    n, d = 200_000, 64
    path = write_mappable_npz(tmp_path / "many.npz", features=rng.standard_normal((n, d), dtype=np.float32) + 0.2)
    features = map_array(path, "features", np.float32)
    assert isinstance(features.base, np.memmap) and features.ctypes.data % 64 == 0 and not features.flags.writeable
    query = combine(rng.normal(size=d))
    found, cosines = ranked(features, query).page(10, 40)
    order, expected = brute_force(features, query)
    np.testing.assert_array_equal(found, order[10:50])
    np.testing.assert_allclose(cosines, expected[10:50], rtol=0, atol=1e-12)
