"""The drawing primitives of Shapes-100."""

import numpy as np
import pytest

from clip_demo.datasets.drawing import INSIDE, KeyedRandom, coverage, mix


def test_splitmix64_gives_the_published_sequence():
    # The reference implementation with seed 0 increments its state by the golden constant: 0, g, 2g.
    state = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(v) for v in mix(state)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_random_numbers_are_uniform_and_independent():
    rng = KeyedRandom(np.arange(20_000, dtype=np.uint64))
    first, second = rng.uniform(), rng.uniform()
    assert abs(first.mean() - 0.5) < 0.01 and abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert 0 <= first.min() and first.max() < 1
    assert set(rng.below(7)) == set(range(7))


def test_random_numbers_depend_only_on_the_key():
    together, alone = KeyedRandom(np.arange(5, dtype=np.uint64)), KeyedRandom(np.array([3], dtype=np.uint64))
    for _ in range(100):
        assert together.bits()[3] == alone.bits()[0]


@pytest.mark.parametrize("kind", range(len(INSIDE)), ids=INSIDE)
def test_every_shape_roughly_fills_its_disc(kind):
    arguments = [np.array([value]) for value in (kind, 0.5, 0.5, 0.4, 0)]
    cover = coverage(*arguments, 96)[0]
    assert set(np.unique((cover * 9).round().astype(int))) <= set(range(10))
    assert 0.25 < cover.sum() / (np.pi * (0.4 * 96) ** 2) < 1
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    assert min(rows[0], columns[0]) > 0 and max(rows[-1], columns[-1]) < 95
    assert max(np.ptp(rows), np.ptp(columns)) > 0.65 * 0.8 * 96
