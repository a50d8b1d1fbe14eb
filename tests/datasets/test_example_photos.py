"""The example photos and their class lists."""

from PIL import Image

from clip_demo.datasets.example_photos import example_photos
from clip_demo.zero_shot.prompt_set import PromptSet


def test_every_photo_comes_with_ten_words_and_one_of_them_is_its_label():
    photos = example_photos()
    assert list(photos)[0] == "cat" and len(photos) >= 5
    for name, photo in photos.items():
        assert photo.name == name == photo.path.stem
        assert photo.label in PromptSet(photo.classnames).classnames and len(photo.classnames) == 10
        with Image.open(photo.path) as image:
            assert min(image.size) >= 200


def test_without_their_table_there_are_none(tmp_path):
    assert example_photos(tmp_path) == {}
