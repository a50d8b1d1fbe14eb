"""Attacks on a public server, each beside an honest visitor who must hardly notice.

A burst of a few seconds is most of what is measured here, so its median may be longer than that of an hour.
"""

import io
import json
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
from attack.conftest import JSON, LONG, TIMES, request
from PIL import Image

HEAVY = 32 * TIMES
# 1,000 classes and 20 prompts, which no other request has.
CLASSES = ["\n".join(f"word {n} of list {place}" for n in range(1000)) for place in range(HEAVY)]
TEMPLATES = "\n".join(f"{n} {{}}" for n in range(20))


def test_a_quiet_server(beside):
    """Without an attack: what the others are compared with."""
    beside(lambda: time.sleep(2 * TIMES))


def test_heavy_requests_of_visitors_who_leave(server, beside):
    def attack():
        with ThreadPoolExecutor(16) as threads:
            sent = [
                threads.submit(server.draw, f"left-{n}", classes=CLASSES[n], templates=TEMPLATES) for n in range(HEAVY)
            ]
        assert {each.result() for each in sent} <= {200, 503}

    beside(attack, median=5)


@pytest.mark.long
def test_heavy_requests_of_programs_that_read_their_answers(server, beside):
    """Two run at a time; those that wait too long are told to come back."""

    def attack():
        templates = [f"of programs {template}" for template in TEMPLATES.splitlines()[:3]]
        with ThreadPoolExecutor(24) as threads:
            data = [[None, 0, "shapes100", CLASSES[n], templates, False, 1, None, False] for n in range(16 * TIMES)]
            said = list(threads.map(server.predict, data))
        refused = [each for each in said if "event: error" in each]
        assert all("try again" in each or "again to go on" in each for each in refused) and refused

    beside(attack, median=5)


@pytest.mark.long
def test_heavy_requests_around_the_queues(server, beside):
    def attack():
        event = server.events["show_restored"]
        view = ["set", "cat", "shapes100", 0, None, TEMPLATES, CLASSES[0], False, 0, False, "tiny"]
        body = json.dumps({"data": ["1", *view, None, "", "", "", None], "fn_index": event["id"], "session_hash": "a"})
        with ThreadPoolExecutor(16) as threads:
            paths = [f"/gradio_api/{route}/{name}" for route in ("run", "api") for name in ("predict", "show_restored")]
            sent = [threads.submit(request, server.url, "POST", path, body) for path in paths * 22 * TIMES]
        assert {each.result()[0] for each in sent} == {404}

    beside(attack)


@pytest.mark.long
def test_light_requests_of_many_sessions(server, beside):
    """A hundred new prompts each, which are one batch of the encoder: nobody waits long, but everybody waits."""

    def attack():
        with ThreadPoolExecutor(8) as threads:
            lists = [", ".join(f"thing {n} {place}" for n in range(100)) for place in range(50 * TIMES)]
            sent = [threads.submit(server.draw, f"light-{n}", classes=each) for n, each in enumerate(lists)]
        statuses = {each.result() for each in sent}
        assert statuses <= {200, 503}

    beside(attack, median=5)


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_files_of_the_server(server, beside, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "sparse.png", "wb") as file:
        file.truncate(4_000_000_000)
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    paths = [*map(str, sorted(tmp_path.iterdir())), "/dev/zero", "/etc/passwd", "/absent", str(tmp_path)]

    def attack():
        for n, path in enumerate(paths * TIMES):
            for photo in ({"path": path}, {"path": path, "meta": {"_type": "gradio.FileData"}}):
                assert server.draw(f"files-{n}", source="own", photo=photo) == 200
            said = server.predict([{"path": path, "meta": {"_type": "gradio.FileData"}}, None, *[None] * 6])
            assert "event: error" in said and "zero_shot" not in said

    outcome = beside(attack)
    assert outcome.peak < outcome.before + 200


@pytest.mark.long
def test_large_bodies(server, beside):
    def attack():
        for announced in (True, False):
            for _ in range(3 * TIMES):
                with socket.create_connection(urlsplit(server.url)[1].split(":"), timeout=60) as client:
                    head = "POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    length = "Content-Length: 150000000" if announced else "Transfer-Encoding: chunked"
                    client.sendall(f"{head}{length}\r\n\r\n".encode())
                    sent = 0
                    try:
                        while sent < 150_000_000:
                            client.sendall((b"" if announced else b"F4240\r\n") + b" " * 1_000_000 + b"\r\n")
                            sent += 1_000_000
                        assert b" 413 " in client.recv(1000)
                    except (BrokenPipeError, ConnectionResetError):
                        pass
                    assert sent < 30_000_000

    outcome = beside(attack)
    assert outcome.peak < outcome.before + 200


def scans(n):
    """Return a progressive JPEG that repeats its last scan until there are n more."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", progressive=True, quality=10)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * n + b"\xff\xd9"


def bomb(side):
    """Return a small PNG that announces a huge image."""
    buffer = io.BytesIO()
    Image.new("1", (8, 8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = struct.pack(">II", side, side)
    return bytes(data)


@pytest.mark.long
def test_images_that_are_slow_to_decode(server, beside):
    files = {
        "scans.jpg": scans(500),
        "plain.pbm": b"P1\n4000 4000\n" + b"0 " * 8_000_000,
        "bomb.png": bomb(60_000),
        "large.png": bomb(30_000),
    }

    def upload(name, data):
        border = "x-border"
        head = f'--{border}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{border}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
        status, said = request(server.url, "POST", "/gradio_api/upload", body, kind)
        assert status == 200
        return json.loads(said)[0]

    def attack():
        for _ in range(TIMES):
            for name, data in files.items():
                path = upload(name, data)
                meta = {"path": path, "meta": {"_type": "gradio.FileData"}}
                with ThreadPoolExecutor(8) as threads:
                    said = list(threads.map(server.predict, [[meta, None, *[None] * 6]] * 8))
                assert all("event: error" in each for each in said), name

    beside(attack)


@pytest.mark.long
def test_idle_connections(server, beside):
    """More than the usual limit of open files, and requests whose headers never end."""
    host, port = urlsplit(server.url)[1].split(":")

    def attack():
        idle = []
        try:
            for n in range(1200):
                idle.append(socket.create_connection((host, port), timeout=10))
                if n % 3 == 0:
                    idle[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            time.sleep(2 * TIMES)
        finally:
            for each in idle:
                each.close()

    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4000) if hard > 0 else 4000, hard))
    try:
        beside(attack)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.long
def test_wrong_calls(server, beside):
    """Large and senseless values for every endpoint and every private event."""
    large = "x" * 1_900_000

    def attack():
        for _ in range(TIMES):
            for name, event in server.events.items():
                for value in (None, "x", -1, [[]], {"path": "a"}, large):
                    values = [value if value is not large or n == 1 else None for n in range(len(event["inputs"]))]
                    body = {"data": values, "fn_index": event["id"], "session_hash": "wrong"}
                    status, _ = request(server.url, "POST", "/gradio_api/queue/join", json.dumps(body))
                    assert status in (200, 400, 413, 422, 500, 503), (name, status)

    outcome = beside(attack)
    assert outcome.after < outcome.before + 200


@pytest.mark.long
def test_many_sessions(server, beside):
    """Each call without a session makes one."""

    def attack():
        body = json.dumps({"data": [None, 0, "shapes100", "a, b", None, False, 1, None, False]})
        for _ in range(100 * TIMES):
            assert request(server.url, "POST", "/gradio_api/call/predict", body, JSON)[0] in (200, 503)

    outcome = beside(attack, median=5)
    assert outcome.after < outcome.before + (400 if LONG else 250)
