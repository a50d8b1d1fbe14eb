"""Many clients of one server at once."""

from __future__ import annotations

import itertools
import random
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import torch
from PIL import Image

from ..metadata import CIFAR100_TEMPLATES
from .models import network, ours
from .report import Comparison, Fact, Progress
from .server import ask, memory, run_server, until_answered

__all__ = ["measure_users"]


class _Crowd:
    """Clients that ask one after another, each for pictures that nobody asked for before.

    Attributes
    ----------
    seconds : list of list of float
        How long each answer took, for every client.
    errors : list of Exception
    """

    def __init__(self, url: str, users: int):
        self.seconds: list[list[float]] = [[] for _ in range(users)]
        self.errors: list[Exception] = []
        self._url = url
        order = list(range(10_000))
        random.Random(0).shuffle(order)
        self._indices = iter(order)

    def ask_for(self, duration: float) -> float:
        """Let all clients ask until `duration` seconds are over; return the seconds until the last had its answer."""
        start = time.monotonic()
        threads = [threading.Thread(target=self._client, args=(own, start + duration)) for own in self.seconds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - start

    def _client(self, seconds: list[float], end: float) -> None:
        with httpx.Client(base_url=self._url, timeout=180) as client:
            while time.monotonic() < end:
                start = time.monotonic()
                try:
                    ask(client, index=next(self._indices))
                    seconds.append(time.monotonic() - start)
                except Exception as error:  # It is counted.
                    self.errors.append(error)
                    time.sleep(0.1)

    def all(self) -> list[float]:
        """Return every answer's time."""
        return list(itertools.chain.from_iterable(self.seconds))


def measure_users(users: int, duration: float, progress: Progress) -> list[Comparison | Fact]:
    """Let many clients ask a server with a full-size ViT-B/32, first alone, then beside an endless ensemble.

    Parameters
    ----------
    users : int
        How many clients ask at the same time.
    duration : float
        Seconds of each of the two runs.
    progress : callable
        See `clip_demo.bench.report.Progress`.
    """
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "ViT-B-32.pt"
        torch.save(network().state_dict(), checkpoint)
        before = _seconds_a_picture(users)
        with run_server(["app.py", "--model", str(checkpoint), "--images", "shapes100"]) as (url, process):
            until_answered(url, process)
            with httpx.Client(base_url=url, timeout=180) as client:
                ask(client, index=0)  # waits for the model, and encodes the prompts
            progress("clients", 0, 3)
            warm = _Crowd(url, users)
            warm.ask_for(5)
            held, crowd = memory(process.pid), _Crowd(url, users)
            elapsed = crowd.ask_for(duration)
            progress("clients", 1, 3)
            growth, beside = memory(process.pid) - held, _Crowd(url, users)
            asked = _beside_an_ensemble(url, beside, duration)
            progress("clients", 2, 3)
        alone = (before + _seconds_a_picture(users)) / 2  # before and after: a machine's speed drifts
        progress("clients", 3, 3)
    return [
        *_rows(crowd, elapsed, alone),
        Fact(f"server's memory, growth over {len(crowd.all())} answers", growth, "MB"),
        Fact("beside an ensemble: 95th percentile", float(np.percentile(beside.all(), 95)), "s"),
        Fact("beside an ensemble: slowest answer", max(beside.all()), "s"),
        Fact("beside an ensemble: errors", len(beside.errors), target="0"),
        Fact("beside an ensemble: prompts asked for by it", asked),
    ]


def _rows(crowd: _Crowd, elapsed: float, alone: float) -> list[Comparison | Fact]:
    seconds, users = crowd.all(), len(crowd.seconds)
    encoder = "the encoder alone, in batches"
    return [
        Comparison(
            f"{users} clients: seconds an answer", "s", encoder, (elapsed / len(seconds),), (alone,), "at least 0.9x"
        ),
        Comparison(
            f"{users} clients: 95th percentile", "s", f"{users} pictures of that",
            (float(np.percentile(seconds, 95)),), (users * alone,), "at least 0.77x (1.3 times)",
        ),
        Fact(f"{users} clients: median", float(np.median(seconds)), "s"),
        Fact(f"{users} clients: answers a second", len(seconds) / elapsed),
        Fact(f"{users} clients: errors", len(crowd.errors), target="0"),
        Fact("fewest answers that a client had", min(map(len, crowd.seconds))),
        Fact("most answers that a client had", max(map(len, crowd.seconds))),
    ]  # fmt: skip


def _seconds_a_picture(batch: int, rounds: int = 5) -> float:
    """Return the encoder's own time for a picture in a batch, preprocessed before."""
    encoder = ours()
    pixels = [encoder.preprocess(Image.new("RGB", (32, 32)))] * batch
    encoder.encode_pixels(pixels)
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        encoder.encode_pixels(pixels)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) / batch


def _beside_an_ensemble(url: str, crowd: _Crowd, duration: float) -> int:
    """Let the crowd ask while one more client asks for ensembles of new prompts; return how many prompts those were."""
    over, asked = threading.Event(), 0

    def ensembles() -> None:
        nonlocal asked
        with httpx.Client(base_url=url, timeout=600) as client:
            for n in itertools.count():
                if over.is_set():
                    return
                templates = [f"{n} {template}" for template in CIFAR100_TEMPLATES]
                asked += 100 * len(templates)
                ask(client, index=0, templates=templates)

    thread = threading.Thread(target=ensembles)
    thread.start()
    crowd.ask_for(duration)
    over.set()
    thread.join()
    return asked
