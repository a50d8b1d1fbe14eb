"""A real server in a process of its own, and what a client says to it."""

from __future__ import annotations

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

__all__ = ["Client", "memory", "run_server", "until_answered"]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180  # seconds
PREDICT = "/gradio_api/call/predict"


@contextmanager
def run_server(arguments: Sequence[str]) -> Iterator[tuple[str, subprocess.Popen]]:
    """Run a Python program that serves on the port that it is given in the environment; stop it at the end.

    Yields
    ------
    url : str
        Its address; nothing may answer there yet.
    process : subprocess.Popen
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


def until_answered(url: str, process: subprocess.Popen) -> None:
    """Wait until a page comes back."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"{' '.join(map(str, process.args))} does not answer on {url}")


class Client:
    """One page or program that asks a server, in one session and over one connection.

    Of the standard library, because clients share the cores with the server that they measure, and this takes an
    eighth of what httpx does.
    """

    def __init__(self, url: str, patience: float = PATIENCE):
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=patience)
        self._session = f"client-{id(self)}"

    def ask(self, *, index: int, templates: Sequence[str] | None = None) -> dict:
        """Have a test image of Shapes-100 predicted: one call to ask, one to listen."""
        data = [None, index, SHAPES100, None, templates, False, 5, None]
        event = json.loads(self._fetch("POST", PREDICT, {"data": data, "session_hash": self._session}))["event_id"]
        answer = self._fetch("GET", f"{PREDICT}/{event}")
        _, complete, data = answer.partition("event: complete\ndata: ")  # heartbeats may come before
        if not complete:
            raise RuntimeError(answer)
        return json.loads(data)[0]

    def _fetch(self, method: str, path: str, content: dict | None = None) -> str:
        try:
            self._connection.request(method, path, json.dumps(content), {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            text = response.read().decode()
        except Exception:
            self.close()  # the next question opens it again
            raise
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {text}")
        return text

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def memory(process: int | str, *, peak: bool = False) -> float:
    """Return what a process holds in memory, or held at most, in MB, by its number or ``"self"``. Linux only."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM" if peak else "VmRSS")) / 1e3
