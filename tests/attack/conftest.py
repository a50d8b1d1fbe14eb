"""A public server, an honest visitor beside every attack, and a table of what the visitor noticed.

Everything stays on loopback. `CLIP_DEMO_LONG_ATTACKS=1` makes every attack five times as long and prints the table.
"""

import http.client
import itertools
import json
import os
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import pytest

from clip_demo.benchmark.server import PREDICT, memory, run_server, wait_until_served
from clip_demo.paths import BUILT_IN_CHECKPOINT

LONG = bool(os.environ.get("CLIP_DEMO_LONG_ATTACKS"))
TIMES = 5 if LONG else 1
JSON = {"Content-Type": "application/json"}
VISITOR = "127.0.0.2"  # an address of its own: one address may not fill the queues
_rows = []


def request(url, method, path, body=None, headers=JSON, address="127.0.0.1", timeout=60):
    """Return the status and the body of an answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout, source_address=(address, 0))
    with closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()


class Server:
    """A running server.

    Attributes
    ----------
    url : str
    events : dict of str to dict
        Gradio's events by name, the private ones too.
    """

    def __init__(self, url, process):
        self.url, self._process = url, process
        config = json.loads(request(url, "GET", "/config")[1])
        self.events = {each["api_name"]: each for each in config["dependencies"]}

    def memory(self):
        """Return the resident memory in MB."""
        return memory(self._process.pid)

    def answers(self):
        return self._process.poll() is None

    def join(self, event, data, session, address="127.0.0.1"):
        """Ask for an event without ever reading the answer; return the status."""
        event = self.events[event]
        assert len(data) == len(event["inputs"])
        body = {"data": data, "fn_index": event["id"], "session_hash": session, "trigger_id": None, "event_data": None}
        return request(self.url, "POST", "/gradio_api/queue/join", json.dumps(body), address=address)[0]

    def draw(self, session, *, classes="red, green", templates="{}", source="set", photo=None, address="127.0.0.1"):
        """Ask for the event that draws the Explore tab, without ever reading the answer."""
        view = [source, "cat", "shapes100", 0, photo, templates, classes, False, 0, False, "tiny"]
        return self.join("show_restored", ["1", *view, None, "", "", "", None], session, address)

    def wait_until_quiet(self):
        """Wait for the answer to one more event of the page, which is the last of its queue."""
        assert self.draw("last", address=VISITOR) == 200
        path = "/gradio_api/queue/data?session_hash=last"
        assert b"process_completed" in request(self.url, "GET", path, timeout=120)[1]

    def predict(self, data, address="127.0.0.1"):
        """Return the answer of the endpoint."""
        _, said = request(self.url, "POST", PREDICT, json.dumps({"data": data}), address=address)
        event = json.loads(said)["event_id"]
        return request(self.url, "GET", f"{PREDICT}/{event}", address=address)[1].decode()


class Visitor(threading.Thread):
    """Asks for another image every 0.25 s."""

    numbers = itertools.count()

    def __init__(self, server):
        super().__init__(daemon=True)
        self._server, self._end = server, threading.Event()
        self.seconds, self.errors = [], []

    def run(self):
        while not self._end.wait(0.25):
            start = time.monotonic()
            try:
                data = [None, next(self.numbers) % 10_000, "shapes100", None, None, False, 5, None, False]
                said = self._server.predict(data, VISITOR)
                assert "event: complete" in said, said
            except Exception as error:
                self.errors.append(error)
            self.seconds.append(time.monotonic() - start)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self._end.set()
        self.join(120)


@dataclass(frozen=True)
class Outcome:
    """What an honest visitor noticed of an attack; seconds, and MB before, at most and after."""

    attack: str
    median: float
    p95: float
    slowest: float
    errors: int
    before: float
    peak: float
    after: float


@pytest.fixture(scope="module")
def server():
    if not BUILT_IN_CHECKPOINT.exists():
        pytest.skip(f"{BUILT_IN_CHECKPOINT} is missing")
    with run_server(["app.py", "--model", "tiny", "--dataset", "shapes100", "--public"]) as (url, process):
        wait_until_served(url, process)
        started = Server(url, process)
        started.predict([None, 0, "shapes100", None, None, False, 1, None, False])  # waits for the model
        yield started


@pytest.fixture
def beside(server, request):
    """Run an attack beside an honest visitor, until the server has worked it off, and return the outcome."""

    def run(attack, median=1):
        before, peak, end = server.memory(), [0.0], threading.Event()

        def watch():
            while not end.wait(0.1):
                peak[0] = max(peak[0], server.memory())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            with Visitor(server) as visitor:
                attack()
                server.wait_until_quiet()
                n = len(visitor.seconds)
                time.sleep(1.5)
        finally:
            end.set()
            watcher.join()
        during, after = visitor.seconds[: n + 1], visitor.seconds[n + 1 :]
        # A slow or busy machine makes everybody wait: 0.05 s is a quiet one with two cores.
        slowness = max(1, float(np.median(after or [1])) / 0.05)
        outcome = Outcome(
            request.node.name, *np.percentile(during, [50, 95, 100]), len(visitor.errors), before,
            max(peak[0], before), server.memory(),
        )  # fmt: skip
        _rows.append(outcome)
        assert server.answers() and visitor.errors == []
        assert outcome.median < median * slowness and outcome.slowest < 10 * slowness, (outcome, slowness)
        return outcome

    return run


def pytest_terminal_summary(terminalreporter):
    """Print the table."""
    if LONG and _rows:
        terminalreporter.write_line("attack: median, p95 and slowest answer in s, errors, MB before, at most, after")
        for row in _rows:
            terminalreporter.write_line(
                f"{row.attack}: {row.median:.3f} {row.p95:.3f} {row.slowest:.3f} {row.errors} "
                f"{row.before:.0f} {row.peak:.0f} {row.after:.0f}"
            )
