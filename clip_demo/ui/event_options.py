"""Options and helpers that the events of all tabs share."""

import time
from html import escape
from typing import Any

import gradio as gr

from ..backend import Backend
from ..errors import ClipDemoError, page_message_of
from ..serving.model_handle import ModelStatus
from .permissions import may_load, may_start

QUIET = {"api_visibility": "private", "show_progress": "hidden"}
INSTANT = {**QUIET, "queue": False}
UNEXPECTED = "Something went wrong on the server. Try again, or reload the page."


def now() -> str:
    """Return a new value for a hidden field. The change of the field triggers an event."""
    return str(time.time_ns())


def load_if_downloaded(backend: Backend, model: str) -> ModelStatus:
    """Return the state of a model, after starting to load one that is on disk but not in memory."""
    status = backend.model_status(model)
    if status.state == "absent" and backend.is_downloaded(model):
        backend.load_model(model)
        status = backend.model_status(model)
    return status


def page_error(error: Exception) -> gr.Error:
    """Return an error that Gradio shows at the edge of the page.

    Gradio shows the message as HTML, and it may repeat a class name that came with a link.
    """
    return gr.Error(escape(page_message_of(error, UNEXPECTED)), print_exception=False)


def program_error(error: Exception) -> gr.Error:
    """Return an error with the message for programs, which is text and not HTML."""
    message = error.public_message if isinstance(error, ClipDemoError) else page_message_of(error, UNEXPECTED)
    return gr.Error(message, print_exception=False)


def event_value(event: gr.EventData, name: str) -> Any:
    """Return a value that an event carries, or None. A client may send anything as the event's data."""
    try:
        return getattr(event, name)
    except (AttributeError, TypeError):
        return None


def press(backend: Backend, event: gr.EventData, dataset: str, model: str) -> None:
    """Do what the clicked button says; see `clip_demo.ui.probe_job_panel.job_button`.

    "start", "stop": the job for the model and the dataset; "prepare", "finish": what the program gets ready by itself,
    as far as it was told, or to the end; "load": the model.
    """
    # A client may send anything; everything but these, and what the visitor may not start, is ignored.
    action = event_value(event, "job")
    jobs = {
        "start": lambda: backend.start_probe_job(dataset, model),
        "prepare": backend.preparation.start,
        "finish": backend.preparation.finish,
        "stop": backend.stop_probe_job,
    }
    try:
        if action == "load":
            if may_load(backend, model):
                backend.load_model(model)
        elif isinstance(action, str) and action in jobs and may_start(backend):
            jobs[action]()
    except ClipDemoError as error:
        raise page_error(error) from error
