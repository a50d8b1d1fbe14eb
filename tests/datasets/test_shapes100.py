"""Shapes-100: the same images on every machine, the structure of CIFAR-100, and labels that match the images."""

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from clip_demo.datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from clip_demo.errors import OptionError


@pytest.fixture(scope="module")
def shapes():
    return Shapes100()


def sha256(array):
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
def test_images_and_labels_never_change(shapes, split, pixels, labels):
    # The built-in checkpoint, the heads and every published accuracy belong to exactly these images.
    assert sha256(shapes.pixels(range(200), split)) == pixels
    assert sha256(shapes.labels(split).astype("<i8")) == labels


def test_an_image_does_not_depend_on_its_batch(shapes):
    indices = np.array([9_999, 3, 3, 512, 0, 77, *range(1000, 1100)])
    together = shapes.pixels(indices)
    assert np.array_equal(together[:6], np.concatenate([shapes.pixels([i]) for i in indices[:6]]))
    assert np.array_equal(together[1], together[2])
    assert np.array_equal(np.asarray(shapes.image(512)), together[3])


def test_shapes_and_types_of_the_images(shapes):
    pixels = shapes.pixels([0, 1], "train")
    assert pixels.shape == (2, 32, 32, 3) and pixels.dtype == np.uint8
    assert shapes.pixels([]).shape == (0, 32, 32, 3) and shapes.images([]) == []
    for image, expected in zip(shapes.images([0, 1], "train"), pixels, strict=True):
        assert image.mode == "RGB" and np.array_equal(np.asarray(image), expected)


def test_classes_have_the_structure_of_cifar100(shapes):
    assert shapes.sizes == {"train": 50_000, "test": 10_000}
    assert len(shapes.classnames) == len(set(shapes.classnames)) == 100
    assert len(shapes.coarse_names) == len(set(shapes.coarse_names)) == 20
    assert Counter(shapes.coarse_of) == dict.fromkeys(range(20), 5)
    assert shapes.classnames[0] == "red circle" and shapes.coarse_names[shapes.coarse_of[0]] == "warm circles"
    blue_cross = shapes.classnames.index("blue cross")
    assert shapes.coarse_names[shapes.coarse_of[blue_cross]] == "cool crosses"
    assert shapes.available() and shapes.download_bytes is None


@pytest.mark.parametrize(("split", "per_class"), [("train", 500), ("test", 100)])
def test_labels_are_balanced_and_shuffled(shapes, split, per_class):
    labels = shapes.labels(split)
    assert labels.dtype == np.int64 and labels.shape == (shapes.sizes[split],)
    assert np.array_equal(np.bincount(labels), np.full(100, per_class))
    assert len(set(labels[:100])) > 50
    assert shapes.label(5, split) == labels[5]


def test_the_caller_may_modify_the_labels(shapes):
    shapes.labels()[:] = 0
    assert shapes.labels().any()


def test_every_colour_and_every_shape_is_in_two_unseen_classes():
    assert len(set(UNSEEN_CLASSNAMES)) == 20 and set(UNSEEN_CLASSNAMES) <= set(Shapes100.classnames)
    words = Counter(word for name in UNSEEN_CLASSNAMES for word in name.split())
    assert words == dict.fromkeys([*COLOURS, *SHAPES], 2)


def test_no_image_occurs_twice(shapes):
    images = np.concatenate([shapes.pixels(range(1500), "train"), shapes.pixels(range(500), "test")])
    assert len({image.tobytes() for image in images}) == 2000
    # Near duplicates neither: even the closest pair of a smaller sample differs by more than its noise.
    test, train = shapes.pixels(range(60), "test").astype(int), shapes.pixels(range(200), "train").astype(int)
    assert min(np.abs(train - one).mean(axis=(1, 2, 3)).min() for one in test) > 10


def test_the_colour_of_the_label_covers_part_of_the_image(shapes):
    # Light dims and noise blurs the colour, so the distance is to the colour at any brightness.
    pixels, labels = shapes.pixels(range(300)).astype(float), shapes.labels()[:300]
    colours = np.array(list(COLOURS.values()), dtype=float)[labels // len(SHAPES)]
    scales = np.linspace(0.75, 1.15, 9)
    distances = np.abs(pixels[:, None] - scales[:, None, None, None] * colours[:, None, None, None]).sum(axis=-1)
    assert ((distances.min(axis=1) < 80).mean(axis=(1, 2)) > 0.03).mean() > 0.97


def test_a_larger_drawing_shows_the_same_scene(shapes):
    small, large = shapes.pixels([4, 8]).astype(float), shapes.pixels([4, 8], size=256).astype(float)
    assert large.shape == (2, 256, 256, 3)
    shrunk = large.reshape(2, 32, 8, 32, 8, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 12


def test_an_unknown_split_is_refused(shapes):
    for call in (shapes.labels, lambda split: shapes.pixels([0], split), lambda split: shapes.image(0, split)):
        with pytest.raises(OptionError, match="split: 'valid' is unknown; use one of 'train', 'test'"):
            call("valid")


def test_import_does_not_import_torch():
    code = (
        "import sys, clip_demo.datasets.catalog\n"
        "print({'torch', 'gradio', 'torchvision', 'sklearn'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
