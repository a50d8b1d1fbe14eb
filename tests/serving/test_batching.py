"""Micro-batching: simultaneous requests share a call, and every request gets its own rows."""

import threading

import numpy as np
import pytest
from helpers import BusyEncoder, wait_for

from clip_demo.serving.batching import MicroBatcher
from clip_demo.serving.encoder_queue import EncoderQueue


def together(queue, batcher, *requests):
    """Make all requests while the encoder is busy; return their rows, or their errors, in order."""
    results = [None] * len(requests)

    def ask(place, items):
        try:
            results[place] = batcher.rows(items)
        except Exception as error:
            results[place] = error

    busy, threads = BusyEncoder(queue), []
    for place, items in enumerate(requests):
        threads.append(threading.Thread(target=ask, args=(place, items)))
        threads[-1].start()
        wait_for(lambda place=place: len(batcher) == place + 1)
    busy.release()
    for thread in threads:
        thread.join(10)
    return results


@pytest.fixture
def queue():
    return EncoderQueue()


def test_a_batch_is_bounded_and_every_request_is_answered(queue):
    sizes = []

    def double(items):
        sizes.append(len(items))
        return np.array(items)[:, None] * 2.0

    batcher = MicroBatcher(double, queue, memory=100, batch=4)
    rows = together(queue, batcher, *[{n: n, n + 100: n + 100} for n in range(7)])
    assert sizes == [4, 4, 4, 2]
    assert [{key: row[0] for key, row in each.items()} for each in rows] == [
        {n: 2.0 * n, n + 100: 2.0 * (n + 100)} for n in range(7)
    ]


def test_equal_items_of_different_requests_are_computed_once(queue):
    computed = []

    def identity(items):
        computed.extend(items)
        return np.array(items, dtype=float)[:, None]

    batcher = MicroBatcher(identity, queue, memory=10, batch=8)
    rows = together(queue, batcher, {1: 1, 2: 2}, {2: 2, 3: 3})
    assert sorted(computed) == [1, 2, 3] and [sorted(each) for each in rows] == [[1, 2], [2, 3]]


def test_an_error_reaches_only_the_request_that_caused_it(queue):
    def fails_on_5(items):
        if 5 in items:
            raise ValueError("five")
        return np.array(items)[:, None]

    good, bad, other = together(queue, MicroBatcher(fails_on_5, queue, memory=10, batch=8), {1: 1}, {5: 5}, {2: 2})
    assert isinstance(bad, ValueError)
    assert (good[1][0], other[2][0]) == (1, 2)


def test_an_encoder_that_wants_to_end_the_program_leaves_nobody_waiting(queue):
    def compute(items):
        if "bad" in items:
            raise SystemExit(3)
        return np.ones((len(items), 2))

    batcher = MicroBatcher(compute, queue, memory=10, batch=10)
    good, bad, other = together(queue, batcher, {"a": "good"}, {"b": "bad"}, {"c": "other"})
    assert set(good) == {"a"} and set(other) == {"c"}
    assert isinstance(bad, RuntimeError) and str(bad) == "SystemExit(3)"
    assert set(batcher.rows({"d": "later"})) == {"d"}


def test_a_call_that_returns_too_few_rows_is_an_error_and_nobody_waits_forever(queue):
    batcher = MicroBatcher(lambda items: np.zeros((len(items) - 1, 3)), queue, memory=10, batch=8)
    results = together(queue, batcher, {1: 1}, {2: 2})
    assert [type(each) for each in results] == [ValueError, ValueError]


def test_the_least_recently_used_row_is_forgotten(queue):
    computed = []

    def identity(items):
        computed.extend(items)
        return np.array(items, dtype=float)[:, None]

    batcher = MicroBatcher(identity, queue, memory=3, batch=8)
    for item in (1, 2, 3):
        batcher.rows({item: item})
    assert set(batcher.remembered([1, 9])) == {1}  # used again, so 2 is the oldest now
    batcher.rows({4: 4})
    assert set(batcher.remembered([1, 2, 3, 4])) == {1, 3, 4}
    assert computed == [1, 2, 3, 4]


def test_a_request_served_with_an_earlier_one_does_not_wait_for_other_work(queue):
    batcher = MicroBatcher(lambda items: np.array(items)[:, None], queue, memory=10, batch=4)
    busy, answered, release = BusyEncoder(queue), threading.Event(), threading.Event()
    threads = [threading.Thread(target=batcher.rows, args=({1: 1},))]
    threads[0].start()
    wait_for(lambda: len(batcher) == 1)
    long = queue.submit(lambda: release.wait(10))  # between the two requests
    threads.append(threading.Thread(target=lambda: batcher.rows({2: 2}) and answered.set()))
    threads[1].start()
    wait_for(lambda: len(batcher) == 2)
    busy.release()
    assert answered.wait(5), "its row was computed with that of the first request"
    assert not long.done()
    release.set()
    for thread in threads:
        thread.join(10)


def test_no_call_is_left_in_the_queue(queue):
    batcher = MicroBatcher(lambda items: np.array(items)[:, None], queue, memory=1, batch=4)
    for first in range(0, 50, 10):
        together(queue, batcher, *[{n: n} for n in range(first, first + 6)])
        assert len(queue) == len(batcher) == 0


def test_a_batch_counts_the_sizes_of_all_its_requests(queue):
    batches = []

    def identity(items):
        batches.append(items)
        return np.ones((len(items), 1))

    batcher = MicroBatcher(identity, queue, memory=100, batch=8, size=len)
    together(queue, batcher, {"aaaa": "aaaa"}, {"bbb": "bbb", "b": "b"}, {"c": "c"}, {"d" * 9: "d" * 9}, {"e": "e"})
    assert batches == [["aaaa", "bbb", "b"], ["c"], ["d" * 9], ["e"]]
