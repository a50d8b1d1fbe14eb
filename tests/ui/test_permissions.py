"""Strangers start no download and no job, unless the host offers it; who sits at the host's computer starts all."""

import http.client
import json
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
from conftest import ToyDataset
from gradio.context import LocalContext

from clip_demo.backend import Backend
from clip_demo.errors import ModelError, OptionError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.host_rules import HostRules
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.preparation import Preparation
from clip_demo.serving.probe_job import ProbeJobStatus
from clip_demo.ui.explore.view import missing_model
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.permissions import check_model, may_download, may_start, models_to_choose
from clip_demo.ui.probe_job_panel import offer

MODELS = ("tiny", "RN50", "RN50x64", "ViT-L/14")  # the first two are on disk


class AbsentDataset(ToyDataset):
    """Toys-5 before it is downloaded."""

    name, title = "absent", "Absent-5"

    def available(self):
        return False

    def download(self, progress=None):
        pytest.fail("a download was started")


@pytest.fixture
def backend_with(toy_encoder, tmp_path):
    """Make a backend by the arguments of its rules."""

    def make(*rules):
        pool = ModelPool(lambda name, progress: toy_encoder, MODELS, is_downloaded=lambda name: name in MODELS[:2])
        datasets = {"toys": ToyDataset(), "absent": AbsentDataset()}
        made = Backend(pool, datasets=datasets, stores=Stores.open(tmp_path), rules=HostRules(*rules))
        assert made.encoder().name == "toy"
        return made

    return make


@contextmanager
def request_with(**headers):
    """Answer a request with some headers."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    token = LocalContext.request.set(SimpleNamespace(headers=headers))
    try:
        yield
    finally:
        LocalContext.request.reset(token)


def handler(demo, name):
    return next(each.fn for each in demo.fns.values() if each.name == name)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),
        ({"User_Agent": "a", "Accept": "a"}, True),
        *(({name: "a"}, False) for name in ("X_Forwarded_For", "x_forwarded_host", "Forwarded", "X_Real_IP", "Via")),
        *(({"Host": name}, True) for name in ("localhost", "LocalHost:7860", "127.0.0.1:7860", "[::1]:80")),
        *(({"Host": name}, False) for name in ("evil.example:7860", "127.0.0.1.evil.example", "localhost.evil", "")),
    ],
)
def test_a_visitor_behind_a_proxy_or_from_a_foreign_page_is_a_stranger(backend_with, headers, expected):
    backend = backend_with()
    with request_with(**headers):
        assert may_start(backend) == may_download(backend, "RN50x64") == expected
        assert not may_start(backend_with(True))


def test_strangers_choose_among_what_is_there_and_what_is_offered(backend_with):
    public = backend_with(True, frozenset({"RN50x64", "absent"}))
    assert models_to_choose(public) == ["tiny", "RN50", "RN50x64"]
    assert models_to_choose(backend_with()) == list(MODELS)
    check_model(public, "RN50x64")
    check_model(public, None)
    with pytest.raises(ModelError, match="'ViT-L/14' is not on this server; use one of 'tiny', 'RN50'. The host"):
        check_model(public, "ViT-L/14")
    assert public.model_status("ViT-L/14").state == "absent"


def test_an_offer_of_nothing_known_is_refused(backend_with):
    with pytest.raises(OptionError, match="offer: 'RN5' is neither a model nor a dataset; use some of tiny, RN50"):
        backend_with(True, frozenset({"RN5"}))


def test_no_event_of_a_stranger_starts_a_download_or_a_job(backend_with):
    backend = backend_with(True)
    demo, drawn = build_ui(backend), ()
    for action in ("load", "start", "stop", "prepare", "finish"):
        handler(demo, "press_button")(SimpleNamespace(job=action), "toys", "ViT-L/14", drawn)
    handler(demo, "choose_model")("toys", "ViT-L/14")
    notice, *_ = handler(demo, "restore")("?model=ViT-L/14&dataset=absent")
    assert notice == "The link names a model that is not here: ViT-L/14."
    _, _, _, button, *_ = handler(demo, "download")("toys", "tiny", drawn)
    assert backend.model_status("ViT-L/14").state == "absent"
    assert backend.status().dataset.state == "ready" and backend.status(None, "absent").dataset.state == "absent"
    assert backend.status().job is backend.status().preparation is None and not backend.status().running_job
    assert not button.visible


def test_a_stranger_does_not_stop_a_job_and_gets_no_button_for_it(backend_with, monkeypatch):
    backend, stopped = backend_with(True), []
    monkeypatch.setattr(backend, "stop_probe_job", lambda: stopped.append(1))
    demo = build_ui(backend)
    handler(demo, "press_button")(SimpleNamespace(job="stop"), "toys", "tiny", ())
    assert stopped == []
    backend.start_probe_job("toys", "tiny")
    panel = handler(demo, "refresh")("toys", "tiny", ())[5]
    assert "data-job" not in panel


def test_a_stranger_sees_what_is_made_ready_and_cannot_stop_it(backend_with, monkeypatch):
    backend = backend_with(True)
    job = ProbeJobStatus("encoding", "Encoding", 1, 2, None, 60.0, "toy on Toys-5", 2, share=0.5)
    monkeypatch.setattr(Preparation, "status", job)
    line = handler(build_ui(backend), "refresh")("toys", "tiny", ())[6]
    assert "Getting ready for toy on Toys-5: step 2 of 4, a first linear probe (encoding images, 50" in line
    assert "data-job" not in line


def test_offline_nobody_may_download_and_the_page_says_why(backend_with, monkeypatch):
    monkeypatch.setenv("CLIP_DEMO_OFFLINE", "1")
    backend = backend_with(False, frozenset({"ViT-L/14"}))
    assert may_start(backend) and not may_download(backend, "ViT-L/14")
    assert models_to_choose(backend) == ["tiny", "RN50"]
    demo = build_ui(backend)
    handler(demo, "press_button")(SimpleNamespace(job="load"), "toys", "ViT-L/14", ())
    *_, button, panel = handler(demo, "download")("toys", "tiny", ())[:5]
    assert backend.model_status("ViT-L/14").state == "absent" and not button.visible
    assert "Absent-5 is not on this machine, and downloads are switched off." in panel
    assert "ViT-L/14 is not on this server, and downloads are switched off." in missing_model(
        backend.model_status("ViT-L/14"), may_download=may_download(backend, "ViT-L/14")
    )
    assert "downloads are switched off" in offer(backend.datasets["absent"])


@pytest.mark.parametrize("forwarded", [False, True])
def test_an_endpoint_loads_a_missing_model_only_for_the_host(backend_with, forwarded):
    backend = backend_with()
    demo = build_ui(backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    headers = {"Content-Type": "application/json", **({"X-Forwarded-For": "a"} if forwarded else {})}

    def ask(method, path, body=None):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request(method, f"/gradio_api/call/predict{path}", body, headers)
            return connection.getresponse().read()

    try:
        body = json.dumps({"data": [None, 0, "toys", "red, green", None, False, 1, "ViT-L/14", False]})
        said = ask("GET", "/" + json.loads(ask("POST", "", body))["event_id"]).decode()
    finally:
        demo.close()
    assert (backend.model_status("ViT-L/14").state == "absent") == forwarded
    assert ("'ViT-L/14' is not on this server" in said) == forwarded
