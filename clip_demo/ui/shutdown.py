"""The end of the page: answers that are nearly ready are sent, and whoever waits for another gets a word."""

import time
from collections.abc import Callable

import gradio as gr
from gradio.server_messages import ProcessCompletedMessage

PATIENCE = 3  # seconds; Docker kills a container ten seconds after it was asked to stop
WORD = "The page was stopped. Try again later."


def shut_down(demo: gr.Blocks) -> None:
    """Wait a moment for the answers that are being computed, tell the other visitors, and close the server.

    Gradio's own `block_thread` waits for all open pages to go, and leaves them without an answer.
    """
    queue = demo._queue
    _wait(lambda: not any(queue.active_jobs), PATIENCE)
    if demo.server and demo.server.servers:
        loop = demo.server.servers[0].get_loop()
        for session, events in list(queue.pending_event_ids_session.items()):
            messages = queue.pending_messages_per_session.get(session)
            for event in list(events) if messages else ():
                output = {"error": WORD, "visible": True, "duration": 10, "title": "Error"}
                word = ProcessCompletedMessage(event_id=event, output=output, success=False)
                loop.call_soon_threadsafe(messages.put_nowait, word)
        # Gradio takes an event away when its answer is sent, and sends no more after the queue is closed.
        _wait(lambda: not any(queue.pending_event_ids_session.values()), 1)
    demo.close(verbose=False)


def _wait(is_done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_done() and time.monotonic() < end:
        time.sleep(0.05)
