"""Long work of a handler: its progress, and what stops it when the visitor leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from ..backend import Backend
from ..progress import Progress
from ..serving.background import BackgroundTask
from .presence import visitor_request


@contextmanager
def visitor_task(backend: Backend, work: Callable[[Progress], Any], name: str) -> Iterator[BackgroundTask]:
    """Start a background task for the visitor whose request is being answered.

    Its progress calls also wait for the visitor's turn, and end the task where the visitor has left; see
    `clip_demo.ui.presence.visitor_request`.
    """
    with visitor_request(backend) as visitor:

        def work_in_turn(report: Progress) -> Any:
            def progress(what: str, done: int, total: int) -> None:
                report(what, done, total)
                visitor(what, done, total)

            return work(progress)

        yield BackgroundTask(work_in_turn, name)


def progress_of(task: BackgroundTask, interval: float = 0.7) -> Iterator[tuple[str, int, int] | None]:
    """Yield the task's progress until it is done; nothing for a task that is done within one interval (seconds).

    The task is cancelled when the generator is closed, as happens when a visitor stops the handler or leaves.
    """
    try:
        while not task.wait(interval):
            yield task.progress
    except GeneratorExit:
        task.cancel()
        raise


def progress_bar(progress: tuple[str, int, int] | None) -> str:
    """Return a notice with the progress of a task."""
    what, done, total = progress or ("", 0, 0)
    if not total:
        return '<div class="notice" role="status">Working …</div>'
    return (
        f'<div class="notice" role="status"><label>{done:,} of {total:,} {escape(what)}'
        f'<progress max="{total}" value="{done}"></progress></label></div>'
    )
