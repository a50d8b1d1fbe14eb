"""Prompts and images: remembered, forgotten, encoded together, each answered with its own."""

import threading
import time

import numpy as np
import pytest
from PIL import Image
from test_turns import Gate

from clip_demo.errors import PromptTooLongError
from clip_demo.serving.batching import MicroBatcher
from clip_demo.serving.encoder_queue import EncoderQueue
from clip_demo.serving.feature_cache import PROMPTS, Features


@pytest.fixture
def features(toy_encoder):
    return Features(toy_encoder)


def ask_together(turns, *questions):
    """Put all questions while the encoder is busy; return their answers, or their errors, in order."""
    answers = [None] * len(questions)

    def ask(place, question):
        try:
            answers[place] = question()
        except Exception as error:
            answers[place] = error

    gate = Gate(turns)
    threads = []
    for place, question in enumerate(questions):
        threads.append(threading.Thread(target=ask, args=(place, question)))
        threads[-1].start()
        time.sleep(0.05)  # they come one after another, and all wait
    gate.open()
    for thread in threads:
        thread.join(10)
    return answers


def image(colour):
    return lambda: Image.new("RGB", (8, 8), colour)


def test_requests_that_arrive_together_are_one_batch_and_each_gets_its_own(toy_encoder):
    turns, batches = EncoderQueue(), []
    encode = toy_encoder.encode_pixels
    toy_encoder.encode_pixels = lambda batch: batches.append(len(batch)) or encode(batch)
    features = Features(toy_encoder, turns)
    colours = ["red", "blue", "yellow", "white", "red"]
    got = ask_together(turns, *[lambda c=colour: features.image_features(c, image(c)) for colour in colours])
    assert batches == [4]  # the two reds are one
    for row, colour in zip(got, colours, strict=True):
        np.testing.assert_array_equal(row, toy_encoder.encode_images([image(colour)()])[0])


def test_a_batch_is_bounded_and_nobody_is_left():
    turns, sizes = EncoderQueue(), []

    def double(items):
        sizes.append(len(items))
        return np.array(items)[:, None] * 2.0

    batches = MicroBatcher(double, turns, memory=100, batch=4)
    got = ask_together(turns, *[lambda n=n: batches.rows({n: n, n + 100: n + 100}) for n in range(7)])
    assert sizes == [4, 4, 4, 2]
    assert [{key: row[0] for key, row in rows.items()} for rows in got] == [
        {n: 2.0 * n, n + 100: 2.0 * (n + 100)} for n in range(7)
    ]


def test_one_visitors_mistake_is_not_anothers(toy_encoder):
    turns = EncoderQueue()
    features = Features(toy_encoder, turns)
    good, bad, also = ask_together(
        turns,
        lambda: features.of_prompts(["a red"]),
        lambda: features.of_prompts(["word " * 71]),
        lambda: features.of_prompts(["a blue"]),
    )
    assert isinstance(bad, PromptTooLongError)
    assert good.argmax() == 0 and also.argmax() == 2


def test_what_is_remembered_does_not_wait_for_the_encoder(toy_encoder):
    turns = EncoderQueue()
    features = Features(toy_encoder, turns)
    before = features.of_prompts(["a red"]), features.image_features("red", image("red"))
    gate = Gate(turns)  # the encoder is busy from here on
    after = features.of_prompts(["a red"]), features.image_features("red", lambda: pytest.fail("it was read again"))
    gate.open()
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_the_least_recently_used_is_forgotten():
    computed = []

    def compute(items):
        computed.extend(items)
        return np.array(items, dtype=float)[:, None]

    batches = MicroBatcher(compute, EncoderQueue(), memory=3, batch=8)
    for item in (1, 2, 3):
        batches.rows({item: item})
    assert set(batches.remembered([1, 9])) == {1}  # asked for again: now 2 is the oldest
    batches.rows({4: 4})
    assert set(batches.remembered([1, 2, 3, 4])) == {1, 3, 4}
    assert computed == [1, 2, 3, 4]


