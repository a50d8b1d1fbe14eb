"""A log that no visitor can fill."""

import io
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from clip_demo.benchmark.server import ROOT, wait_until_served
from clip_demo.ui.bounded_log import LINES_PER_SECOND, MAX_CHARACTERS, MAX_LINES, BoundedLog


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def written():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(written, clock):
    return BoundedLog(written, clock)


def test_usual_lines_stay_as_they_are(log, written):
    text = "one\n\ntwo\r\n  three"
    assert log.write(text) == len(text) and log.write(" four\nlast") == 10
    assert written.getvalue() == f"{text} four\nlast"


@pytest.mark.parametrize("size", [1, 7, 499, 500, 501, 5000])
def test_a_long_line_is_cut_in_whatever_pieces_it_comes(log, written, size):
    text = "x" * 2000 + "\n" + "y" * MAX_CHARACTERS + "\n" + "z" * (MAX_CHARACTERS + 1) + "\nend\n"
    for start in range(0, len(text), size):
        log.write(text[start : start + size])
    kept = "x" * MAX_CHARACTERS + " …\n" + "y" * MAX_CHARACTERS + "\n" + "z" * MAX_CHARACTERS + " …\nend\n"
    assert written.getvalue() == kept


def test_lines_beyond_the_limit_are_left_out_and_counted(log, written, clock):
    log.write("a\n" * (MAX_LINES + 2345))
    assert written.getvalue() == "a\n" * MAX_LINES
    clock.now += MAX_LINES / 10 / LINES_PER_SECOND - 1
    log.write("b\n")
    clock.now += 1
    log.write("c\nd\n")
    assert written.getvalue()[2 * MAX_LINES :] == "… 2,346 lines were left out: too many came.\nc\nd\n"


def test_the_page_does_not_repeat_a_wrong_call_in_its_log(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--model", "tiny", "--dataset", "shapes100", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("wb") as file, subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file) as process:
        wait_until_served(f"http://127.0.0.1:{port}", process)
        for data in ("x" * 1_900_000, "\n" * 900_000, "x" * 1_900_000):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/gradio_api/call/predict",
                json.dumps({"data": [data]}).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=60).close()
        process.terminate()
    text = log.read_text()
    assert "Running on local URL" in text
    assert max(map(len, text.splitlines())) <= MAX_CHARACTERS + 2 and len(text) < 20_000
