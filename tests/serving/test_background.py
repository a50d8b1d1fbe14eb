"""Background tasks."""

import gc
import threading
import weakref
from functools import partial

import pytest
from helpers import wait_for

from clip_demo.errors import Cancelled, ModelError
from clip_demo.serving.background import BackgroundTask


def test_a_task_reports_its_progress_and_returns_its_result():
    go, threads = threading.Event(), []

    def work(progress):
        threads.append(threading.current_thread())
        progress("prompts", 3, 10)
        assert go.wait(10)
        return "result"

    task = BackgroundTask(work, "a task")
    wait_for(lambda: task.progress == ("prompts", 3, 10))
    assert not task.done() and not task.wait(0.01) and task.error is None
    go.set()
    assert task.wait(10) and task.done() and task.result() == "result" and task.error is None
    assert threads[0].daemon and threads[0].name == "a task"


def test_a_cancelled_task_stops_at_its_next_progress_call():
    go = threading.Event()

    def work(progress):
        assert go.wait(10)
        progress("prompts", 4, 10)

    task = BackgroundTask(work, "a task")
    task.cancel()
    go.set()
    with pytest.raises(Cancelled):
        task.result()
    assert task.progress is None


def test_an_error_is_raised_by_the_result():
    def work(progress):
        raise ModelError("model: gone.")

    task = BackgroundTask(work, "a task")
    with pytest.raises(ModelError, match="gone"):
        task.result()
    assert isinstance(task.error, ModelError)


def test_a_task_that_failed_keeps_nothing_of_its_work():
    class Photo:
        pass

    photo = Photo()
    gone = weakref.ref(photo)

    def fail(progress, photo):
        raise ModelError("model: gone.")

    task = BackgroundTask(partial(fail, photo=photo), "a task")
    del photo
    assert task.wait(10)
    with pytest.raises(ModelError):
        task.result()
    wait_for(lambda: gc.collect() is not None and gone() is None)
