"""What the server answers at all, and how much it reads.

Gradio has routes that this page does not need, and reads the whole body of a request into memory before it looks at it.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from python_multipart.multipart import parse_options_header
from starlette.responses import JSONResponse, PlainTextResponse

from .presence import stream
from .uploads import MAX_UPLOAD_BYTES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

MAX_BODY_BYTES = 2_000_000
MAX_UPLOAD_REQUEST_BYTES = 6 * MAX_UPLOAD_BYTES
MAX_FILES = 60
_PATIENCE_BYTES = 10_000_000
# Requests that wait in Gradio's queues: of all visitors, and of one address, which a school class or a proxy may share.
MAX_WAITING, MAX_WAITING_OF_ADDRESS = 200, 100
_BUSY_SECONDS = 5

_UPLOAD = "/gradio_api/upload"
# What the page and the clients for Python, JavaScript and curl use.
_READ = re.compile(
    r"/|/(config|favicon\.ico|manifest\.json|pwa_icon(/\d+)?|robots\.txt|theme\.css)/?"
    r"|/(static|assets|svelte)/.+"
    r"|/gradio_api/(app_id|info|login_check|openapi\.json|startup-events|theme\.css|token|upload_progress|user)/?"
    r"|/gradio_api/(call/[^/]+/[^/]+|heartbeat/[^/]+|queue/data)"
    # Gradio would fetch an address that stands in place of a path.
    r"|/gradio_api/file=(?!(?i:https?):).+"
)
_WRITE = re.compile(
    rf"{_UPLOAD}|/gradio_api/(cancel|queue/join|reset/?|(run|api)/[^/]+/?|call/(v2/)?[^/]+/?)", re.IGNORECASE
)
_ASK = re.compile(r"/gradio_api/(queue/join|call/(v2/)?[^/]+/?)")
_ANSWERS = re.compile(r"/gradio_api/(queue/data|call/[^/]+/([^/]+))")


class RequestLimits:
    """ASGI middleware that answers 404 to unknown routes, and 413 to a body that is too large as soon as it is.

    It answers 503 where too many requests of one address wait already, and notes who still waits for answers.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self._app = app
        self._arriving: Counter[str | None] = Counter()  # requests by address that are not in a queue yet

    async def __call__(self, scope: Message, receive: Receive, send: Callable[[Message], Awaitable[None]]) -> None:
        """Pass a request on if it is allowed."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = _route(scope["path"], scope.get("root_path", "").rstrip("/"))
        routes = _WRITE if scope["method"] == "POST" else _READ
        if not routes.fullmatch(path):
            return await PlainTextResponse("Not found", 404)(scope, receive, send)
        if scope["method"] != "POST" or not _ASK.fullmatch(path):
            with _presence(scope, path):
                return await self._answer(scope, receive, send, path)
        address = scope["client"] and scope["client"][0]
        if whose := self._waits_too_much(scope, address):
            detail = f"Too many requests{whose} wait already; try again in {_BUSY_SECONDS} s."
            headers = {"Retry-After": str(_BUSY_SECONDS)}
            return await JSONResponse({"detail": detail}, 503, headers)(scope, receive, send)
        self._arriving[address] += 1
        try:
            await self._answer(scope, receive, send, path)
        finally:
            self._arriving[address] -= 1
            self._arriving += Counter()  # without those that are 0

    def _waits_too_much(self, scope: Message, address: str | None) -> str:
        """Return whose requests are as many as are allowed, in the queues and on their way there; "" for nobody's."""
        queues = scope["app"].get_blocks()._queue.event_queue_per_concurrency_id.values()
        waiting = self._arriving + Counter(
            event.request.client and event.request.client.host for each in queues for event in each.queue
        )
        if waiting[address] >= MAX_WAITING_OF_ADDRESS:
            return " of your address"
        return " of all visitors" if waiting.total() >= MAX_WAITING else ""

    async def _answer(
        self, scope: Message, receive: Receive, send: Callable[[Message], Awaitable[None]], path: str
    ) -> None:
        body = _Body(scope, receive, is_upload=path == _UPLOAD)
        started = False

        async def send_once(message: Message) -> None:
            # After the limit the application sees a client that left; what it says to that is not sent.
            nonlocal started
            if not body.too_large or started:
                started = True
                await send(message)

        try:
            if not body.too_large:
                await self._app(scope, body.receive, send_once)
        except Exception:
            if not body.too_large:
                raise
        if body.too_large and not started:
            await body.discard()
            await PlainTextResponse(body.message, 413, {"Connection": "close"})(scope, receive, send)


def _presence(scope: Message, path: str) -> contextlib.AbstractContextManager[None]:
    """Note the stream of a session or an event while the request is answered; see `clip_demo.ui.presence`."""
    match = _ANSWERS.fullmatch(path) if scope["method"] == "GET" else None
    if match is None:
        return contextlib.nullcontext()
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return stream(match[2] or query.get("session_hash", [""])[0])


def _route(path: str, root: str) -> str:
    """Return a path without the root path under which a proxy serves the page; some proxies take it away."""
    return path[len(root) :] or "/" if root and (path == root or path.startswith(f"{root}/")) else path


def _delimiter(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return what stands before each part of a form, as the parser of forms understands it."""
    kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    boundary = parse_options_header(kind)[1].get(b"boundary", b"")
    return b"--" + boundary if boundary else b""


class _Body:
    """The body of a request, counted as it comes."""

    def __init__(self, scope: Message, receive: Receive, *, is_upload: bool):
        headers = {name.lower(): value for name, value in scope["headers"]}
        self._receive = receive
        self._limit = MAX_UPLOAD_REQUEST_BYTES if is_upload else MAX_BODY_BYTES
        self._delimiter = _delimiter(scope["headers"]) if is_upload else b""
        self._bytes = self._parts = 0
        self._tail, self._complete = b"", False
        length = headers.get(b"content-length", b"")
        self._announced = int(length) if length.isdigit() else 0
        self.too_large = self._announced > self._limit
        self.message = (
            f"A request to this address may have at most {self._limit // 1_000_000} MB"
            f"{f' and {MAX_FILES} files' if is_upload else ''}."
        )

    async def receive(self) -> Message:
        """Return the next part of the body, or, after the limit, that the client is gone."""
        if not self.too_large:
            message = await self._next()
            self._count(message.get("body", b""))
        return {"type": "http.disconnect"} if self.too_large else message

    async def discard(self) -> None:
        """Read what is left of a body that is only somewhat too large.

        Most clients read the answer only after they have sent everything, and get none if the connection is closed
        before.
        """
        most = self._limit + _PATIENCE_BYTES
        while not self._complete and self._announced <= most and self._bytes <= most:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body")
        return message

    def _count(self, chunk: bytes) -> None:
        if self._delimiter:  # one before each file and one at the end; it may be cut by the border of two chunks
            text = self._tail + chunk
            self._parts += text.count(self._delimiter)
            self._tail = text[-len(self._delimiter) + 1 :]
        self.too_large = self._bytes > self._limit or self._parts > MAX_FILES + 1
