"""A server in a process of its own, and a client of its endpoint ``/predict``."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from ..datasets.catalog import SHAPES100

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 180  # seconds
PREDICT = "/gradio_api/call/predict"


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def question(
    session: str,
    index: int,
    templates: Sequence[str] | None = None,
    classnames: Sequence[str] | None = None,
    top_k: int = 5,
) -> dict:
    """Return the body of a request to `PREDICT` about a test image of Shapes-100."""
    # image, index, dataset, classnames, templates, replace_underscores, top_k, model, none_of_these
    data = [None, index, SHAPES100, classnames, templates, False, top_k, None, False]
    return {"data": data, "session_hash": session}


@contextmanager
def run_server(arguments: Sequence[str]) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run a Gradio program in a process, and stop it at the end.

    Parameters
    ----------
    arguments : sequence of str
        Arguments of Python. The port is given in the environment.

    Yields
    ------
    url : str
        The server's address, which may not answer yet.
    process : subprocess.Popen
    """
    port = free_port()
    environment = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "0"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *arguments], cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log
        )
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()
            process.wait(30)


def wait_until_served(url: str, process: subprocess.Popen) -> None:
    """Wait until the server returns its page."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"{' '.join(map(str, process.args))} does not answer on {url}")


class Client:
    """A client with one session and one connection.

    It uses the standard library: clients share the cores with the server that they measure, and httpx needs eight
    times as much of them.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT):
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
        self._session = f"client-{id(self)}"

    def predict(self, index: int, templates: Sequence[str] | None = None) -> dict:
        """Return the prediction for a test image of Shapes-100: one request asks, another reads the answer."""
        event = json.loads(self._request("POST", PREDICT, question(self._session, index, templates)))["event_id"]
        answer = self._request("GET", f"{PREDICT}/{event}")
        _, complete, data = answer.partition("event: complete\ndata: ")  # heartbeats may come first
        if not complete:
            raise RuntimeError(answer)
        return json.loads(data)[0]

    def _request(self, method: str, path: str, content: dict | None = None) -> str:
        try:
            self._connection.request(method, path, json.dumps(content), {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            text = response.read().decode()
        except Exception:
            self.close()  # the next request reconnects
            raise
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {text}")
        return text

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def memory(process: int | str, *, peak: bool = False) -> float:
    """Return the resident memory of a process, or its peak, in MB. Linux only.

    Parameters
    ----------
    process : int or str
        Process number, or ``"self"``.
    peak : bool
        Whether to return the peak. Unlike `resource.getrusage`, it does not include the parent process's memory.
    """
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM" if peak else "VmRSS")) / 1e3
