"""The encoder as a Ray Serve application that speaks `clip_demo.models.encoder_protocol`.

Imports ray, so only functions import this module.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import ray
from ray import serve
from ray.serve._private import replica
from starlette.requests import Request
from starlette.responses import Response

from ..errors import ClipDemoError, OptionError
from ..models import encoder_protocol as protocol
from ..models.encoder import InspectableEncoder
from ..models.encoder_protocol import ModelCard

# How long a batch waits for more requests: in seconds, and under load as a fraction of the time of the last batch. Ray
# Serve forms the next batch while one is computed, and does not add to it what arrives after that time.
WAIT, PATIENCE = 0.002, 0.5


class EncoderReplica:
    """A replica: a model, of which all requests share batches, images and prompts apart.

    Parameters
    ----------
    load : callable
        Returns the model.
    """

    def __init__(self, load: Callable[[], InspectableEncoder]):
        _listen_on_loopback()
        self._encoder = load()
        self._card = ModelCard.of(self._encoder)
        # One thread: two forward passes at the same time would compete for the same cores.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._pixels = np.zeros((1, *[self._card.anatomy.resolution] * 2, 3), np.uint8)
        self._encoder.encode_images(self._pixels)
        self._encoder.encode_texts(["a photo"])

    async def __call__(self, request: Request) -> Response:
        """Answer a request; see the protocol."""
        wanted, headers = request.headers.get("If-Match"), {"ETag": self._card.tag}
        if wanted not in (None, "*", self._card.tag):
            return Response(f"This is {self._card.name}.", protocol.OTHER_MODEL, headers)
        try:
            content, kind = await self._answer(request)
        except ClipDemoError as error:
            return Response(protocol.error_to_json(error), protocol.REFUSED, headers, "application/json")
        return Response(content, 200, headers, kind)

    async def _answer(self, request: Request) -> tuple[str | bytes, str]:
        match request.method, request.url.path:
            case "GET", protocol.MODEL:
                return self._card.to_json(), "application/json"
            case "POST", protocol.IMAGES:
                images = self._card.images_of(await _body(request, protocol.MAX_IMAGES * self._card.image_bytes))
                rows = await self._encode_images(images)
            case "POST", protocol.TEXTS:
                rows = await self._encode_texts(protocol.prompts_of(await _body(request, protocol.MAX_TEXT_BYTES)))
            case method, path:
                raise OptionError(f"request: got {method} {path}; use one of /model, /images and /texts.")
        if isinstance(rows, ClipDemoError):
            raise rows
        return protocol.features_to_bytes(rows), "application/octet-stream"

    def _count(requests: list[Sequence]) -> int:
        return sum(map(len, requests))

    @serve.batch(max_batch_size=protocol.MAX_IMAGES, batch_wait_timeout_s=WAIT, batch_size_fn=_count)
    async def _encode_images(self, requests: list[np.ndarray]) -> list[np.ndarray | ClipDemoError]:
        return await self._batch(self._encode_images, self._encoder.encode_images, requests)

    @serve.batch(max_batch_size=protocol.MAX_PROMPTS, batch_wait_timeout_s=WAIT, batch_size_fn=_count)
    async def _encode_texts(self, requests: list[list[str]]) -> list[np.ndarray | ClipDemoError]:
        return await self._batch(self._encode_texts, self._encoder.encode_texts, requests)

    async def _batch(self, batched: Callable, encode: Callable, requests: list) -> list[np.ndarray | ClipDemoError]:
        start = time.monotonic()
        rows = await self._run(partial(encode_requests, encode, requests))
        seconds = time.monotonic() - start
        batched.set_batch_wait_timeout_s(max(WAIT, PATIENCE * seconds) if len(requests) > 1 else WAIT)
        return rows

    async def _run(self, work: Callable):
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def check_health(self) -> None:
        """Encode an image: where that fails, as on a GPU in a bad state, Ray Serve replaces this replica."""
        await self._run(partial(self._encoder.encode_images, self._pixels))


def _listen_on_loopback() -> None:
    """On a machine that is alone, let the other port of this replica be reached from this machine only, too.

    Ray Serve 2.60 opens it on all interfaces, for calls of other deployments.
    """
    if ray.util.get_node_ip_address() == "127.0.0.1":
        add_port = replica.add_port_to_grpc_server
        replica.add_port_to_grpc_server = lambda server, place: add_port(server, place.replace("[::]", "127.0.0.1"))


def encode_requests(
    encode: Callable[[list], np.ndarray], requests: Sequence[Sequence]
) -> list[np.ndarray | ClipDemoError]:
    """Return the features for each request, computed in one batch; the error for a request that causes one."""
    try:
        rows = encode([item for request in requests for item in request])
    except ClipDemoError as error:
        if len(requests) == 1:
            return [error]
        return [encode_requests(encode, [request])[0] for request in requests]
    return np.split(rows, np.cumsum([len(request) for request in requests])[:-1])


async def _body(request: Request, most: int) -> bytes:
    """Return the body of a request, of which no more than `most` bytes are read."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise OptionError(f"request: its body is longer than {most} bytes; divide it.")
    return bytes(content)
