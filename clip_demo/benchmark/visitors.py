"""Simulated visitors of a page: each keeps a session, and asks now and then about another image."""

import asyncio
import itertools
import random
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from ..datasets.shapes100 import Shapes100
from ..open_files import allow_many_connections
from .server import PREDICT, question

OF_ADDRESS = 50  # visitors behind one address, as in a school: the page limits what one address may have waiting
NEW_WORDS = 0.1  # of the questions have a prompt that the page has not seen


@dataclass
class Answers:
    """What happened while some visitors were there.

    Attributes
    ----------
    visitors : int
    elapsed : float
        Seconds.
    seconds : list of float
        Duration of each answer.
    errors : list of str
    """

    visitors: int
    elapsed: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def late(self) -> float:
        """95th percentile of the durations; infinite without an answer."""
        return float(np.percentile(self.seconds, 95)) if self.seconds else float("inf")

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.seconds) / self.elapsed


class Crowd:
    """Visitors of a page, of whom more and more come. Loading the page itself is measured apart.

    Parameters
    ----------
    url : str
        Address of the page, on loopback.
    think : float
        Mean seconds between an answer and the next question of a visitor; exponentially distributed.
    """

    def __init__(self, url: str, think: float):
        self._url, self._think = url, think
        self._random, self._numbers = random.Random(0), itertools.count()
        n_images = Shapes100.sizes["test"]
        self._indices = itertools.cycle(random.Random(1).sample(range(n_images), n_images))
        self._tasks: list[asyncio.Task] = []
        self._clients: list = []
        self._answers = Answers(0)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, think: float):
        """Yield a crowd without visitors; they leave at the end."""
        allow_many_connections()
        crowd = cls(url, think)
        try:
            yield crowd
        finally:
            for task in crowd._tasks:
                task.cancel()
            await asyncio.gather(*crowd._tasks, return_exceptions=True)
            for client in crowd._clients:
                await client.close()

    async def grow(self, visitors: int, per_second: float) -> None:
        """Let visitors come until there are so many."""
        while len(self._tasks) < visitors:
            number = len(self._tasks)
            if number % OF_ADDRESS == 0:
                self._clients.append(_client(number // OF_ADDRESS))
            self._tasks.append(asyncio.create_task(self._visit(self._clients[-1], f"visitor-{number}")))
            await asyncio.sleep(1 / per_second)

    async def load_pages(self, seconds: float, at_once: int = 8) -> float:
        """Return how many times a second the page itself is served."""
        client, end, n = _client(200), time.monotonic() + seconds, 0

        async def load() -> None:
            nonlocal n
            while time.monotonic() < end:
                async with client.get(self._url) as page:
                    await page.read()
                n += 1

        start = time.monotonic()
        async with client:
            await asyncio.gather(*(load() for _ in range(at_once)))
        return n / (time.monotonic() - start)

    async def watch(self, seconds: float) -> Answers:
        """Return what the visitors get in some seconds."""
        self._answers = found = Answers(len(self._tasks))
        start = time.monotonic()
        await asyncio.sleep(seconds)
        found.elapsed = time.monotonic() - start
        self._answers = Answers(0)
        return found

    async def _visit(self, client, session: str) -> None:
        try:
            heartbeat = await client.get(f"{self._url}/gradio_api/heartbeat/{session}")  # as a browser, until it leaves
        except Exception as error:  # counted
            self._answers.errors.append(repr(error))
            return
        try:
            while True:
                await asyncio.sleep(self._random.expovariate(1 / self._think))
                start = time.monotonic()
                try:
                    await self._ask(client, session)
                    self._answers.seconds.append(time.monotonic() - start)
                except Exception as error:  # counted
                    self._answers.errors.append(repr(error)[:200])
        finally:
            heartbeat.close()

    async def _ask(self, client, session: str) -> None:
        templates = [f"{next(self._numbers)} {{}}"] if self._random.random() < NEW_WORDS else None
        asked = question(session, next(self._indices), templates, ["circle", "square", "star"], top_k=3)
        async with client.post(self._url + PREDICT, json=asked) as response:
            response.raise_for_status()
            event = (await response.json())["event_id"]
        async with client.get(f"{self._url}{PREDICT}/{event}") as response:
            text = await response.text()
        if "event: complete" not in text:
            raise RuntimeError(text)


def _client(number: int):
    """Return an HTTP client with a loopback address of its own."""
    import aiohttp

    # The page closes connections that are idle for 5 seconds.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2, local_addr=(f"127.0.1.{number + 1}", 0))
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=20))
