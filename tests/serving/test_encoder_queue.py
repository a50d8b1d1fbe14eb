"""The encoder queue: one call at a time, visitors before jobs."""

import threading

import pytest
from helpers import BusyEncoder

from clip_demo.serving.encoder_queue import JOB, VISITOR, EncoderQueue


def test_visitors_come_before_jobs_and_equal_priorities_in_order_of_arrival():
    queue, done = EncoderQueue(), []
    busy = BusyEncoder(queue)
    submitted = (("job 1", JOB), ("visitor 1", VISITOR), ("job 2", JOB), ("visitor 2", VISITOR))
    futures = [queue.submit(lambda name=name: done.append(name), priority) for name, priority in submitted]
    assert len(queue) == 4
    busy.release()
    for future in futures:
        future.result(10)
    assert done == ["visitor 1", "visitor 2", "job 1", "job 2"] and len(queue) == 0


def test_all_calls_run_in_one_thread_and_return_their_result():
    queue = EncoderQueue()
    names = {queue.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert len(names) == 1 and names != {threading.current_thread().name}


def test_an_error_reaches_its_caller_and_nobody_else():
    queue = EncoderQueue()
    with pytest.raises(ZeroDivisionError):
        queue.run(lambda: 1 / 0)
    assert queue.run(lambda: 5) == 5
