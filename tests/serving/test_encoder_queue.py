"""Whose turn it is: visitors before jobs, and one at a time."""

import threading
import time

import pytest

from clip_demo.serving.encoder_queue import JOB, VISITOR, EncoderQueue


class Gate:
    """Keeps the encoder busy until it is opened, so that what comes meanwhile has to queue."""

    def __init__(self, turns):
        self._open, entered = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=turns.run, args=(lambda: entered.set() or self._open.wait(10),))]
        self._threads[0].start()
        assert entered.wait(10)
        self._turns = turns

    def queue(self, work, rank=VISITOR):
        before = len(self._turns._waiting)
        self._threads.append(threading.Thread(target=self._turns.run, args=(work, rank)))
        self._threads[-1].start()
        while len(self._turns._waiting) == before:
            time.sleep(0.001)

    def open(self):
        self._open.set()
        for thread in self._threads:
            thread.join(10)


def test_visitors_come_before_jobs_and_each_in_order():
    turns, done = EncoderQueue(), []
    gate = Gate(turns)
    for name, rank in (("job 1", JOB), ("visitor 1", VISITOR), ("job 2", JOB), ("visitor 2", VISITOR)):
        gate.queue(lambda name=name: done.append(name), rank)
    gate.open()
    assert done == ["visitor 1", "visitor 2", "job 1", "job 2"]


def test_all_work_runs_in_one_thread_and_its_result_comes_back():
    turns = EncoderQueue()
    names = {turns.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert len(names) == 1 and names != {threading.current_thread().name}


def test_an_error_reaches_who_asked_and_nobody_else():
    turns = EncoderQueue()
    with pytest.raises(ZeroDivisionError):
        turns.run(lambda: 1 / 0)
    assert turns.run(lambda: 5) == 5
