"""An encoder on Ray Serve: its overhead, its throughput, a model of its growth, and how many visitors pages bear."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..cluster.loading import loader
from ..cluster.serve import Deployment, deployed
from ..cluster.session import address
from ..errors import OptionError
from ..models.remote_encoder import RemoteEncoder
from ..progress import Progress
from .cpu_clock import CpuClock, processes_by_title
from .growth import Growth, fit_service_time
from .models import network, ours
from .report import PAUSE, Comparison, Fact, interleaved
from .sections import Settings
from .server import free_port, memory, run_server, wait_until_served
from .stub_encoder import StubEncoder
from .visitors import Answers, Crowd

# Assumed times of a GPU that is not here, in seconds: of a batch, and of each image. ViT-B/32 was measured with 1,400
# images and captions a second in batches of 256 on an RTX 3080 (README.md of https://github.com/rom1504/clip-retrieval),
# and with 170 images a second one by one on an RTX 3090
# (https://gist.github.com/TACIXAT/ecd4f636bf6af28cb69d641e29d7b362).
GPU = (0.0052, 0.0007)
MANY = 16  # images of a batch
CLIENTS = 32
VISITORS = (250, 500, 1000, 1500, 2000, 3000)
THINK, LATE = 30.0, 2.0  # seconds between a visitor's questions, and those that an answer may take (95th percentile)
ARRIVALS = 50.0  # visitors a second
WARM_UP = 10.0  # seconds
NETWORK = 125e6  # bytes a second: one gigabit
_PARTS = {"Serve's proxy": "ray::ProxyActor", "replica": "ray::ServeReplica", "Serve's controller": "ray::ServeControl"}


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Deploy a full-size ViT-B/32 on one and two replicas of one core, then a stub behind a page for many visitors."""
    if address():
        raise OptionError("RAY_ADDRESS: this measures Ray on this machine; unset it.")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "ViT-B-32.pt"
        torch.save(network().state_dict(), checkpoint)
        load = loader(str(checkpoint), device="cpu")
        with one_thread():
            progress("steps", 0, 4)
            with running(load, 1) as remote:
                overhead, times = _overhead(remote, settings.rounds)
                one, _ = _throughput(remote, settings.seconds / 2)
            progress("steps", 1, 4)
            alone = _alone(settings.rounds)
        with running(load, 2) as remote:
            two, _ = _throughput(remote, settings.seconds / 2)
    progress("steps", 2, 4)
    rows = [
        *overhead,
        Fact("1 thread in this process, batches of 16: images a second", alone),
        Fact(f"1 replica of 1 core, {CLIENTS} clients: images a second", one),
        Fact(f"2 replicas of 1 core, {CLIENTS} clients: images a second", two),
        Fact("2 replicas / 1 replica (the clients and Serve share the 2 cores)", two / one),
    ]
    with running(partial(StubEncoder, *GPU), 1) as remote:
        router, router_clock = _throughput(remote, settings.seconds / 3)
        full, full_clock = _throughput(remote, settings.seconds / 3, MANY)
        progress("steps", 3, 4)
        visits = asyncio.run(_visits(remote.url, settings.seconds))
    progress("steps", 4, 4)
    proxies = [each["Serve's proxy"] for each in (router_clock, full_clock)]
    growth = Growth(*times, MANY, 1, proxies[0], remote.card.image_bytes, NETWORK)
    gpu = Growth(*GPU, MANY, MANY, proxies[1], remote.card.image_bytes, NETWORK)
    return [
        *rows,
        *(Fact(f"model: 1 core x {n}: images a second, limited by {growth.rate(n)[1]}", growth.rate(n)[0])
          for n in (1, 2, 16)),
        Fact(f"stub with {GPU[0] * 1e3:g} ms + {GPU[1] * 1e3:g} ms an image, no page: requests a second", router),
        *(Fact(f"no page: core ms a request of {name}", 1e3 * value, "ms") for name, value in router_clock.items()),
        Fact(f"the same, {MANY} images a request: images a second", MANY * full),
        *(Fact(f"{MANY} images: core ms a request of {name}", 1e3 * value, "ms") for name, value in full_clock.items()),
        *(Fact(f"model: such a GPU x {n}, {MANY} images a request: images a second, limited by {gpu.rate(n)[1]}",
               gpu.rate(n)[0]) for n in (1, 8)),
        *visits,
    ]  # fmt: skip


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def running(load, replicas: int) -> Iterator[RemoteEncoder]:
    """Deploy an encoder on replicas of one core, and yield its client."""
    with deployed(Deployment(load, (replicas, replicas), cpus=1, port=free_port())) as url:
        remote = RemoteEncoder.connect(url)
        try:
            yield remote
        finally:
            remote.close()


