"""Heavy requests: few at a time, one for each session, none for a visitor who has left."""

import threading
from contextlib import ExitStack

import pytest
from helpers import wait_for

from clip_demo.errors import BusyError, Cancelled
from clip_demo.serving.heavy_requests import HeavyRequests
from clip_demo.zero_shot.prompt_set import PromptSet

FIRST = ("prompts", 0, 300)  # what `encode_prompts` reports before the first of several batches


def stays():
    return False


class Asking(threading.Thread):
    """A heavy request in a thread of its own, which works until `finish`."""

    def __init__(self, requests, session, has_left=stays):
        super().__init__(daemon=True)
        self.requests, self.session, self.has_left = requests, session, has_left
        self.runs, self.error, self.finish = False, None, threading.Event()
        self.start()

    def run(self):
        try:
            with self.requests.request(self.session, self.has_left) as progress:
                progress(*FIRST)
                self.runs = True
                self.finish.wait(10)
        except (BusyError, Cancelled) as error:
            self.error = error


@pytest.fixture
def begin():
    threads = []
    yield lambda *arguments: threads.append(Asking(*arguments)) or threads[-1]
    for thread in threads:
        thread.finish.set()
        thread.join(10)


def test_two_run_and_the_next_starts_when_one_ends(begin):
    requests = HeavyRequests(running=2)
    first, second = begin(requests, "a"), begin(requests, "b")
    wait_for(lambda: first.runs and second.runs)
    third = begin(requests, "c")
    wait_for(lambda: len(requests._waiting) == 1)
    assert not third.runs
    first.finish.set()
    wait_for(lambda: third.runs)


def test_a_session_has_one_place_and_others_pass_it(begin):
    requests = HeavyRequests(running=2)
    first = begin(requests, "a")
    wait_for(lambda: first.runs)
    again = begin(requests, "a")
    wait_for(lambda: len(requests._waiting) == 1)
    other = begin(requests, "b")
    wait_for(lambda: other.runs)
    assert not again.runs
    first.finish.set()
    wait_for(lambda: again.runs)


def test_the_last_are_told_when_to_try_again(begin):
    requests = HeavyRequests(running=1, waiting=1)
    first = begin(requests, "a")
    wait_for(lambda: first.runs)
    begin(requests, "b")
    wait_for(lambda: len(requests._waiting) == 1)
    with (
        requests.request("c", stays) as progress,
        pytest.raises(BusyError, match=r"try again in 10 s, or use") as error,
    ):
        progress(*FIRST)
    assert error.value.page_message == (
        "Many people use this page right now. Try again in 10 seconds, or use fewer words."
    )


def test_nobody_waits_for_ever(begin):
    requests = HeavyRequests(running=1, wait_seconds=0)
    first = begin(requests, "a")
    wait_for(lambda: first.runs)
    with requests.request("b", stays) as progress, pytest.raises(BusyError, match="busy"):
        progress(*FIRST)
    assert not requests._waiting


def test_a_visitor_who_leaves_gives_up_the_place_and_the_wait(begin):
    requests, left = HeavyRequests(running=1), threading.Event()
    first = begin(requests, "a")
    wait_for(lambda: first.runs)
    second = begin(requests, "b", left.is_set)
    wait_for(lambda: len(requests._waiting) == 1)
    left.set()
    second.join(10)
    assert isinstance(second.error, Cancelled) and not second.runs and not requests._waiting
    with requests.request("c", left.is_set) as progress, pytest.raises(Cancelled):
        progress("images", 1, 2)


def test_a_request_ends_after_its_time_and_says_what_is_done():
    requests = HeavyRequests(run_seconds=0)
    with requests.request("a", stays) as progress:
        progress(*FIRST)
        with pytest.raises(BusyError, match=r"128 of 300 were encoded in 0 s and are kept; ask again to go on"):
            progress("prompts", 128, 300)
    assert not requests._running


def test_light_requests_and_other_steps_take_no_place():
    requests = HeavyRequests(running=1)
    with ExitStack() as stack:
        for session in "abc":
            progress = stack.enter_context(requests.request(session, stays))
            progress("prompts", 2, 2)  # one batch
            progress("test images", 0, 10_000)  # at the priority of a background job
        assert not requests._running


def test_a_prediction_takes_a_place_only_for_several_batches(toy_backend):
    taken = []
    with toy_backend.heavy_requests.request("a", stays) as progress:
        toy_backend.predict(index=0, prompts=PromptSet([f"red {n}" for n in range(128)]), progress=progress)
        taken.append(progress.started)
        toy_backend.predict(index=0, prompts=PromptSet([f"blue {n}" for n in range(129)]), progress=progress)
        taken.append(progress.started)
    assert taken[0] == 0 < taken[1]
