"""Work for visitors who left is given up, and one address cannot fill the queues."""

import http.client
import json
import threading
import time
from contextlib import closing

import pytest
from conftest import ToyDataset, ToyEncoder
from helpers import wait_for

from clip_demo.backend import Backend
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui import presence
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.presence import Presence, stream
from clip_demo.ui.request_limits import MAX_WAITING_OF_ADDRESS

JSON = {"Content-Type": "application/json"}
HEAVY = [f"word {n}" for n in range(1000)], [f"{n} {{}}" for n in range(20)]


class GatedEncoder(ToyEncoder):
    """Waits for a gate before each batch of prompts, or a moment if it is open."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def encode_texts(self, prompts):
        time.sleep(0.01)
        assert self.gate.wait(60)
        return super().encode_texts(prompts)


@pytest.fixture
def encoder():
    return GatedEncoder()


@pytest.fixture
def backend(encoder, tmp_path):
    return Backend(ModelPool.of(encoder), datasets={"toys": ToyDataset()}, stores=Stores.open(tmp_path))


@pytest.fixture
def ask(backend):
    """Return a function that sends a request and returns status, headers and body."""
    demo = build_ui(backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    port = int(url.rstrip("/").rsplit(":", 1)[1])

    def send(method, path, body=None, address="127.0.0.1"):
        with closing(http.client.HTTPConnection("127.0.0.1", port, 60, source_address=(address, 0))) as connection:
            connection.request(method, f"/gradio_api/{path}", json.dumps(body) if body else None, JSON)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()

    yield send
    demo.close()


def predict(classes, templates):
    return {"data": [None, 0, "toys", classes, templates, False, 1, None, False]}


def test_a_visitor_has_left_after_some_time_without_a_stream(monkeypatch):
    monkeypatch.setattr(presence, "GRACE", 0.05)
    assert not Presence().has_left()
    visitor = Presence("session", "event")
    with stream("other"):
        wait_for(visitor.has_left)
    for key in ("session", "event"):
        visitor = Presence("session", "event")
        with stream(key), stream(key):
            time.sleep(0.1)
            assert not visitor.has_left()
        wait_for(visitor.has_left)
    time.sleep(0.1)
    assert not Presence().has_left() and not presence._streams


def test_a_heavy_request_is_given_up_when_nobody_waits_for_it(ask, backend, encoder, monkeypatch):
    monkeypatch.setattr(presence, "GRACE", 0.2)
    status, _, _ = ask("POST", "call/predict", predict(*HEAVY))
    assert status == 200
    wait_for(lambda: backend.heavy_requests._running)
    wait_for(lambda: not backend.heavy_requests._running)
    assert 0 < len(encoder.encoded_prompts) < 20_000


def test_a_heavy_request_is_answered_where_somebody_waits(ask, encoder, monkeypatch):
    monkeypatch.setattr(presence, "GRACE", 0.2)
    event = json.loads(ask("POST", "call/predict", predict(*HEAVY))[2])["event_id"]
    assert "event: complete" in ask("GET", f"call/predict/{event}")[2]
    assert len(encoder.encoded_prompts) == 20_000


def test_one_address_does_not_fill_the_queues(ask, encoder):
    encoder.gate.clear()
    try:
        for n in range(MAX_WAITING_OF_ADDRESS + 40):  # 32 of them are answered at a time
            status, headers, body = ask("POST", "call/predict", predict(f"a {n}, b {n}", None))
            if status != 200:
                break
        assert (status, headers["Retry-After"]) == (503, "5") and n > MAX_WAITING_OF_ADDRESS
        assert json.loads(body)["detail"] == "Too many requests of your address wait already; try again in 5 s."
        event = json.loads(ask("POST", "call/predict", predict("red, blue", None), "127.0.0.2")[2])["event_id"]
    finally:
        encoder.gate.set()
    assert "event: complete" in ask("GET", f"call/predict/{event}", address="127.0.0.2")[2]
