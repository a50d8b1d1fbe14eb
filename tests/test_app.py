"""The web app as started from the command line."""

import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import answer_of_the_started_app, wait_for

import app
from clip_demo.backend import Backend
from clip_demo.benchmark.server import run_server, wait_until_served
from clip_demo.serving.host_rules import HostRules
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.preparation import Preparation
from clip_demo.serving.probe_job import Plan
from clip_demo.switches import is_offline
from clip_demo.ui.address import is_loopback, without_proxy


def test_the_started_app_answers():
    answer = answer_of_the_started_app("--model", "tiny", "--dataset", "shapes100")
    assert answer == Backend.open("tiny", dataset="shapes100").predict(index=12).to_dict()


@pytest.mark.parametrize(
    "proxies",
    [
        {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"},
        {"all_proxy": "socks5://127.0.0.1:9"},
        {"http_proxy": "http://127.0.0.1:9", "no_proxy": "[::1],localhost"},
    ],
    ids=["http", "SOCKS", "no_proxy with a bracket"],
)
def test_a_proxy_does_not_stop_the_start(proxies, monkeypatch):
    for name, value in proxies.items():
        monkeypatch.setenv(name, value)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with run_server(["app.py", "--model", "tiny", "--dataset", "shapes100"]) as (url, process):
        wait_for(lambda: process.poll() is not None or answers(direct, url), 60)
        assert answers(direct, url)


def answers(opener, url):
    try:
        return opener.open(url, timeout=10).status == 200
    except OSError:
        return False


def test_proxies_are_there_again_after_the_start(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with without_proxy():
        assert "https_proxy" not in os.environ
    assert os.environ["https_proxy"] == "http://127.0.0.1:9"


def test_the_page_imports_where_the_working_directory_is_gone(tmp_path):
    code = "import os, sys; os.rmdir(os.getcwd()); import app; print(os.getcwd(), 'gradio' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(app.__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout == "/ True\n", done.stderr


def test_the_page_is_served_with_closed_outputs():
    code = "import runpy, sys; sys.stdout = sys.stderr = None; runpy.run_path('app.py', run_name='__main__')"
    with run_server(["-c", code, "--model", "tiny", "--dataset", "shapes100"]) as server:
        wait_until_served(*server)


@pytest.fixture
def launched(monkeypatch):
    """Start the app without serving; return the backend, whose models are never loaded."""
    for name in ("CLIP_DEMO_OFFLINE", "CLIP_DEMO_NO_BUILD"):
        monkeypatch.setenv(name, "")

    def launch(*arguments):
        opened, backends = app.Backend.open, []
        page = SimpleNamespace(launch=lambda **options: None, is_running=False)

        def keep(*args, **options):
            backends.append(opened(*args, **options))
            return backends[0]

        with monkeypatch.context() as patched:
            patched.setattr(app.Backend, "open", keep)
            patched.setattr(app, "build_ui", lambda backend: page)
            patched.setattr(app, "shut_down", lambda page: None)
            patched.setattr(Preparation, "start", lambda self, plan=None: setattr(self, "given", plan))
            patched.setattr(ModelPool, "get", lambda self, name=None: None)
            assert app.main(arguments) == 0
        return getattr(backends[0].preparation, "given", None), backends[0].preparation

    return launch


AUTOMATIC = Plan(head_only=True, patience=1800)


@pytest.mark.parametrize(
    ("arguments", "variable", "plan"),
    [
        ([], None, AUTOMATIC),
        (["--public"], None, AUTOMATIC),
        (["--host", "0.0.0.0"], None, AUTOMATIC),
        (["--no-build"], None, replace(AUTOMATIC, fit=False)),
        ([], "CLIP_DEMO_NO_BUILD", replace(AUTOMATIC, fit=False)),
        (["--build-head"], None, Plan(head_only=True)),
        (["--model", "RN50", "--build-head"], None, Plan(head_only=True)),
        (["--model", "RN50"], None, None),
        (["--model", "tiny"], None, None),
        (["--offline"], None, None),
        ([], "CLIP_DEMO_OFFLINE", None),
    ],
)
def test_what_is_made_ready_without_a_click(launched, monkeypatch, tmp_path, arguments, variable, plan):
    monkeypatch.setenv("CLIP_DEMO_DATA", str(tmp_path))
    monkeypatch.setenv("CLIP_DEMO_WEIGHTS", str(tmp_path / "weights"))
    if variable:
        monkeypatch.setenv(variable, "1")
    started, preparation = launched(*arguments)
    assert started == plan
    if plan == AUTOMATIC:
        assert preparation.dataset.name == "cifar100"


def test_the_dataset_that_is_asked_for_is_made_ready(launched):
    assert launched("--dataset", "shapes100")[1].dataset.name == "shapes100"


def test_offline_what_is_on_disk_is_used(launched, monkeypatch, tmp_path, cifar100):
    (tmp_path / "ViT-B-32.pt").write_bytes(b"weights")
    monkeypatch.setenv("CLIP_DEMO_WEIGHTS", str(tmp_path))
    started, _ = launched("--offline", "--data-root", str(cifar100.root))
    assert started == AUTOMATIC and is_offline()


def test_a_head_cannot_be_asked_for_and_forbidden(launched, capsys):
    assert app.main(["--build-head", "--no-build"]) == 2
    assert capsys.readouterr().err == (
        "app.py: build-head: got it together with no-build, which forbids it; omit one of them.\n"
    )


def test_the_help_says_what_happens_at_the_start_and_how_to_switch_it_off():
    text = " ".join(app.make_parser().format_help().split())
    for words in ("ViT-B/32 (354 MB) and CIFAR-100 (169 MB) are downloaded", "--offline and --no-build switch it off"):
        assert words in text


def test_an_error_of_the_user_is_one_line_and_exit_status_2(capsys):
    assert app.main(["--dataset", "nope"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("app.py: dataset: 'nope' ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "port: '70000' is not allowed; use a number from 1 to 65535, such as 7860."),
        (["--port", "-1"], "port: '-1' is not allowed; use a number from 1 to 65535, such as 7860."),
        (["--host", "a host"], "host: 'a host' is not an address of this computer; use 127.0.0.1 for this"),
        (["--host", "\udcff"], "host: '\\udcff' is not an address of this computer"),
        (["--host", "::2"], "host: '::2' is not an address of this computer"),
        (["--encoder", "tiny"], "encoder: 'tiny' is not an address; use one such as http://127.0.0.1:8000."),
        (["--encoder", "http://127.0.0.1:9"], "encoder: no encoder answers at http://127.0.0.1:9 ([Errno 111] "),
    ],
)
def test_an_address_that_cannot_be_served_is_one_line_and_exit_status_2(arguments, message, capsys):
    assert app.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"app.py: {message}") and err.count("\n") == 1


def test_a_port_that_is_taken_is_named(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert app.main(["--port", str(port)]) == 2
        monkeypatch.setenv("GRADIO_SERVER_PORT", str(port))
        assert app.main([]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert (
        first
        == f"app.py: port: {port} is taken on 127.0.0.1; stop the program that has it, or choose another with --port."
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of open files")
def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be():
    code = (
        "import resource as r; from clip_demo.open_files import allow_many_connections; "
        "r.setrlimit(r.RLIMIT_NOFILE, (64, 500)); allow_many_connections(); "
        "print(r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(app.__file__).parent)
    assert done.stdout.strip() == "(500, 500)", done.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in (None, "127.0.0.1", "127.5.0.1", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "not a host")),
    ],
)
def test_only_loopback_addresses_are_this_computers_alone(monkeypatch, host, expected):
    assert is_loopback(host) == expected
    if host is not None:
        monkeypatch.setenv("GRADIO_SERVER_NAME", host)
        assert is_loopback(None) == expected


@pytest.mark.parametrize(
    ("arguments", "public", "offered"),
    [
        ([], False, set()),
        (["--host", "0.0.0.0"], True, set()),
        (["--share"], True, set()),
        (["--public", "--offer", "ViT-B/32", "cifar100"], True, {"ViT-B/32", "cifar100"}),
        (["--public", "--offer", "ViT-B/32,cifar100", ", RN50"], True, {"ViT-B/32", "cifar100", "RN50"}),
    ],
)
def test_strangers_are_visitors_from_elsewhere(monkeypatch, capsys, arguments, public, offered):
    given = {}
    backend = SimpleNamespace(preferred_model="tiny", models=("tiny",))
    monkeypatch.setattr(app.Backend, "open", lambda *args, **options: given.update(options) or backend)
    page = SimpleNamespace(launch=lambda **options: None, is_running=False)
    monkeypatch.setattr(app, "build_ui", lambda backend: page)
    monkeypatch.setattr(app, "shut_down", lambda page: None)
    assert app.main(arguments) == 0
    assert given["rules"] == HostRules(public, frozenset(offered))
    may = ", ".join(sorted(offered)) or "nothing"
    assert (f"may download: {may} (--offer)" in capsys.readouterr().out) == public


def test_what_strangers_may_download_can_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("CLIP_DEMO_OFFER", "ViT-B/32  cifar100")
    assert app.make_parser().parse_args([]).offer == ["ViT-B/32", "cifar100"]
    assert app.make_parser().parse_args(["--offer", "RN50"]).offer == ["RN50"]


@pytest.mark.parametrize("arguments", [("--activation", "gelu"), ("--heads", "2", "--model", "ViT-B/32")])
def test_options_of_a_checkpoint_are_refused_for_other_models(arguments, capsys):
    assert app.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"app.py: {arguments[0][2:]}: of ") and len(error.splitlines()) == 1


def test_a_device_that_is_not_here_is_refused_at_the_start(capsys):
    assert app.main(["--device", "abacus"]) == 2
    assert capsys.readouterr().err.startswith("app.py: device: 'abacus' is not available on this machine; use one of ")


def test_a_port_in_the_environment_that_is_no_number_is_one_line():
    command = [sys.executable, "-c", "import clip_demo.ui"]
    environment = os.environ | {"GRADIO_SERVER_PORT": "abc"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(app.__file__).parent, env=environment)
    assert done.returncode == 2 and done.stderr == (
        "GRADIO_SERVER_PORT: 'abc' is not allowed; use a number from 1 to 65535, such as 7860.\n"
    )
