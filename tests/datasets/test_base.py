"""What the interface of a dataset does itself."""

import numpy as np
import pytest
from PIL import Image

from clip_demo.datasets.base import Dataset
from clip_demo.errors import IndexRangeError, OptionError


class Photos(Dataset):
    """Three images of different sizes."""

    name, title, classnames, sizes = "photos", "Photos", ("cat", "dog"), {"train": 1, "test": 3}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.array([0, 1, 1])[: self.sizes[split]]

    def images(self, indices, split="test"):
        return [Image.new("RGB", (10 * (index + 1), 5)) for index in indices]


def test_one_image_and_its_label():
    assert Photos().image(2).size == (30, 5)
    assert Photos().label(2) == 1 and type(Photos().label(2)) is int
    assert Photos().download_bytes is None and Photos().download() is None


@pytest.mark.parametrize("index", [1, 1.0, np.int64(1)])
def test_a_whole_number_is_a_valid_index(index):
    assert Photos().check_index(index) == 1 and type(Photos().check_index(index)) is int


@pytest.mark.parametrize("index", [-1, 3, 1.5, True, "1", None])
@pytest.mark.parametrize("method", ["image", "label", "check_index"])
def test_an_index_outside_the_split_is_refused(method, index):
    with pytest.raises(
        IndexRangeError, match=f"index: {index!r} is not in the test split of Photos; use a whole number from 0 to 2"
    ):
        getattr(Photos(), method)(index)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (-1, "Type an image number from 0 to 9,999."),
        (10_000, "Type an image number from 0 to 9,999."),
        (1.5, "Type a whole image number from 0 to 9,999."),
        (float("nan"), "Type a whole image number from 0 to 9,999."),
    ],
)
def test_what_the_page_says_about_an_index(index, sentence, monkeypatch):
    monkeypatch.setattr(Photos, "sizes", {"train": 1, "test": 10_000})
    with pytest.raises(IndexRangeError) as caught:
        Photos().image(index)
    assert caught.value.page_message == sentence


def test_an_unknown_split_is_refused():
    with pytest.raises(OptionError, match="split: 'valid' is unknown; use one of 'train', 'test'"):
        Photos().image(0, "valid")