def _overhead(remote: RemoteEncoder, rounds: int) -> tuple[list[Comparison], tuple[float, float]]:
    """Compare requests with calls in this process; also return the service times of a replica."""
    local, image = ours(), remote.preprocess(Image.new("RGB", (300, 200), "red"))
    rows, times = [], {}
    for n in (1, MANY):
        images = [image] * n
        calls = partial(remote.encode_images, images), partial(local.encode_images, images)
        interleaved(1, *calls)
        far, near = interleaved(max(rounds, 3) * (5 if n == 1 else 1), *calls, pause=PAUSE)
        what = f"a request with {n} image{'s' if n > 1 else ''} of ViT-B/32, 1 core"
        rows.append(Comparison(what, "s", "the call in this process, 1 thread", far, near))
        times[n] = float(np.median(near))
    difference = np.abs(remote.encode_images([image]) - local.encode_images([image])).max()
    rows.append(Fact("largest difference of their features", float(difference)))
    return rows, fit_service_time(times[1], times[MANY], MANY)


def _throughput(remote: RemoteEncoder, seconds: float, n: int = 1) -> tuple[float, dict[str, float]]:
    """Return the requests a second of many clients, with n images each, and the core seconds of each part a request."""
    images = [np.zeros((remote.anatomy.resolution, remote.anatomy.resolution, 3), np.uint8)] * n
    remote.encode_images(images)
    clock, start = CpuClock(_parts()), time.monotonic()

    def ask(_: int) -> int:
        count = 0
        while time.monotonic() < start + seconds:
            remote.encode_images(images)
            count += 1
        return count

    with ThreadPoolExecutor(CLIENTS) as threads:
        count = sum(threads.map(ask, range(CLIENTS)))
    elapsed = time.monotonic() - start
    return count / elapsed, {name: each / count for name, each in clock.seconds().items()}


def _alone(rounds: int) -> float:
    encoder = ours()
    images = [encoder.preprocess(Image.new("RGB", (32, 32)))] * MANY
    (seconds,) = interleaved(rounds, partial(encoder.encode_images, images))
    return MANY / float(np.median(seconds))


def _parts(**others: list[int]) -> dict[str, list[int]]:
    return {**processes_by_title(_PARTS), "this process (the clients)": [os.getpid()], **others}


async def _visits(encoder: str, seconds: float) -> list[Fact]:
    """Let more and more visitors come to one page, until answers are late."""
    with run_server(["app.py", "--encoder", encoder, "--dataset", "shapes100"]) as (url, process):
        await asyncio.to_thread(wait_until_served, url, process)
        async with Crowd.open(url, THINK) as crowd:
            rows = [
                Fact("the page itself, as every visitor loads it once: a second", await crowd.load_pages(seconds / 3))
            ]
            await crowd.grow(1, ARRIVALS)
            before = memory(process.pid)
            await crowd.grow(VISITORS[0], ARRIVALS)
            await crowd.watch(WARM_UP)  # the first answers start threads and connections
            for visitors in VISITORS:
                await crowd.grow(visitors, ARRIVALS)
                clock = CpuClock(_parts(**{"front page": [process.pid]}))
                answers = await crowd.watch(seconds)
                rows += _rows(answers, clock.seconds())
                if answers.errors or answers.late > LATE:
                    break
            growth = 1e3 * (memory(process.pid) - before) / visitors
            files = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
    return [
        *rows,
        Fact("memory of the page for a visitor", growth, "kB"),
        Fact("open files and connections of the page at the end", files),
    ]


def _rows(answers: Answers, cores: dict[str, float]) -> list[Fact]:
    what = f"{answers.visitors} visitors, one question in {THINK:.0f} s each"
    n = max(len(answers.seconds), 1)
    return [
        Fact(f"{what}: answers a second", answers.rate),
        Fact(f"{what}: 95th percentile", answers.late, "s"),
        Fact(f"{what}: errors {answers.errors[:1] or ''}".rstrip(), len(answers.errors)),
        *(
            Fact(f"{answers.visitors} visitors: {name}: core ms an answer, of {each / answers.elapsed:.2f} cores",
                 1e3 * each / n, "ms")
            for name, each in cores.items()
        ),
    ]  # fmt: skip
