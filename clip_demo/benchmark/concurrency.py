"""Many clients that ask one server at the same time."""

import itertools
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..datasets.openai_templates import CIFAR100_TEMPLATES
from ..datasets.shapes100 import Shapes100
from ..progress import Progress
from .models import network, ours
from .report import Comparison, Fact, interleaved
from .sections import Settings
from .server import Client, memory, run_server, wait_until_served

LOAD = 0.7  # of the rate that the clients reached, for requests that arrive at random
# An endpoint that does nothing, with as many inputs: what Gradio and the clients themselves need.
_BARE = """
import gradio
nothing = gradio.Interface(lambda *_: {}, [gradio.JSON() for _ in range(9)], gradio.JSON(), api_name="predict")
nothing.queue(default_concurrency_limit=None).launch(quiet=True)
"""
WARM_UP = 5  # seconds, in which the clients open their sessions and the server starts its threads


class ClientGroup:
    """Clients that each ask one question after another, always about an image that is new to the server.

    Attributes
    ----------
    seconds : list of list of float
        Duration of every answer in the last run, for each client.
    errors : list of Exception
        Errors in the last run.
    elapsed : float
        Duration of the last run, in seconds.
    """

    def __init__(self, url: str, users: int):
        self.seconds: list[list[float]] = []
        self.errors: list[Exception] = []
        self.elapsed = 0.0
        self._clients = [Client(url) for _ in range(users)]
        n_images = Shapes100.sizes["test"]
        self._indices = iter(random.Random(0).sample(range(n_images), n_images))

    def run(self, duration: float) -> None:
        """Let all clients ask for `duration` seconds."""
        self.seconds, self.errors, start = [[] for _ in self._clients], [], time.monotonic()
        threads = [
            threading.Thread(target=self._ask, args=(client, seconds, start + duration))
            for client, seconds in zip(self._clients, self.seconds, strict=True)
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
                client.predict(next(self._indices))
                seconds.append(time.monotonic() - start)
            except Exception as error:  # counted
                self.errors.append(error)
                time.sleep(0.1)
        client.close()  # until the next run: a server closes idle connections

    def all_seconds(self) -> list[float]:
        """Return the duration of every answer in the last run."""
        return list(itertools.chain.from_iterable(self.seconds))


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Let clients ask a server with a full-size ViT-B/32, first alone, then while another client asks for ensembles."""
    users, duration = settings.users, settings.seconds
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "ViT-B-32.pt"
        torch.save(network().state_dict(), checkpoint)
        with run_server(["app.py", "--model", str(checkpoint), "--dataset", "shapes100"]) as (url, process):
            wait_until_served(url, process)
            Client(url).predict(0)  # waits for the model and encodes the prompts
            progress("clients", 0, 4)
            group = ClientGroup(url, users)
            group.run(WARM_UP)
            held, before = memory(process.pid), _encoders_alone(users)
            group.run(duration)
            after = _encoders_alone(users)  # The machine's speed drifts: the mean of before and after is compared.
            rows = _rows(group, np.add(before, after) / 2)
            growth = memory(process.pid) - held
            rows.append(Fact(f"server's memory, growth over {len(group.all_seconds())} answers", growth, "MB"))
            progress("clients", 1, 4)
            rate = LOAD * len(group.all_seconds()) / group.elapsed
            rows += _run_at_random(url, rate, duration)
            progress("clients", 2, 4)
            prompts = _run_beside_ensembles(url, group, duration)
            progress("clients", 3, 4)
    bare = _bare_gradio(users)
    progress("clients", 4, 4)
    return [
        *rows,
        Fact(f"{users} clients: answers per second of an endpoint that does nothing", bare),
        Fact("beside an ensemble: 95th percentile", float(np.percentile(group.all_seconds(), 95)), "s"),
        Fact("beside an ensemble: slowest answer", max(group.all_seconds()), "s"),
        Fact("beside an ensemble: errors", len(group.errors), target="0"),
        Fact("beside an ensemble: prompts in its requests", prompts),
    ]


def _rows(group: ClientGroup, alone: np.ndarray) -> list[Comparison | Fact]:
    seconds, users = group.all_seconds(), len(group.seconds)
    answer, late = group.elapsed / len(seconds), float(np.percentile(seconds, 95))
    rows: list[Comparison | Fact] = []
    names = f"the encoder alone, batches of {users}", "openai-clip's encode_image alone"
    for name, each in zip(names, alone, strict=True):
        rows += [
            Comparison(f"{users} clients: seconds per answer", "s", name, (answer,), (each,), "at least 0.9x"),
            Comparison(
                f"{users} clients: 95th percentile", "s", f"{users} times that", (late,), (users * each,),
                "at least 0.77x (1.3 times)",
            ),
        ]  # fmt: skip
    counts = [len(each) for each in group.seconds]
    return [
        *rows,
        Fact(f"{users} clients: median", float(np.median(seconds)), "s"),
        Fact(f"{users} clients: answers per second", 1 / answer),
        Fact(f"{users} clients: errors", len(group.errors), target="0"),
        Fact("fewest answers to one client", min(counts)),
        Fact("most answers to one client", max(counts)),
    ]


def _encoders_alone(batch: int, rounds: int = 5) -> np.ndarray:
    """Return the seconds per preprocessed image in a batch, of our encoder and of openai-clip's."""
    encoder, theirs = ours(), torch.inference_mode()(network().encode_image)
    images, pixels = [encoder.preprocess(Image.new("RGB", (32, 32)))] * batch, torch.zeros(batch, 3, 224, 224)
    functions = (lambda: encoder.encode_images(images), lambda: theirs(pixels))
    interleaved(1, *functions)  # the first call starts the threads
    return np.median(interleaved(rounds, *functions), axis=1) / batch


def _run_at_random(url: str, rate: float, duration: float) -> list[Fact]:
    """Let requests arrive at random, independently of the answers (a Poisson process).

    Parameters
    ----------
    url : str
    rate : float
        Requests per second.
    duration : float
        Seconds in which they arrive.
    """
    n_images = Shapes100.sizes["test"]
    random_gap, images = random.Random(1), iter(random.Random(2).sample(range(n_images), n_images))
    own, seconds, errors = threading.local(), [], []

    def ask(arrival: float) -> None:
        client = own.client = getattr(own, "client", None) or Client(url)
        try:
            client.predict(next(images))
            seconds.append(time.monotonic() - arrival)
            client.close()  # the server closes connections that are idle for some seconds
        except Exception as error:  # counted
            errors.append(error)

    with ThreadPoolExecutor(200) as threads:
        arrival = time.monotonic()
        end = arrival + duration
        while (arrival := arrival + random_gap.expovariate(rate)) < end:
            time.sleep(max(arrival - time.monotonic(), 0))
            threads.submit(ask, arrival)
    what = f"{rate:.1f} requests a second at random ({LOAD:.0%} of that)"
    return [
        Fact(f"{what}: median", float(np.median(seconds)), "s"),
        Fact(f"{what}: 95th percentile", float(np.percentile(seconds, 95)), "s"),
        Fact(f"{what}: errors", len(errors), target="0"),
    ]


def _bare_gradio(users: int, duration: float = 5) -> float:
    """Return the answers per second of `_BARE`."""
    with run_server(["-c", _BARE]) as (url, process):
        wait_until_served(url, process)
        group = ClientGroup(url, users)
        group.run(2)  # opens the sessions
        group.run(duration)
    return len(group.all_seconds()) / group.elapsed


def _run_beside_ensembles(url: str, group: ClientGroup, duration: float) -> int:
    """Run the group while one more client asks for ensembles of new prompts; return the number of those prompts."""
    stop, prompts = threading.Event(), 0

    def ask_for_ensembles() -> None:
        nonlocal prompts
        client = Client(url, timeout=600)
        for n in itertools.count():
            if stop.is_set():
                return
            templates = [f"{n} {template}" for template in CIFAR100_TEMPLATES]
            prompts += len(templates) * len(Shapes100.classnames)
            client.predict(0, templates)

    thread = threading.Thread(target=ask_for_ensembles)
    thread.start()
    group.run(duration)
    stop.set()
    thread.join()
    return prompts
