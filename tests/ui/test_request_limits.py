"""What the server answers, and how much of a request it reads."""

import asyncio
import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from conftest import ToyDataset, ToyEncoder
from gradio_client import Client, handle_file
from PIL import Image
from starlette.responses import PlainTextResponse

from clip_demo.backend import Backend
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.request_limits import MAX_BODY_BYTES, MAX_FILES, MAX_UPLOAD_REQUEST_BYTES, RequestLimits
from clip_demo.ui.uploads import NO_UPLOAD

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x-border"}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The page on a free port, once for all tests of this file."""
    stores = Stores.open(tmp_path_factory.mktemp("stores"))
    demo = build_ui(Backend(ModelPool.of(ToyEncoder()), datasets={"toys": ToyDataset()}, stores=stores))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield int(url.rstrip("/").rsplit(":", 1)[1])
    demo.close()


def answer(port, method, path, body=None, headers=None):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()


def form(files):
    part = b'--x-border\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%s\r\n'
    return b"".join(part % data for data in files) + b"--x-border--\r\n"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=http://127.0.0.1:9/a.png",
        "/gradio_api/file=HTTPS://127.0.0.1:9/a.png",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:9/",
        "/gradio_api/dev/reload",
        "/gradio_api/deep_link",
        "/gradio_api/custom_component/a/b/c/d",
        "/gradio_api/stream/a/0/1/playlist.m3u8",
        "/gradio_api/run-history/buckets",
        "/gradio_api/runs",
        "/gradio_api/vibe-code",
        "/monitoring",
        "/openapi.json",
        "/docs",
        "/anything",
    ],
)
def test_routes_that_the_page_does_not_need_do_not_exist(port, path):
    assert answer(port, "GET", path) == (404, b"Not found")


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        ("", "/config", 200),
        ("/gradio", "/gradio_api/info", 200),
        ("/gradio", "/gradio/config", 200),
        ("/gradio", "/config", 200),
        ("/gradio/", "/gradio/config", 200),
        ("/app", "/app", 200),
        ("/app", "/app/", 200),
        ("/app", "/app/docs", 404),
        ("/c", "/config", 200),
    ],
)
def test_a_proxy_may_serve_the_page_under_a_path(root, path, status):
    async def app(scope, receive, send):
        await PlainTextResponse("ok")(scope, receive, send)

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "headers": []}
    with ThreadPoolExecutor(1) as thread:  # in this one, Playwright's event loop may be running
        thread.submit(lambda: asyncio.run(RequestLimits(app)(scope, None, send))).result()
    assert sent[0]["status"] == status


def test_an_address_in_place_of_a_file_is_refused_and_not_fetched(port):
    """Gradio refuses this computer's own addresses, and fetches others, whatever comes."""
    for place in ("http://127.0.0.1:9/a.png", "https://127.0.0.1:9/a.png"):
        body = {"data": [{"meta": {"_type": "gradio.FileData"}, "path": place}, None, "toys", *[None] * 6]}
        _, said = answer(port, "POST", "/gradio_api/call/predict", json.dumps(body), JSON)
        _, said = answer(port, "GET", f"/gradio_api/call/predict/{json.loads(said)['event_id']}")
        assert b"event: error" in said and NO_UPLOAD.encode() in said


@pytest.mark.parametrize("route", ["process_recording", "component_server", "vibe-code", "stream/a", "runs", "file=/a"])
def test_nothing_can_be_sent_to_other_routes(port, route):
    assert answer(port, "POST", f"/gradio_api/{route}", b"{}", JSON) == (404, b"Not found")
    assert answer(port, "PUT", "/gradio_api/queue/join", b"{}", JSON) == (404, b"Not found")


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/theme.css"])
def test_what_the_page_and_programs_need_is_there(port, path):
    assert answer(port, "GET", path)[0] == 200


def test_a_body_may_be_as_large_as_the_limit(port):
    padding = " " * (MAX_BODY_BYTES - 2)
    status, _ = answer(port, "POST", "/gradio_api/call/v2/predict", "{" + padding + "}", JSON)
    assert status == 200
    expected = (413, b"A request to this address may have at most 2 MB.")
    assert answer(port, "POST", "/gradio_api/call/v2/predict", "{ " + padding + "}", JSON) == expected
    assert answer(port, "POST", "/gradio_api/queue/join", "{ " + padding + "}", JSON) == expected


def test_the_length_that_a_request_announces_is_enough_to_refuse_it(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n")
        assert client.recv(200).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_an_announced_length_is_counted_as_it_comes(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        sent = 0
        try:
            while sent < 1000:
                client.sendall(chunk)
                sent += 1
        except OSError:  # the server hung up
            pass
        assert MAX_BODY_BYTES // 0x10000 <= sent < 1000
        client.settimeout(10)
        try:
            assert client.recv(200).startswith(b"HTTP/1.1 413 ")
        except ConnectionError:  # it hung up before the answer was read
            pass


def test_uploads_have_limits_of_their_own(port):
    status, body = answer(port, "POST", "/gradio_api/upload", form([b"x" * 3_000_000]), FORM)
    assert status == 200 and len(json.loads(body)) == 1
    assert answer(port, "POST", "/gradio_api/upload", form([b"x" * 21_000_000]), FORM)[0] == 413  # Gradio's own limit
    status, body = answer(port, "POST", "/gradio_api/upload", form([b"x"] * MAX_FILES), FORM)
    assert status == 200 and len(json.loads(body)) == MAX_FILES
    expected = (413, b"A request to this address may have at most 120 MB and 60 files.")
    assert answer(port, "POST", "/gradio_api/upload", form([b"x"] * (MAX_FILES + 1)), FORM) == expected
    for spelling in (
        "; Boundary=x-border",
        '; boundary="x-border"',
        "; boundary = x-border",
        "; a=b; boundary=x-border",
    ):
        header = {"Content-Type": f"multipart/form-data; {spelling}"}
        assert answer(port, "POST", "/gradio_api/upload", form([b"x"] * (MAX_FILES + 1)), header) == expected
    large = {**FORM, "Content-Length": str(2 * MAX_UPLOAD_REQUEST_BYTES)}
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        lines = "".join(f"{name}: {value}\r\n" for name, value in large.items())
        client.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        assert client.recv(200).startswith(b"HTTP/1.1 413 ")


def test_the_client_for_python_uploads_and_predicts(port, tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    try:
        found = client.predict(image=handle_file(tmp_path / "a.png"), classnames=["red", "blue"], api_name="/predict")
    finally:
        client.close()
    assert found["zero_shot"][0]["label"] in ("red", "blue")
