"""The feature cache: features are computed once, remembered, and computed in batches."""

import threading

import numpy as np
import pytest
from helpers import BusyEncoder, wait_for
from PIL import Image

from clip_demo.errors import Cancelled, ClassnamesError, PromptTooLongError
from clip_demo.serving.encoder_queue import EncoderQueue
from clip_demo.serving.feature_cache import MANY, MAX_CHARACTERS, PROMPTS, FeatureCache
from clip_demo.zero_shot.classifier import class_weights
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture
def queue():
    return EncoderQueue()


@pytest.fixture
def recorded(toy_encoder):
    """The toy encoder, and the sizes of its batches."""
    sizes, encode_images, encode_texts = [], toy_encoder.encode_images, toy_encoder.encode_texts
    toy_encoder.encode_images = lambda inputs: sizes.append(("images", len(inputs))) or encode_images(inputs)
    toy_encoder.encode_texts = lambda prompts: sizes.append(("prompts", len(prompts))) or encode_texts(prompts)
    return toy_encoder, sizes


def image(colour):
    return lambda: Image.new("RGB", (8, 8), colour)


def test_names_that_the_model_cannot_tell_apart_are_refused_and_nothing_is_encoded(toy_encoder):
    with pytest.raises(ClassnamesError, match="'red' and 'Red' make the same prompts for this model"):
        FeatureCache(toy_encoder).class_weights(PromptSet(("red", "blue", "Red")))
    assert toy_encoder.encoded_prompts == []
    assert len(FeatureCache(toy_encoder).class_weights(PromptSet(("red_a", "red a"), ("{}",)))) == 2


def in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_images_requested_at_the_same_time_are_one_batch(recorded, queue):
    encoder, sizes = recorded
    cache, rows = FeatureCache(encoder, queue), {}
    busy = BusyEncoder(queue)
    colours, preprocessed = ["red", "blue", "yellow", "white", "red"], []
    preprocess = encoder.preprocess
    encoder.preprocess = lambda each: preprocessed.append(1) or preprocess(each)
    threads = [
        in_thread(lambda i=i, c=colour: rows.__setitem__(i, cache.encode_image(c, image(c))))
        for i, colour in enumerate(colours)
    ]
    wait_for(lambda: len(preprocessed) == 5)
    busy.release()
    for thread in threads:
        thread.join(10)
    images = sum(n for kind, n in sizes if kind == "images")
    assert len(sizes) <= 2 and images == 4  # the two reds are one image
    for i, colour in enumerate(colours):
        np.testing.assert_array_equal(rows[i], 2 * preprocess(image(colour)()))


