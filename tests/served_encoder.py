"""Real deployments of an encoder with Ray, in processes that tests may kill."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

# See clip_demo/cluster/session.py. Ray reads the second one when it is imported.
ALONE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
os.environ.update(ALONE)
pytest.importorskip("ray", reason="ray is not installed: pip install -r requirements-ray.txt")
import psutil  # noqa: E402  (Ray brings it)

from clip_demo.benchmark.server import free_port  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def wait_for(condition, seconds=40):
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    assert value
    return value


def kill(processes):
    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()


class Process:
    """A Python program with everything that it starts."""

    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)

    def line(self, begins="", seconds=90):
        """Return the next line of the output that begins with a text."""
        while not (line := self._lines.get(timeout=seconds)).startswith(begins):
            pass
        return line

    def rest(self):
        """Wait for the end, and return the rest of the output."""
        self.process.wait(60)
        self._reader.join(10)
        return "".join(self._lines.queue)

    def tree(self, name=""):
        """Return the processes below this one whose command begins with a name."""
        found = []
        for each in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if each.cmdline() and each.cmdline()[0].startswith(name):
                    found.append(each)
        return found

    def kill(self):
        """Kill it with everything below."""
        if self.process.poll() is None:
            below = self.tree()
            self.process.kill()
            kill(below)
            self.process.wait(30)

    def end(self, number=signal.SIGINT):
        """End it by a signal, and return its exit status and the rest of its output."""
        self.process.send_signal(number)
        output = self.rest()
        return self.process.returncode, output


class ServedEncoder(Process):
    """``python -m clip_demo serve-encoder``, which answers."""

    def __init__(self, *arguments, port=None, **environment):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("-m", "clip_demo", "serve-encoder", "--port", self.port, *arguments, **environment)
        line = self.line()
        if "is served at" not in line:
            self.kill()
            raise AssertionError(line + self.rest())
