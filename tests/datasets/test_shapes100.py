"""Shapes-100: the same images everywhere, CIFAR-100's form, labels that the images bear out."""

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from clip_demo.datasets.drawing import INSIDE, Dice, coverage, mix
from clip_demo.datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from clip_demo.errors import IndexRangeError, OptionError


@pytest.fixture(scope="module")
def shapes():
    return Shapes100()


def _sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("split", "pixels", "labels"),
    [
        (
            "train",
            "12360bce4f7e8d3b0f152f3d21bb39ef574d63e60e64c160a246d74dd721cb42",
            "c00e2b8b354031de3a0fa53ed1e7a42dc9828966d64288a107be4fe90daf1b28",
        ),
        (
            "test",
            "ab2d8d33c7063dd60d0bfe4b4af27374cc9630c8a12d2fc5bae60339ba0ac552",
            "2595451a8b3f8cd2d95cfcf3a6f2b233c33428cf04d50e3d0f26d8e26b0ca234",
        ),
    ],
)
def test_images_and_labels_are_pinned(shapes, split, pixels, labels):
    # The checkpoint, the heads and every printed accuracy belong to exactly these images.
    assert _sha256(shapes.pixels(range(200), split)) == pixels
    assert _sha256(shapes.labels(split).astype("<i8")) == labels


def test_splitmix64_gives_the_published_sequence():
    # The reference implementation seeded with 0 steps its state by the golden constant: 0, g, 2g.
    state = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(v) for v in mix(state)] == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]


def test_a_image_does_not_depend_on_its_batch(shapes):
    indices = np.array([9_999, 3, 3, 512, 0, 77, *range(1000, 1100)])
    together = shapes.pixels(indices)
    assert np.array_equal(together[:6], np.concatenate([shapes.pixels([i]) for i in indices[:6]]))
    assert np.array_equal(together[1], together[2])
    assert np.array_equal(np.asarray(shapes.image(512)), together[3])


def test_form_of_the_images(shapes):
    pixels = shapes.pixels([0, 1], "train")
    assert pixels.shape == (2, 32, 32, 3) and pixels.dtype == np.uint8
    assert shapes.pixels([]).shape == (0, 32, 32, 3)
    image = shapes.image(0)
    assert image.size == (32, 32) and image.mode == "RGB"


def test_classes_have_the_form_of_cifar100(shapes):
    assert shapes.sizes == {"train": 50_000, "test": 10_000}
    assert len(shapes.classnames) == len(set(shapes.classnames)) == 100
    assert len(shapes.coarse_names) == len(set(shapes.coarse_names)) == 20
    assert Counter(shapes.coarse_of) == dict.fromkeys(range(20), 5)
    assert shapes.classnames[0] == "red circle" and shapes.coarse_names[shapes.coarse_of[0]] == "warm circles"
    blue_cross = shapes.classnames.index("blue cross")
    assert shapes.coarse_names[shapes.coarse_of[blue_cross]] == "cool crosses"
    assert shapes.available() is True


@pytest.mark.parametrize(("split", "each"), [("train", 500), ("test", 100)])
def test_every_class_is_equally_frequent_and_shuffled(shapes, split, each):
    labels = shapes.labels(split)
    assert labels.dtype == np.int64 and labels.shape == (shapes.sizes[split],)
    assert np.array_equal(np.bincount(labels), np.full(100, each))
    assert len(set(labels[:100])) > 50
    assert shapes.label(5, split) == labels[5]


def test_labels_belong_to_the_caller(shapes):
    shapes.labels()[:] = 0
    assert shapes.labels().any()


def test_each_colour_and_each_shape_is_unseen_twice():
    assert len(set(UNSEEN_CLASSNAMES)) == 20 and set(UNSEEN_CLASSNAMES) <= set(Shapes100.classnames)
    words = Counter(word for name in UNSEEN_CLASSNAMES for word in name.split())
    assert words == dict.fromkeys([*COLOURS, *SHAPES], 2)


def test_no_image_comes_twice(shapes):
    images = np.concatenate([shapes.pixels(range(1500), "train"), shapes.pixels(range(500), "test")])
    assert len({image.tobytes() for image in images}) == 2000
    # Nor nearly: the nearest pair of a smaller sample still differs by more than its noise.
    test, train = shapes.pixels(range(60), "test").astype(int), shapes.pixels(range(200), "train").astype(int)
    assert min(np.abs(train - one).mean(axis=(1, 2, 3)).min() for one in test) > 10


def test_the_named_colour_fills_a_good_part_of_the_image(shapes):
    # An independent look at the label: of the palette's colours the named one must be near in many pixels.
    # Light dims and noise blurs, so compare directions of colour at any brightness.
    pixels, labels = shapes.pixels(range(300)).astype(float), shapes.labels()[:300]
    colours = np.array(list(COLOURS.values()), dtype=float)[labels // len(SHAPES)]
    scales = np.linspace(0.75, 1.15, 9)
    gaps = np.abs(pixels[:, None] - scales[:, None, None, None] * colours[:, None, None, None]).sum(axis=-1).min(axis=1)
    assert ((gaps < 80).mean(axis=(1, 2)) > 0.03).mean() > 0.97


def test_a_larger_drawing_shows_the_same_scene(shapes):
    small, large = shapes.draw([4, 8], size=32).astype(float), shapes.draw([4, 8], size=256).astype(float)
    assert large.shape == (2, 256, 256, 3)
    shrunk = large.reshape(2, 32, 8, 32, 8, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 12
    assert np.array_equal(shapes.draw([4]), shapes.pixels([4]))


@pytest.mark.parametrize("kind", range(len(INSIDE)))
def test_shapes_fill_the_middle_third_to_all_of_their_disc(kind):
    one = [np.array([value]) for value in (kind, 0.5, 0.5, 0.4, 0)]
    cover = coverage(*one, 96)[0]
    assert set(np.unique((cover * 9).round().astype(int))) <= set(range(10))
    assert 0.25 < cover.sum() / (np.pi * (0.4 * 96) ** 2) < 1
    rows, columns = np.flatnonzero(cover.any(axis=1)), np.flatnonzero(cover.any(axis=0))
    assert min(rows[0], columns[0]) > 0 and max(rows[-1], columns[-1]) < 95
    assert max(np.ptp(rows), np.ptp(columns)) > 0.65 * 0.8 * 96


def test_throws_are_uniform_and_independent():
    dice = Dice(np.arange(20_000, dtype=np.uint64))
    one, two = dice.uniform(), dice.uniform()
    assert abs(one.mean() - 0.5) < 0.01 and abs(np.corrcoef(one, two)[0, 1]) < 0.03
    assert 0 <= one.min() and one.max() < 1
    assert set(dice.below(7)) == set(range(7))


@pytest.mark.parametrize("index", [-1, 10_000, 1.5, True, "3", None])
def test_an_index_outside_is_refused(shapes, index):
    with pytest.raises(
        IndexRangeError, match=r"is not in the test split of Shapes-100; use a whole number from 0 to 9999"
    ):
        shapes.image(index)


def test_an_unknown_split_is_refused(shapes):
    for call in (shapes.labels, lambda split: shapes.pixels([0], split), lambda split: shapes.image(0, split)):
        with pytest.raises(OptionError, match="split: 'valid' is unknown; use one of 'train', 'test'"):
            call("valid")


def test_import_is_light():
    heavy = {"torch", "gradio", "torchvision", "sklearn"}
    code = f"import sys, clip_demo.images.shapes100; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