def test_remembered_features_do_not_wait_for_the_encoder(toy_encoder, queue):
    cache = FeatureCache(toy_encoder, queue)
    before = cache.encode_prompts(["a red"]), cache.encode_image("red", image("red"))
    busy = BusyEncoder(queue)
    after = cache.encode_prompts(["a red"]), cache.encode_image("red", lambda: pytest.fail("the image was read again"))
    busy.release()
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_text_features_are_normalised_and_image_features_are_not(toy_encoder):
    cache = FeatureCache(toy_encoder)
    np.testing.assert_allclose(np.linalg.norm(cache.encode_prompts(["a red", "a blue"]), axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(cache.encode_image("red", image("red")), [2, 0, 0])


def test_class_weights_are_those_of_the_classifier_and_computed_once(recorded):
    encoder, sizes = recorded
    cache, prompts = FeatureCache(encoder), PromptSet(["red", "blue"], ["a {}", "the {}"])
    weights = cache.class_weights(prompts)
    np.testing.assert_array_equal(weights, class_weights(cache.encode_prompts, prompts))
    assert cache.class_weights(PromptSet(["red", "blue"], ["a {}", "the {}"])) is weights
    assert sizes == [("prompts", 4)]


def test_one_edited_class_means_one_new_prompt(recorded):
    encoder, sizes = recorded
    cache = FeatureCache(encoder)
    cache.class_weights(PromptSet(["red", "blue"]))
    cache.class_weights(PromptSet(["red", "green"]))
    assert sizes == [("prompts", 2), ("prompts", 1)]


def test_a_prompt_that_is_too_long_is_an_error_of_its_own_request(toy_encoder):
    cache = FeatureCache(toy_encoder)
    with pytest.raises(PromptTooLongError):
        cache.encode_prompts(["word " * 71])
    assert cache.encode_prompts(["a red"]).argmax() == 0


def test_others_are_served_between_the_batches_of_a_large_ensemble(recorded, queue):
    encoder, sizes = recorded
    cache, busy = FeatureCache(encoder, queue), BusyEncoder(queue)
    many = [f"a red {n}" for n in range(2 * PROMPTS + 1)]
    ensemble = in_thread(lambda: cache.encode_prompts(many))
    wait_for(lambda: len(queue) == 1)
    other = in_thread(lambda: cache.encode_image("red", image("red")))
    wait_for(lambda: len(queue) == 2)
    busy.release()
    ensemble.join(10)
    other.join(10)
    assert sizes == [("prompts", PROMPTS), ("images", 1), ("prompts", PROMPTS), ("prompts", 1)]


def test_a_batch_holds_many_short_prompts_or_few_long_ones(recorded):
    encoder, sizes = recorded
    longest = [f"{n:04} {'o' * 2796} red" for n in range(6)]  # 2,805 characters each
    assert 2 * 2805 <= MAX_CHARACTERS < 3 * 2805
    rows = FeatureCache(encoder).encode_prompts([*longest, "z red", "z blue"])
    assert [n for _, n in sizes] == [2, 2, 4] and rows.shape == (8, 3)


def test_cancelled_work_keeps_what_is_done(recorded):
    encoder, sizes = recorded
    cache, prompts = FeatureCache(encoder), [f"number {i}" for i in range(300)]

    def cancel(what, done, total):
        assert (what, total) == ("prompts", 300)
        if done == PROMPTS:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        cache.encode_prompts(prompts, cancel)
    calls = []
    cache.encode_prompts(prompts, lambda *call: calls.append(call))
    assert calls == [("prompts", 0, 172), ("prompts", 128, 172), ("prompts", 172, 172)]
    assert sum(n for _, n in sizes) == 300  # no prompt was encoded twice


def test_very_many_prompts_wait_for_their_turn_before_they_are_looked_up(toy_encoder):
    cache, calls = FeatureCache(toy_encoder), []
    prompts = [f"number {i}" for i in range(MANY + 1)]
    cache.encode_prompts(prompts)
    cache.encode_prompts(prompts, lambda *call: calls.append(call))
    cache.encode_prompts(prompts[:-1], lambda *call: calls.append(call))
    assert calls == [("prompts", 0, MANY + 1)]


def test_background_batches_come_after_visitors_and_are_not_remembered(recorded, queue):
    encoder, sizes = recorded
    cache, busy, rows = FeatureCache(encoder, queue), BusyEncoder(queue), []
    inputs = [encoder.preprocess(image(colour)()) for colour in ("red", "blue", "red")]
    job = in_thread(lambda: rows.append(cache.encode_in_background(inputs)))
    wait_for(lambda: len(queue) == 1)
    visitor = in_thread(lambda: cache.encode_image("white", image("white")))
    wait_for(lambda: len(queue) == 2)
    busy.release()
    job.join(10)
    visitor.join(10)
    # The visitor's image, then the job's: one at first, more once the encoder is known to be fast.
    assert [n for _, n in sizes] == [1, 1, 2]
    np.testing.assert_array_equal(rows[0], [2 * each for each in inputs])
    cache.encode_image("red", image("red"))
    assert len(sizes) == 4


def test_other_background_work_waits_until_no_visitor_does(toy_encoder, queue):
    cache, busy, order = FeatureCache(toy_encoder, queue), BusyEncoder(queue), []
    job = in_thread(lambda: (cache.wait_for_visitors(), order.append("job")))
    wait_for(lambda: len(queue) == 1)
    visitor = in_thread(lambda: cache.run(lambda: order.append("visitor")))
    wait_for(lambda: len(queue) == 2)
    busy.release()
    job.join(10)
    visitor.join(10)
    assert order == ["visitor", "job"]


def test_background_batches_stay_short(toy_encoder, monkeypatch):
    seconds_per_image, clock, sizes = [0.01], [0.0], []
    monkeypatch.setattr("clip_demo.serving.feature_cache.time.perf_counter", lambda: clock[0])
    encode = toy_encoder.encode_images

    def slow(inputs):
        sizes.append(len(inputs))
        clock[0] += seconds_per_image[0] * len(inputs)
        return encode(inputs)

    toy_encoder.encode_images = slow
    cache = FeatureCache(toy_encoder)
    cache.encode_in_background([toy_encoder.preprocess(image("red")())] * 70)
    assert sizes[:5] == [1, 2, 4, 8, 16] and set(sizes[5:]) <= {19, 20}  # a fifth of a second
    seconds_per_image[0], sizes[:] = 1.0, []
    cache.encode_in_background([toy_encoder.preprocess(image("red")())] * 25)
    assert sizes[1:] == [1] * (25 - sizes[0])
