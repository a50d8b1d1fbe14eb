"""Thumbnails: what they look like, and how many are kept."""

import io

import numpy as np
import pytest
from helpers import SmallDataset
from PIL import Image

from clip_demo.serving.thumbnails import SIDE, Thumbnails

COUNTS = {"red": 4, "blue": 4}


class CountingDataset(SmallDataset):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.read = []

    def images(self, indices, split="test"):
        self.read += indices
        return super().images(indices, split)


def dataset_of(*image_sizes):
    return CountingDataset({"test": COUNTS}, image_sizes=image_sizes)


def test_a_small_image_is_kept_as_it_is():
    dataset = dataset_of((32, 32))
    made = Image.open(io.BytesIO(Thumbnails().get(dataset, 5)))
    assert made.format == "PNG" and np.array_equal(made, dataset.image(5))


@pytest.mark.parametrize(
    ("size", "expected"), [((2000, 1000), (96, 48)), ((65, 65), (65, 65)), ((3000, 2), (96, 1)), ((40, 4000), (1, 96))]
)
def test_a_large_image_keeps_its_aspect_and_is_not_enlarged(size, expected):
    content = Thumbnails().get(dataset_of(size), 0)
    made = Image.open(io.BytesIO(content))
    assert (made.format, made.size) == ("WEBP", expected) and len(content) < 2 * SIDE**2


def test_each_is_made_once():
    dataset, thumbnails = dataset_of((32, 32), (200, 100)), Thumbnails()
    first = thumbnails.get_all(dataset, [3, 1, 3])
    assert first[0] == first[2] != first[1] and dataset.read == [3, 1]
    assert thumbnails.get_all(dataset, [1, 2, 3]) == [first[1], thumbnails.get(dataset, 2), first[0]]
    assert dataset.read == [3, 1, 2]


def test_the_least_recently_used_are_dropped():
    dataset = dataset_of((32, 32))
    size = len(Thumbnails().get(dataset, 0))
    thumbnails = Thumbnails(3 * size + size // 2)
    for index in (0, 1, 2, 0, 3, 0):  # 1 is dropped when 3 comes
        thumbnails.get(dataset, index)
    dataset.read.clear()
    thumbnails.get(dataset, 0)
    thumbnails.get(dataset, 1)
    assert dataset.read == [1]


def test_datasets_of_other_images_do_not_share_thumbnails():
    thumbnails, red = Thumbnails(), SmallDataset({"test": {"red": 1, "blue": 1}}, name="a")
    blue = SmallDataset({"test": {"blue": 1, "red": 1}}, name="b")
    assert thumbnails.get(red, 0) != thumbnails.get(blue, 0)


def test_one_that_could_not_be_read_is_tried_again():
    dataset, thumbnails = dataset_of((32, 32)), Thumbnails()
    whole = dataset.readable_images
    dataset.readable_images = lambda ids: [None for _ in ids]
    assert thumbnails.get(dataset, 2) == b""
    dataset.readable_images = whole
    assert thumbnails.get(dataset, 2)
