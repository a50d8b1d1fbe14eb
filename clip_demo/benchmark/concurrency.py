"""Many clients of one server at once."""

from __future__ import annotations

import itertools
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..zero_shot.templates import CIFAR100_TEMPLATES
from .models import network, ours
from .report import Comparison, Fact, Progress, in_turn
from .server import Client, memory, run_server, until_answered

__all__ = ["measure_users"]

WARM_UP = 5  # seconds: the clients open their sessions, the server its threads


class _Crowd:
    """Clients that ask one after another, each for images that nobody asked for before.

    Attributes
    ----------
    seconds : list of list of float
        How long each answer took, for every client, since they were last let ask.
    errors : list of Exception
    elapsed : float
        Seconds from the first question to the last answer.
    """

    def __init__(self, url: str, users: int):
        self.seconds: list[list[float]] = []
        self.errors: list[Exception] = []
        self.elapsed = 0.0
        self._clients = [Client(url) for _ in range(users)]
        order = list(range(10_000))
        random.Random(0).shuffle(order)
        self._indices = iter(order)

    def ask_for(self, duration: float) -> None:
        """Let all clients ask until `duration` seconds are over."""
        self.seconds, self.errors, start = [[] for _ in self._clients], [], time.monotonic()
        threads = [
            threading.Thread(target=self._ask, args=(client, own, start + duration))
            for client, own in zip(self._clients, self.seconds, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.elapsed = time.monotonic() - start

    def _ask(self, client: Client, seconds: list[float], end: float) -> None:
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                client.ask(index=next(self._indices))
                seconds.append(time.monotonic() - start)
            except Exception as error:  # It is counted.
                self.errors.append(error)
                time.sleep(0.1)
        client.close()  # until they ask again: servers hang up on those who are silent for some seconds

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
        with run_server(["app.py", "--model", str(checkpoint), "--dataset", "shapes100"]) as (url, process):
            until_answered(url, process)
            Client(url).ask(index=0)  # waits for the model, and encodes the prompts
            progress("clients", 0, 2)
            crowd = _Crowd(url, users)
            crowd.ask_for(WARM_UP)
            held, before = memory(process.pid), _alone(users)
            crowd.ask_for(duration)
            after = _alone(users)  # a machine's speed drifts
            rows = _rows(crowd, np.add(before, after) / 2)
            rows.append(
                Fact(f"server's memory, growth over {len(crowd.all())} answers", memory(process.pid) - held, "MB")
            )
            progress("clients", 1, 2)
            asked = _beside_an_ensemble(url, crowd, duration)
            progress("clients", 2, 2)
    return [
        *rows,
        Fact("beside an ensemble: 95th percentile", float(np.percentile(crowd.all(), 95)), "s"),
        Fact("beside an ensemble: slowest answer", max(crowd.all()), "s"),
        Fact("beside an ensemble: errors", len(crowd.errors), target="0"),
        Fact("beside an ensemble: prompts asked for by it", asked),
    ]


def _rows(crowd: _Crowd, alone: np.ndarray) -> list[Comparison | Fact]:
    seconds, users = crowd.all(), len(crowd.seconds)
    answer, late = crowd.elapsed / len(seconds), float(np.percentile(seconds, 95))
    rows: list[Comparison | Fact] = []
    names = f"the encoder alone, {users} a batch", "openai-clip's encode_image alone"
    for name, each in zip(names, alone, strict=True):
        rows += [
            Comparison(f"{users} clients: seconds an answer", "s", name, (answer,), (each,), "at least 0.9x"),
            Comparison(
                f"{users} clients: 95th percentile", "s", f"{users} times that", (late,), (users * each,),
                "at least 0.77x (1.3 times)",
            ),
        ]  # fmt: skip
    return [
        *rows,
        Fact(f"{users} clients: median", float(np.median(seconds)), "s"),
        Fact(f"{users} clients: answers a second", 1 / answer),
        Fact(f"{users} clients: errors", len(crowd.errors), target="0"),
        Fact("fewest answers that a client had", min(map(len, crowd.seconds))),
        Fact("most answers that a client had", max(map(len, crowd.seconds))),
    ]


def _alone(batch: int, rounds: int = 5) -> np.ndarray:
    """Return the seconds an image in a batch, preprocessed before, of our encoder and of openai-clip's."""
    encoder, theirs = ours(), torch.inference_mode()(network().encode_image)
    ready, pixels = [encoder.preprocess(Image.new("RGB", (32, 32)))] * batch, torch.zeros(batch, 3, 224, 224)
    ways = (lambda: encoder.encode_pixels(ready), lambda: theirs(pixels))
    in_turn(1, *ways)
    return np.median(in_turn(rounds, *ways), axis=1) / batch


def _beside_an_ensemble(url: str, crowd: _Crowd, duration: float) -> int:
    """Let the crowd ask while one more client asks for ensembles of new prompts; return how many prompts those were."""
    over, asked = threading.Event(), 0

    def ensembles() -> None:
        nonlocal asked
        client = Client(url, patience=600)
        for n in itertools.count():
            if over.is_set():
                return
            templates = [f"{n} {template}" for template in CIFAR100_TEMPLATES]
            asked += 100 * len(templates)
            client.ask(index=0, templates=templates)

    thread = threading.Thread(target=ensembles)
    thread.start()
    crowd.ask_for(duration)
    over.set()
    thread.join()
    return asked
