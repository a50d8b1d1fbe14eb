"""Every event and every request to an endpoint ends in an answer or in a sentence.

Gradio answers ``{"error": null}`` to every exception but its own: nothing is said on the page, or to a program. An
answer that cannot be written as JSON even ends the stream over which all further answers would come.
"""

import asyncio
import inspect
import logging
import re
import threading
import traceback
from collections import Counter
from typing import Any

import gradio as gr
import httpx
import orjson
from fastapi.exceptions import RequestValidationError
from gradio.exceptions import InvalidPathError
from gradio.route_utils import FnIndexInferError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from ..errors import ClipDemoError, ImageError, OptionError
from .event_options import page_error, program_error
from .sessions import PageConfig
from .uploads import NO_UPLOAD, NOT_ARRIVED

logger = logging.getLogger(__name__)

UNREADABLE = "This page sent something that the server cannot read. Reload the page."
OUTDATED = "This page is out of date. Reload it."  # since the server was started again
UNREAD_SECONDS = 600.0  # after which an answer is dropped that nobody fetched
_MAX_MESSAGE = 1_000  # characters; a message may repeat what came, which may have two million
_MAX_TRACEBACK = 4_000  # characters
_MAX_PLACES = 100
_ENDPOINT = re.compile(r".*/gradio_api/(call|call/v2|run|api)/([^/]+)/?")


class Page(gr.Blocks):
    """`gr.Blocks` whose events raise nothing but `gr.Error`, with a sentence."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.default_config = PageConfig(self)

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any) -> dict[str, Any]:
        """Run an event from the values that a client sent to those that it gets."""
        event = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        is_endpoint = event.api_visibility == "public"
        try:
            if is_endpoint:
                _check_number(event, inputs)
            else:
                inputs = _whole(inputs)
                if options.get("event_data"):
                    options["event_data"]._data = _whole(options["event_data"]._data)
            answer = await super().process_api(block_fn, inputs, *args, **options)
            orjson.dumps(answer["data"], default=str)  # as Gradio does later, where an error is nobody's
            _forget(event, options.get("state"))
            drop = self._drop_unread, options.get("session_hash"), options.get("event_id")
            asyncio.get_running_loop().call_later(UNREAD_SECONDS, *drop)
            return answer
        except Exception as error:
            raise _sentence(error, is_endpoint) from error

    def _drop_unread(self, session: str | None, event: str | None) -> None:
        """Take an answer that nobody fetched out of the queue, where Gradio keeps it without end.

        It may show photos of a visitor who left before it came.
        """
        messages = self._queue.pending_messages_per_session.get(session)
        for message in [messages.get_nowait() for _ in range(messages.qsize())] if messages else ():
            if message.event_id != event:
                messages.put_nowait(message)

    async def preprocess_data(self, *args: Any, **options: Any) -> list[Any]:
        """Check what a client sent; what fails here is no fault of the server."""
        try:
            return await super().preprocess_data(*args, **options)
        except (ClipDemoError, gr.Error):
            raise
        except (InvalidPathError, ValidationError) as error:  # Gradio's models have no other values than files
            raise ImageError(NO_UPLOAD, page=NOT_ARRIVED) from error
        except Exception as error:
            raise OptionError(f"data: {error}", page=UNREADABLE) from error


def _forget(event: Any, state: Any) -> None:
    """Take what a visitor sent and got out of the session, where Gradio keeps it for deep links for hours."""
    if state is not None:
        for block in (*event.inputs, *event.outputs):
            state._update_value_in_config(block._id, None)


def _sentence(error: Exception, is_endpoint: bool) -> gr.Error:
    """Return the error that Gradio passes on."""
    if not isinstance(error, (ClipDemoError, gr.Error)):
        _log(error)
    if not isinstance(error, gr.Error):
        error = program_error(error) if is_endpoint else page_error(error)
    error.message = _whole(_shortened(str(error.message), _MAX_MESSAGE))
    error.print_exception = False
    return error


def _shortened(text: str, most: int) -> str:
    """Return text without its middle if it is too long. The end of a message says what is allowed."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def _whole(value: Any) -> Any:
    """Return a value without halves of characters, which no answer and no address can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "ignore").decode("utf-8")
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value


def _parameters(event: Any) -> list[str]:
    return list(inspect.signature(event.fn).parameters)


def _check_number(event: Any, values: list[Any]) -> None:
    names = _parameters(event)
    if len(values) != len(names):
        raise OptionError(
            f"data: got {len(values)} {'value' if len(values) == 1 else 'values'}; /{event.api_name} takes "
            f"{len(names)}, in this order: {', '.join(names)}."
        )


# --- logging ----------------------------------------------------------------------------------------------------------

_counts: Counter[tuple[str, str, int]] = Counter()
_lock = threading.Lock()


def _log(error: Exception) -> None:
    """Log an unexpected error: with its traceback for the first time, then the 10th, the 100th time and so on."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = type(error).__name__, where.filename, where.lineno
    with _lock:
        if place not in _counts and len(_counts) >= _MAX_PLACES:
            return
        _counts[place] += 1
        times = _counts[place]
    if times == 1:
        text = "".join(traceback.format_exception(error, limit=-12))
        logger.error("An event ended in an unexpected error:\n%s", _shortened(text, _MAX_TRACEBACK))
    elif str(times).strip("0") == "1":
        logger.error("%s in %s, line %d, for the %dth time", *place, times)


# --- requests that do not reach an event ------------------------------------------------------------------------------


def exception_handlers() -> dict[type[Exception], Any]:
    """Return what FastAPI answers to a request that Gradio cannot assign to an event."""
    return dict.fromkeys((RequestValidationError, KeyError, FnIndexInferError, TypeError, httpx.InvalidURL), _refuse)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    events = request.app.get_blocks().fns.values()
    endpoints = {each.api_name: _parameters(each) for each in events if each.api_visibility == "public"}
    found = _ENDPOINT.fullmatch(request.url.path)
    route, name = found.groups() if found else ("", "")
    status, names = 422, ", ".join(endpoints.get(name, ()))
    if isinstance(error, httpx.InvalidURL):
        status, message = 400, "This address cannot be read: it is too long or damaged. Shorten it."
    elif route and name not in endpoints:
        status, message = 404, f"There is no endpoint /{name[:60]}; use one of /{', /'.join(endpoints)}."
    elif isinstance(error, RequestValidationError):
        form = f"an object with its parameters: {names}"
        if route != "call/v2":
            form = f'an object with "data", the list of its values{f", in this order: {names}" if names else ""}'
        message = f"The body is not what this address takes: in JSON, {form}."
    elif isinstance(error, TypeError) and route == "call/v2":
        reason = str(error).partition(". ")[0].rstrip(".")
        message = f"{reason[:200]}. /{name} takes an object with its parameters: {names}."
    elif isinstance(error, (KeyError, FnIndexInferError)) and request.method == "POST":
        status, message = 404, OUTDATED
    else:
        raise error
    return JSONResponse({"error": message, "detail": message}, status)
