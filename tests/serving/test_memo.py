"""The memo: bounded, computed once, and without traces of what failed."""

import threading

import pytest
from helpers import wait_for

from clip_demo.errors import Cancelled
from clip_demo.serving.memo import Memo


def fail():
    raise ZeroDivisionError


def test_a_value_is_computed_once_and_the_least_recently_used_is_dropped():
    memo, computed = Memo(2), []

    def get(key):
        return memo.get(key, lambda: computed.append(key) or key)

    assert [get(key) for key in "abacab"] == list("abacab")
    assert computed == list("abcb")  # c displaced b


def test_failures_leave_nothing_behind():
    memo = Memo(4)
    for key in range(300):
        with pytest.raises(ZeroDivisionError):
            memo.get(("a long class list", key), fail)
    assert memo.pending == set()
    assert memo.get(("a long class list", 0), lambda: 7) == 7


@pytest.fixture
def computing(monkeypatch):
    """A memo in which one thread computes the key "k", until it is told how that ends."""
    monkeypatch.setattr("clip_demo.serving.memo.POLL", 0.01)
    memo, go, started = Memo(4), threading.Event(), threading.Event()
    outcome = []

    def compute():
        started.set()
        assert go.wait(10)
        return outcome[0]()

    def first():
        try:
            outcome.append(memo.get("k", compute))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(10)

    def finish(how):
        outcome.insert(0, how)
        go.set()
        thread.join(10)

    yield memo, finish
    go.set()


def waiting_for(memo, compute, values):
    """Start a thread that gets the key "k", and return it as soon as it waits for the first thread."""
    waits = threading.Event()
    thread = threading.Thread(target=lambda: values.append(memo.get("k", compute, lambda *call: waits.set())))
    thread.start()
    assert waits.wait(10)
    return thread


def test_a_second_thread_waits_for_the_first_and_both_get_its_value(computing):
    memo, finish = computing
    values = []
    second = waiting_for(memo, lambda: pytest.fail("computed twice"), values)
    finish(lambda: "value")
    second.join(10)
    assert values == ["value"] and memo.pending == set()


@pytest.mark.parametrize("error", [ZeroDivisionError, Cancelled])
def test_a_waiting_thread_computes_the_value_itself_after_a_failure_of_the_first(computing, error):
    memo, finish = computing

    def fail():
        raise error("of the first thread only")

    values = []
    second = waiting_for(memo, lambda: "its own", values)
    finish(fail)
    second.join(10)
    assert values == ["its own"] and memo.pending == set()


def test_a_waiting_thread_may_give_up_and_the_first_goes_on(computing):
    memo, finish = computing

    def impatient(what, done, total):
        assert what == "waiting"
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        memo.get("k", lambda: "never", impatient)
    finish(lambda: "value")
    assert memo.get("k", lambda: "another") == "value"


def test_other_keys_do_not_wait(computing):
    memo, finish = computing
    assert memo.get("other", lambda: 1) == 1
    assert memo.pending == {"k"}
    finish(lambda: 2)
    wait_for(lambda: memo.pending == set())


def test_a_value_larger_than_all_may_be_together_is_returned_and_not_kept():
    memo, computed = Memo(10, len), []
    for _ in range(2):
        assert memo.get("large", lambda: computed.append(1) or b"x" * 11) == b"x" * 11
    assert len(computed) == 2 and memo.get("small", lambda: b"y") == memo.get("small", lambda: b"z") == b"y"
