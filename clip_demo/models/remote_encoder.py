"""An encoder on another machine, behind the encoder interface; see `clip_demo.models.encoder_protocol`."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image

from ..artifacts import also_known_as
from ..errors import ClipDemoError, ModelError, OptionError
from . import encoder_protocol as protocol
from .encoder import InspectableEncoder, Token
from .encoder_protocol import ModelCard
from .preprocessing import Preprocessing
from .tokenizer import token_pieces, tokenize, tokens

logger = logging.getLogger(__name__)

REQUESTS = 8  # at the same time: an encoder on several machines computes them side by side
CONNECT, READ = 2.0, 300.0  # seconds: a slow processor may take minutes for a batch of the largest model
# Seconds in which a request is tried again: where nothing answers, and where the address answers but a part of what is
# behind it has just failed and is being replaced.
ABSENT, FAILING = 3.0, 60.0
PAUSES = 0.05, 1.0  # seconds between two attempts: the first, doubled up to the last
WATCH = 1.0  # seconds between two looks for an encoder that is gone
# A machine that vanished without a word is noticed by the system after 5 seconds, however long an answer may take:
# while one waits, and (Linux only, in milliseconds) while something that was sent is not confirmed.
_SOCKET = (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3))
_SOCKET += (("TCP_USER_TIMEOUT", 5000),)


class RemoteEncoder:
    """A model that runs on another machine, and implements `clip_demo.models.encoder.InspectableEncoder`.

    A request that fails is repeated, for features do not depend on who computes them. When the encoder does not answer
    any more, or has become another model, calls raise a ModelError at once, until it answers again.

    Parameters
    ----------
    url : str
        Such as ``"http://127.0.0.1:8000"``.
    card : ModelCard
        What the encoder says of itself.
    open_copy : callable, optional
        Returns the same model on this machine, or raises a ModelError: for what needs the network itself.

    Attributes
    ----------
    url : str
    card : ModelCard
    concurrent_requests : int
        How many calls are answered at the same time.
    """

    concurrent_requests = REQUESTS

    def __init__(self, url: str, card: ModelCard, open_copy: Callable[[], InspectableEncoder] | None = None):
        self.url, self.card = url, card
        self.name, self.note, self.sha256, self.assumption = card.name, card.note, card.sha256, card.assumption
        self.logit_scale, self.anatomy, self.heat_map_method = card.logit_scale, card.anatomy, card.heat_map_method
        self._client = _client(url)
        self._requests = ThreadPoolExecutor(REQUESTS, thread_name_prefix="remote-encoder")
        self._lock = threading.Lock()
        self._problem: ModelError | None = None
        self._closed = threading.Event()
        self._open_copy = open_copy
        self._copy_thread = ThreadPoolExecutor(1, thread_name_prefix="copy")  # it has the cores for itself
        for former in card.former:
            also_known_as(card.sha256, former)

    @classmethod
    def connect(
        cls,
        url: str,
        expected: str | None = None,
        open_copy: Callable[[ModelCard], InspectableEncoder] | None = None,
    ) -> "RemoteEncoder":
        """Return the encoder at an address.

        Parameters
        ----------
        url : str
        expected : str, optional
            Checksum of the model that it should be, perhaps a former one; default any.
        open_copy : callable, optional
            As for the constructor, but called with the model's card.

        Raises
        ------
        OptionError
            When the address is none.
        ModelError
            When no encoder answers there, or it is another model.
        """
        url = check_url(url)
        with _client(url) as client:
            try:
                response = client.get(protocol.MODEL)
                response.raise_for_status()
                card = ModelCard.from_json(response.content)
            except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise ModelError(
                    f"encoder: no encoder answers at {url} ({error or type(error).__name__}); start one with "
                    "`python -m clip_demo serve-encoder`.",
                    private=True,
                ) from error
        if expected not in (None, card.sha256, *card.former):
            raise ModelError(
                f"encoder: at {url} is {card.name} with SHA-256 {card.sha256}; expected {expected}. Start the encoder "
                "with the same --model, or omit it here to use what is there.",
                private=True,
            )
        return cls(url, card, None if open_copy is None else lambda: open_copy(card))

    def close(self) -> None:
        """Close the connections, and stop looking for an encoder that is gone."""
        self._closed.set()
        for threads in (self._requests, self._copy_thread):
            threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    @property
    def problem(self) -> str:
        """Why nothing can be computed now, as a sentence for the page; usually empty."""
        problem = self._problem
        return problem.page_message if problem else ""

    # --- the encoder interface --------------------------------------------------------------------------------------

    @cached_property
    def _preprocessing(self) -> Preprocessing:
        return Preprocessing(self.anatomy.resolution)

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Resize and crop an RGB image of any size to the model's: shape (height, width, 3), uint8."""
        return self._preprocessing.pixels(image)

    def encode_images(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the features of images from `preprocess`: shape (n, d), float32, not normalised."""
        return self._encode(protocol.IMAGES, inputs, protocol.MAX_IMAGES, self.card.images_to_bytes)

    def tokens(self, prompt: str) -> bytes:
        """Return what the features of a prompt depend on; see `clip_demo.models.tokenizer.tokens`."""
        return tokens(prompt)

    def encode_texts(self, prompts: Sequence[str]) -> np.ndarray:
        """Return the features of prompts: shape (n, d), float32, not normalised.

        Raises
        ------
        PromptTooLongError
            When a prompt has too many tokens; nothing is sent then.
        """
        tokenize(list(prompts), self.anatomy.context_length)
        return self._encode(protocol.TEXTS, prompts, protocol.MAX_PROMPTS, _texts_to_bytes)

    def _encode(self, path: str, items: Sequence, size: int, to_bytes: Callable[[Sequence], bytes]) -> np.ndarray:
        def post(part: Sequence) -> np.ndarray:
            content = self._request("POST", path, content=to_bytes(part))
            try:
                return self.card.features_of(content, len(part))
            except ValueError as error:
                raise ModelError(
                    f"encoder: its answer to {len(part)} items has {len(content)} bytes, which are no features.",
                    page=f"The computer that runs {self.name} gave no usable numbers. Try again.",
                    private=True,
                ) from error

        parts = [items[start : start + size] for start in range(0, len(items), size)]
        return post(parts[0]) if len(parts) == 1 else np.concatenate(list(self._requests.map(post, parts)))

    # --- the inside -------------------------------------------------------------------------------------------------

    def token_pieces(self, prompt: str) -> tuple[Token, ...]:
        """Return a prompt's tokens, from start to end of text."""
        return token_pieces(prompt, self.anatomy.context_length)

    def encode_covered(self, pixels: np.ndarray, covers: np.ndarray) -> np.ndarray:
        """See `InspectableEncoder.encode_covered`; computed by the copy on this machine, or a ModelError."""
        return self._copy_thread.submit(lambda: self._copy.encode_covered(pixels, covers)).result()

    def gradient_maps(self, pixels: np.ndarray, directions: np.ndarray, normalized: bool) -> np.ndarray:
        """See `InspectableEncoder.gradient_maps`; computed by the copy on this machine, or a ModelError."""
        return self._copy_thread.submit(lambda: self._copy.gradient_maps(pixels, directions, normalized)).result()

    @cached_property
    def _copy(self) -> InspectableEncoder:
        if self._open_copy is None:
            raise ModelError(f"model: {self.name!r} runs on another machine, and there is no copy of it here.")
        return self._open_copy()

    # --- requests ---------------------------------------------------------------------------------------------------

    def _request(self, method: str, path: str, **content: Any) -> bytes:
        """Return the body of the answer, after as many attempts as it takes."""
        if problem := self._problem:
            raise problem.with_traceback(None)  # the same error is raised again and again
        first_failure, pause = None, PAUSES[0]
        while True:
            answer, failure = self._try(method, path, **content)
            if failure is None:
                return answer
            first_failure = first_failure or time.monotonic()
            patience, error = failure
            if time.monotonic() - first_failure + pause > patience or self._closed.wait(pause):
                raise self._lose(error)
            pause = min(2 * pause, PAUSES[1])

    def _try(self, method: str, path: str, **content: Any) -> tuple[bytes, tuple[float, ModelError] | None]:
        """Return the body of an answer, or for how many seconds it is worth trying again, and the error after that.

        Raises
        ------
        ClipDemoError
            When the request itself is refused.
        """
        try:
            response = self._client.request(method, path, headers={"If-Match": self.card.tag}, **content)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return b"", (ABSENT, self._absent(error))
        except (httpx.TransportError, RuntimeError) as error:  # a RuntimeError where it was closed meanwhile
            return b"", (FAILING, self._absent(error))
        status, tag = response.status_code, response.headers.get("ETag")
        if status == protocol.OTHER_MODEL or (tag and tag != self.card.tag):
            return b"", (0.0, self._other_model(tag))
        if status == protocol.REFUSED and tag:
            raise _refusal(response)
        if status == 200 and tag:
            return response.content, None
        reason = f"status {status}: {response.text[:100]!r}"
        return b"", (FAILING if status >= 500 or status in (408, 429) else ABSENT, self._absent(reason))

    def _absent(self, reason: Any) -> ModelError:
        return ModelError(
            f"encoder: nothing usable answers at {self.url} ({reason or type(reason).__name__}). It is tried again "
            f"every {WATCH:.0f} s; start it again with `python -m clip_demo serve-encoder`.",
            page=f"The computer that runs {self.name} does not answer. What was computed before still works, and this "
            "page goes on when it answers again.",
            private=True,
        )

    def _other_model(self, tag: str | None) -> ModelError:
        return ModelError(
            f"encoder: at {self.url} is a model with the checksum {tag} now; this program uses {self.name} with "
            f"{self.card.tag}. Start the encoder with that model, or this program again.",
            page=f"The computer that should run {self.name} runs another model now. What was computed before still "
            "works. Tell the person who runs this page.",
            private=True,
        )

    def _lose(self, problem: ModelError) -> ModelError:
        """Remember what is the matter, and look for the encoder in the background until it is back."""
        with self._lock:
            first, self._problem = self._problem is None, problem
        if first and not self._closed.is_set():
            logger.error("%s", problem)
            threading.Thread(target=self._watch, name="watch-encoder", daemon=True).start()
        return problem

    def _watch(self) -> None:
        while not self._closed.wait(WATCH):
            try:
                _, failure = self._try("GET", protocol.MODEL)
            except ClipDemoError:
                continue
            with self._lock:
                self._problem = failure and failure[1]
            if failure is None:
                logger.warning("encoder: %s answers at %s again.", self.name, self.url)
                return


def check_url(url: str) -> str:
    """Return the address of an encoder without a slash at its end, or raise an OptionError."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        is_address = is_address and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        is_address = False
    if not is_address:
        raise OptionError(f"encoder: {url!r} is not an address; use one such as http://127.0.0.1:8000.")
    return url.rstrip("/")


def _client(url: str) -> httpx.Client:
    # Python has the names that the system has; none of these is essential.
    options = [(socket.SOL_SOCKET if name[:2] == "SO" else socket.IPPROTO_TCP, getattr(socket, name), value)
               for name, value in _SOCKET if hasattr(socket, name)]  # fmt: skip
    transport = httpx.HTTPTransport(
        socket_options=options,
        limits=httpx.Limits(max_connections=4 * REQUESTS, max_keepalive_connections=4 * REQUESTS),
    )
    # The machines are in one network: a proxy that the environment names is for others.
    return httpx.Client(
        base_url=url, transport=transport, trust_env=False, timeout=httpx.Timeout(READ, connect=CONNECT, pool=None)
    )


def _texts_to_bytes(prompts: Sequence[str]) -> bytes:
    return json.dumps(list(prompts)).encode()


def _refusal(response: httpx.Response) -> ClipDemoError:
    try:
        return protocol.error_of(response.content)
    except (ValueError, KeyError, TypeError):
        return ModelError(f"encoder: it refused the request without a reason ({response.text[:100]!r}).", private=True)