def test_a_large_ensemble_lets_others_through(toy_encoder):
    turns, seen = EncoderQueue(), []
    encode = toy_encoder.encode_texts
    toy_encoder.encode_texts = lambda prompts: seen.append(len(prompts)) or encode(prompts)
    toy_encoder.encode_pixels = lambda batch: seen.append("image") or np.ones((len(batch), 3), np.float32)
    features = Features(toy_encoder, turns)
    many = [f"a red {n}" for n in range(2 * PROMPTS + 1)]
    ask_together(turns, lambda: features.of_prompts(many), lambda: features.image_features("red", image("red")))
    assert seen == [PROMPTS, "image", PROMPTS, 1]


def test_a_turn_holds_many_short_prompts_or_few_long_ones(toy_encoder):
    seen = []
    encode = toy_encoder.encode_texts
    toy_encoder.encode_texts = lambda prompts: seen.append(len(prompts)) or encode(prompts)
    longest = [f"{n:04} {'o' * 2796} red" for n in range(6)]  # 2,805 letters each, of the 8,000 of a turn
    rows = Features(toy_encoder).of_prompts([*longest, "z red", "z blue"])
    assert seen == [2, 2, 4] and rows.shape == (8, 3)


def test_a_job_comes_after_visitors_and_leaves_no_trace(toy_encoder):
    turns, seen = EncoderQueue(), []
    encode = toy_encoder.encode_pixels
    toy_encoder.encode_pixels = lambda batch: seen.append(len(batch)) or encode(batch)
    features = Features(toy_encoder, turns)
    images = [image(colour)() for colour in ("red", "blue", "red")]
    rows, _ = ask_together(
        turns, lambda: features.of_job(images), lambda: features.image_features("white", image("white"))
    )
    assert seen == [1, 1, 2]  # the visitor's, then the job's: one at first, more when one is known to be quick
    np.testing.assert_array_equal(rows, encode([toy_encoder.preprocess(each) for each in images]))


def test_a_jobs_turn_stays_short(toy_encoder, monkeypatch):
    seconds, now, sizes = [0.01], [0.0], []  # an image, and the clock
    monkeypatch.setattr("clip_demo.features.time.perf_counter", lambda: now[0])
    encode = toy_encoder.encode_pixels

    def slow(batch):
        sizes.append(len(batch))
        now[0] += seconds[0] * len(batch)
        return encode(batch)

    toy_encoder.encode_pixels = slow
    features = Features(toy_encoder)
    features.of_job([image("red")() for _ in range(70)])
    assert sizes[:5] == [1, 2, 4, 8, 16] and set(sizes[5:]) <= {19, 20}  # a fifth of a second
    seconds[0], sizes[:] = 1.0, []
    features.of_job([image("red")() for _ in range(25)])
    assert sizes[1:] == [1] * (25 - sizes[0])


def test_who_was_answered_in_anothers_turn_does_not_wait_for_its_own():
    turns, release = EncoderQueue(), threading.Event()
    batches = MicroBatcher(lambda items: np.array(items)[:, None], turns, memory=10, batch=4)
    answered = threading.Event()
    gate = Gate(turns)
    first = threading.Thread(target=batches.rows, args=({1: 1},))
    second = threading.Thread(target=lambda: batches.rows({2: 2}) and answered.set())
    first.start()
    time.sleep(0.05)
    gate.queue(lambda: release.wait(10))  # something long in between
    second.start()
    time.sleep(0.05)
    opener = threading.Thread(target=gate.open)
    opener.start()
    assert answered.wait(5), "its row was computed in the first one's turn"
    release.set()
    for thread in (first, second, opener):
        thread.join(10)


def test_turns_do_not_pile_up():
    turns = EncoderQueue()
    batches = MicroBatcher(lambda items: np.array(items)[:, None], turns, memory=1, batch=4)
    for round in range(5):
        ask_together(turns, *[lambda n=n: batches.rows({n: n}) for n in range(10 * round, 10 * round + 6)])
        assert turns._waiting == []
