"""Many photos of one visitor, on the toy encoder: photos are their mean colours."""

import io

import pytest
from PIL import Image

from clip_demo.errors import Cancelled, ClassnamesError, ImageError, OptionError
from clip_demo.zero_shot.prompt_set import PromptSet


def plain(colour):
    return Image.new("RGB", (40, 30), colour)


def test_each_photo_is_predicted_as_if_it_were_alone(toy_backend):
    photos, prompts = [plain(each) for each in ("tomato", "navy", "olive")], PromptSet(["red", "blue", "green"])
    options = {"prompts": prompts, "top_k": 2, "logit_scale": 3.0, "none_of_these": True}
    found = list(toy_backend.predict_many(photos, **options))
    assert [each.prediction for each in found] == [toy_backend.predict(image=each, **options) for each in photos]
    assert Image.open(io.BytesIO(found[0].thumbnail)).size == (40, 30)


def test_a_photo_that_cannot_be_read_keeps_its_place(toy_backend):
    found = list(toy_backend.predict_many([plain("red"), b"no image", plain("blue")]))
    assert [each.prediction and each.prediction.zero_shot[0].label for each in found] == ["red", None, "blue"]
    assert isinstance(found[1].error, ImageError) and found[1].thumbnail == b""


def test_nothing_is_remembered_of_the_photos(toy_backend, toy_encoder):
    for _ in range(2):
        list(toy_backend.predict_many([plain("red")]))
    assert toy_encoder.encoded_images == 2


def test_it_ends_when_the_visitor_leaves(toy_backend, toy_encoder):
    seen = []

    def progress(what, done, total):
        if what == "photos":
            seen.append((done, total))
            if done == 2:
                raise Cancelled()

    with pytest.raises(Cancelled):
        list(toy_backend.predict_many([plain("red")] * 5, progress=progress))
    assert seen == [(1, 5), (2, 5)] and toy_encoder.encoded_images == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"top_k": 0}, OptionError, "top_k: 0 is not allowed"),
        ({"none_of_these": "yes"}, OptionError, "none_of_these: "),
        ({"prompts": ["red", "blue"]}, (OptionError, ClassnamesError), "prompts: "),
    ],
)
def test_wrong_options_are_refused(toy_backend, options, error, message):
    with pytest.raises(error, match=message):
        next(toy_backend.predict_many([plain("red")], **options))
