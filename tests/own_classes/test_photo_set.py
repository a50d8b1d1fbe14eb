"""Photos gathered in classes."""

import io

import numpy as np
import pytest
from PIL import Image

from clip_demo.errors import ClassnamesError, OptionError
from clip_demo.own_classes.photo_set import MAX_BYTES, MAX_CLASSES, OwnClass, Photo, PhotoSet, thumbnail_of


def photo(key, size=4):
    return Photo(key, b"thumbnail", np.full(size, 1, dtype=np.float32))


def keys(photo_set):
    return [[photo.key for photo in each.photos] for each in photo_set.classes]


@pytest.fixture
def photo_set():
    """Two cups, and one pen."""
    empty = PhotoSet((OwnClass("cup"), OwnClass("pen")))
    cups = empty.with_photos(0, [photo("a"), photo("b")], "toy", "70")
    return cups.with_photos(1, [photo("c")], "toy", "70")


def test_a_new_set_has_two_classes_without_photos():
    assert PhotoSet().classnames == ("class 1", "class 2")
    assert PhotoSet().photos == ()
    assert PhotoSet().examples(np.eye(2, 4), 1.0).photos.shape == (0, 4)


def test_photos_are_counted_class_by_class(photo_set):
    assert keys(photo_set) == [["a", "b"], ["c"]]
    assert photo_set.labels.tolist() == [0, 0, 1]
    assert photo_set.nbytes == 3 * (9 + 16)
    examples = photo_set.examples(np.eye(2, 4), 20.0)
    assert examples.classnames == ("cup", "pen")
    np.testing.assert_array_equal(examples.photos, np.ones((3, 4)))


def test_every_change_leaves_the_set_before_as_it_was(photo_set):
    photo_set.without_photo("a")
    photo_set.moved("a", 1)
    photo_set.renamed(0, "mug")
    photo_set.with_class().without_class(0)
    assert keys(photo_set) == [["a", "b"], ["c"]]
    assert photo_set.classnames == ("cup", "pen")


def test_a_photo_is_deleted_or_moved(photo_set):
    assert keys(photo_set.without_photo("a")) == [["b"], ["c"]]
    assert keys(photo_set.moved("a", 1)) == [["b"], ["c", "a"]]
    assert keys(photo_set.moved("a", 0)) == [["b", "a"], ["c"]]


def test_the_same_photo_is_kept_once_and_stays_where_it_is(photo_set):
    assert keys(photo_set.with_photos(1, [photo("a"), photo("d"), photo("d")], "toy", "70")) == [["a", "b"], ["c", "d"]]


def test_a_class_is_added_renamed_and_removed(photo_set):
    assert photo_set.with_class().with_class().classnames == ("cup", "pen", "class 3", "class 4")
    assert photo_set.renamed(1, "class 3").with_class().classnames == ("cup", "class 3", "class 4")
    assert photo_set.renamed(1, "  key ").classnames == ("cup", "key")
    assert keys(photo_set.with_class("key").without_class(0)) == [["c"], []]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.without_class(0), ClassnamesError, "got 1"),
        (lambda s: s.renamed(0, "pen"), ClassnamesError, "'pen' occurs twice"),
        (lambda s: s.renamed(0, " "), ClassnamesError, "blank"),
        (lambda s: s.renamed(2, "key"), OptionError, "position: 2 is not a class; use 0 to 1"),
        (lambda s: s.renamed(True, "key"), OptionError, "position: True"),
        (lambda s: s.without_photo("x"), OptionError, "photo: there is none"),
        (lambda s: s.moved(["a"], 1), OptionError, "photo: there is none"),
        (lambda s: s.moved("a", -1), OptionError, "position: -1"),
        (lambda s: s.with_photos(0, [photo("d")], "RN50", "80"), OptionError, "encoded with toy"),
        (lambda s: s.with_photos(0, map(photo, "defghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), "toy", "70"),
         OptionError, "'cup' would have 51; at most 50"),
        (lambda s: s.with_photos(0, [photo("d", MAX_BYTES // 4)], "toy", "70"), OptionError, "at most 3 MB"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_named(photo_set, change, error, message):
    with pytest.raises(error, match=message):
        change(photo_set)


def test_there_are_at_most_ten_classes(photo_set):
    while len(photo_set.classes) < MAX_CLASSES:
        photo_set = photo_set.with_class()
    with pytest.raises(ClassnamesError, match="got 11; at most 10") as raised:
        photo_set.with_class()
    assert raised.value.page_message == "There are 10 classes already. Remove one first."


def test_a_thumbnail_is_small_and_says_nothing_about_the_file():
    image = Image.effect_noise((1200, 400), 60)
    exif = image.getexif()
    exif[0x010E] = "at home"
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    content = thumbnail_of(Image.open(file))
    assert Image.open(io.BytesIO(content)).size == (96, 32)
    assert len(content) < 4000
    assert not Image.open(io.BytesIO(content)).getexif()


def test_five_hundred_photos_of_the_widest_common_model_fit():
    """Noise is the worst that a thumbnail may show; 768 dimensions are those of ViT-L/14."""
    thumbnail = thumbnail_of(Image.effect_noise((960, 720), 40).convert("RGB"))
    assert 500 * (len(thumbnail) + 4 * 512) <= MAX_BYTES


def test_photos_of_another_size_than_the_models_are_no_examples():
    photos = PhotoSet().with_photos(0, [Photo("a", b"", np.ones(5, dtype=np.float32))], "toy", "70")
    with pytest.raises(OptionError, match="do not have the 6 numbers"):
        photos.examples(np.eye(2, 6, dtype=np.float32), 20.0)
