"""The teacher, on the toy encoder: photos are their mean colours, and prompts the sum of their colour words."""

import gc
import io
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import ArtifactError, Cancelled, ImageError, OptionError
from clip_demo.numerics import normalize, softmax
from clip_demo.own_classes.photo_set import OwnClass, PhotoSet
from clip_demo.serving.model_pool import ModelPool

COLOURS = {"red": ["tomato", "red", "darkred"], "blue": ["blue", "navy", "slateblue"]}


def plain(colour):
    return Image.new("RGB", (40, 30), colour)


@pytest.fixture
def teacher(toy_backend):
    return toy_backend.teacher


@pytest.fixture
def photo_set(teacher):
    taught = PhotoSet(tuple(map(OwnClass, COLOURS)))
    for position, colours in enumerate(COLOURS.values()):
        taught = teacher.add(taught, position, map(plain, colours))
    return taught


def test_photos_are_kept_as_thumbnails_with_their_features(photo_set, toy_encoder):
    assert (photo_set.model, photo_set.model_sha256) == ("toy", toy_encoder.sha256)
    first = photo_set.photos[0]
    np.testing.assert_allclose(first.features, 2 * np.array([255, 99, 71]) / 255, rtol=1e-6)  # tomato
    assert Image.open(io.BytesIO(first.thumbnail)).size == (40, 30)


def test_the_same_pixels_are_the_same_photo(teacher, photo_set):
    assert len(teacher.add(photo_set, 1, [plain("navy"), plain("red")]).photos) == len(photo_set.photos)


def test_the_examples_have_the_names_in_the_template(teacher, photo_set):
    examples = teacher.examples(photo_set, templates=("{}",))
    red = normalize(np.array([1.01, 0.01, 0.01]))
    np.testing.assert_allclose(examples.text[0], red, rtol=1e-6)
    assert examples.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_photo_is_answered_by_all_classifiers(teacher, photo_set):
    examples = teacher.examples(photo_set)
    answers = {each.classifier: each.classes for each in teacher.predict(examples, plain("firebrick"))}
    assert [classes[0][0] for classes in answers.values()] == ["red"] * 4
    features = normalize(np.array([178, 34, 34], dtype=np.float64))
    expected = softmax(10 * examples.text.astype(np.float64) @ features)
    np.testing.assert_allclose(dict(answers["zero_shot"])["red"], expected[0], rtol=1e-5)
    for classes in answers.values():
        assert sum(probability for _, probability in classes) == pytest.approx(1)


def test_the_shared_cache_remembers_no_photo(teacher, photo_set, toy_encoder):
    before = toy_encoder.encoded_images
    teacher.predict(teacher.examples(photo_set), plain("tomato"))
    teacher.photos([plain("tomato")])
    assert toy_encoder.encoded_images == before + 2


def test_what_cannot_be_read_is_named_and_the_others_are_kept(teacher):
    photos, problems, _ = teacher.photos([plain("red"), b"no image", plain("blue")])
    assert len(photos) == 2
    assert problems == (
        "This file is not an image that can be read. Use one of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF.",
    )
    with pytest.raises(ImageError, match="not an image"):
        teacher.add(PhotoSet(), 0, [b"no image"])


def test_accuracies_are_of_photos_that_were_left_out(teacher, photo_set):
    result = teacher.held_out(teacher.examples(photo_set))
    assert result.curves["text_and_photos"][-1].accuracy == 1
    assert teacher.held_out(teacher.examples(PhotoSet())) is None


def test_what_was_learned_from_a_set_is_remembered(teacher, photo_set):
    examples = teacher.examples(photo_set)
    assert teacher.examples(photo_set) is examples and examples.classifiers is examples.classifiers
    assert teacher.held_out(examples) is teacher.held_out(examples)
    assert teacher.examples(photo_set, templates=["a {}"]) is not examples
    assert teacher.examples(PhotoSet(photo_set.classes, "toy", photo_set.model_sha256)) is not examples
    sets = [PhotoSet(photo_set.classes, "toy", photo_set.model_sha256) for _ in range(40)]
    first = teacher.examples(sets[0])
    for each in sets:
        teacher.examples(each)
    assert len(teacher._examples) == 32 and teacher.examples(sets[0]) is not first


def test_what_was_learned_from_a_set_goes_with_it(teacher):
    def teach_and_leave():
        visitor = "a" * 32
        photos, _, chosen = teacher.photos([plain("red"), plain("tomato"), plain("blue"), plain("navy")])
        for position in range(2):
            mine = photos[2 * position : 2 * position + 2]
            teacher.kept.change(
                visitor, lambda s, p=position, m=mine: s.with_photos(p, m, "toy", chosen.encoder.sha256)
            )
        examples = teacher.examples(teacher.kept.get(visitor))
        assert teacher.held_out(examples) and len(teacher._examples) == len(teacher._held_out) == 1
        teacher.kept.forget(visitor)
        return [weakref.ref(photo) for photo in photos] + [weakref.ref(examples)]

    left = teach_and_leave()
    gc.collect()
    assert len(teacher._examples) == len(teacher._held_out) == 0
    assert [each for each in left if each() is not None] == []


def test_accuracies_wait_for_visitors_and_end_where_nobody_wants_them(teacher, photo_set):
    examples, calls = teacher.examples(photo_set), []

    def progress(what, done, total):
        calls.append(done)
        if done == 3:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        teacher.held_out(examples, progress=progress)
    assert calls == [1, 2, 3]


def test_a_set_is_saved_and_opened(teacher, photo_set):
    opened = teacher.open(teacher.save(photo_set, teacher.examples(photo_set)))
    before, after = (teacher.predict(teacher.examples(each), plain("purple")) for each in (photo_set, opened))
    assert before == after
    with pytest.raises(ArtifactError):
        teacher.open(b"something else")
    with pytest.raises(OptionError, match="no photos to save"):
        teacher.save(PhotoSet(), teacher.examples(PhotoSet()))


def test_photos_of_another_model_are_refused(teacher, photo_set):
    other = PhotoSet(photo_set.classes, "RN50", "80" * 32)
    with pytest.raises(OptionError, match="encoded with RN50, not with toy"):
        teacher.examples(other)


def test_of_all_visitors_two_photos_at_most_are_in_memory_in_full_size(toy_encoder, toy_dataset):
    class Counting(type(toy_encoder)):
        now = most = 0

        def preprocess(self, image):
            with lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.03)
            with lock:
                self.now -= 1
            return super().preprocess(image)

    lock, encoder = threading.Lock(), Counting()
    teacher = Backend(ModelPool.of(encoder), datasets={"toys": toy_dataset}).teacher
    examples = teacher.examples(PhotoSet())
    with ThreadPoolExecutor(8) as pool:
        added = [pool.submit(teacher.photos, [plain("red")]) for _ in range(4)]
        said = [pool.submit(teacher.predict, examples, plain("red")) for _ in range(4)]
    assert all(len(each.result()[0]) == 1 for each in added) and all(each.result() for each in said)
    assert encoder.most <= 2
