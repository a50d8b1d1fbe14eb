"""Long work of a handler: its progress, and what stops it when the visitor leaves."""

from collections.abc import Iterator
from html import escape

from ...serving.background import BackgroundTask


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
