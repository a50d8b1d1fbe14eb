"""The README's configuration of a proxy, with a real nginx in front of a real page."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager

import httpx
import pytest
from conftest import ToyDataset, ToyEncoder
from gradio_client import Client, handle_file
from helpers import wait_for
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.page import build_ui, launch_options

pytestmark = pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="nginx is not installed")


@pytest.fixture(scope="module")
def port(tmp_path_factory, repository):
    """The port of nginx. Only addresses, certificates and one time differ from the README."""
    folder = tmp_path_factory.mktemp("nginx")
    demo = build_ui(
        Backend(ModelPool.of(ToyEncoder()), datasets={"toys": ToyDataset()}, stores=Stores.open(folder / "stores"))
    )
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, *_ = nginx_blocks(repository)
    changed = {"http://127.0.0.1:7860": url.rstrip("/"), "client_header_timeout 10s": "client_header_timeout 2s"}
    with running_nginx(folder, port, server, changed):
        yield port
    demo.close()


def nginx_blocks(repository):
    return re.findall(r"```nginx\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), re.S)


@contextmanager
def running_nginx(folder, port, text, changed):
    """Run nginx with a configuration of the README, in which some things are changed."""
    for theirs, ours in {"listen 443 ssl;": f"listen 127.0.0.1:{port};", **changed}.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    text = re.sub(r"ssl_certificate.*;", "", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; events {{}}http {{ access_log off; {places}\n{text}\n}}"
    )
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", f"error_log {folder}/log;"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(lambda: process.poll() is not None or is_open(port), 30)
            yield
        finally:
            process.terminate()


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


def test_a_photo_is_uploaded_and_predicted_through_the_proxy(port, tmp_path):
    Image.new("RGB", (600, 600), "red").save(tmp_path / "a.png")
    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    try:
        found = client.predict(image=handle_file(tmp_path / "a.png"), classnames=["red", "blue"], api_name="/predict")
    finally:
        client.close()
    assert found["zero_shot"][0]["label"] == "red"


def test_the_page_has_the_address_of_the_proxy_and_not_one_that_a_visitor_claims(port):
    headers = {"X-Forwarded-Host": "elsewhere.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/config", headers=headers)
        assert json.loads(connection.getresponse().read())["root"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=["silent", "half a head"])
def test_a_connection_that_sends_no_request_is_closed(port, start):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(start)
        assert client.recv(100) == b""


def test_a_head_that_comes_slowly_is_given_up(port):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as client, pytest.raises((OSError, EOFError)):
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        while time.monotonic() - began < 60:
            client.sendall(b"X-A: b\r\n")
            try:
                if client.recv(100) == b"":
                    raise EOFError
            except TimeoutError:
                pass


def test_a_body_that_is_too_large_does_not_reach_the_page(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"Server: nginx" in answer


def test_the_limits_of_the_page_apply_behind_the_proxy(port):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", "/gradio_api/queue/join", b" " * 3_000_000, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (413, b"A request to this address may have at most 2 MB.")


@pytest.fixture
def two_pages(tmp_path, repository):
    """The port of nginx before two pages, which are told apart by the title of their dataset."""
    demos, places = [], []
    for name in ("Page A", "Page B"):
        dataset = ToyDataset()
        dataset.title = name
        stores = Stores.open(tmp_path / name)
        demos.append(build_ui(Backend(ModelPool.of(ToyEncoder()), datasets={"toys": dataset}, stores=stores)))
        _, url, _ = demos[-1].launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
        places.append(url.removeprefix("http://").rstrip("/"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, upstreams, location = nginx_blocks(repository)
    assert "        proxy_pass http://127.0.0.1:7860;\n" in server
    server = server.replace("        proxy_pass http://127.0.0.1:7860;\n", location)
    changed = {"10.0.0.11:7860": places[0], "10.0.0.12:7860": places[1]}
    with running_nginx(tmp_path, port, upstreams + server, changed):
        yield port
    for demo in demos:
        demo.close()


def test_a_visitor_stays_on_one_of_several_pages(two_pages):
    def title(client):
        (found,) = set(re.findall("Page [AB]", client.get("/config").text))
        return found

    seen, cookies = set(), set()
    for _ in range(20):
        with httpx.Client(base_url=f"http://127.0.0.1:{two_pages}") as visitor:
            first = title(visitor)
            assert [title(visitor) for _ in range(5)] == [first] * 5
            (cookie,) = visitor.cookies.items()
            seen.add(first)
            cookies.add(cookie)
            call = "/gradio_api/call/predict"
            data = [None, 0, "toys", ["red", "blue"], None, False, 2, None, False]
            event = visitor.post(call, json={"data": data}).json()["event_id"]
            assert "event: complete" in visitor.get(f"{call}/{event}").text
    assert seen == {"Page A", "Page B"} and cookies == {("page", "page_a"), ("page", "page_b")}
    for forged in ("127.0.0.1:1", "page_c", "", "x" * 4000):
        answer = httpx.get(f"http://127.0.0.1:{two_pages}/config", headers={"Cookie": f"page={forged}"})
        assert re.search("Page [AB]", answer.text) and "page=page_" in answer.headers["Set-Cookie"]
