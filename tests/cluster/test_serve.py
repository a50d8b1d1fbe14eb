"""The encoder on Ray Serve: what it computes, who reaches it, and what happens when parts of it die."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import httpx
import numpy as np
import pytest
from served_encoder import ALONE, ROOT, Process, free_port, kill, psutil, wait_for

from clip_demo.benchmark.stub_encoder import StubEncoder
from clip_demo.cluster.serve import Deployment, deployed
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import ModelError
from clip_demo.models import encoder_protocol as protocol
from clip_demo.models.load import load_model
from clip_demo.models.remote_encoder import RemoteEncoder


@pytest.fixture(scope="module")
def local():
    return load_model("tiny")


@pytest.fixture
def remote(served):
    remote = RemoteEncoder.connect(served.url)
    yield remote
    remote.close()


@pytest.fixture(scope="module")
def images(local):
    return [local.preprocess(each) for each in Shapes100().images(range(70))]


class Load:
    """Threads that let an encoder encode images all the time, and compare each answer with the right one."""

    def __init__(self, remote, images, expected, threads=8):
        self.answers, self.errors, self.slowest = 0, [], 0.0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(remote, images, expected, start)) for start in range(threads)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def _run(self, remote, images, expected, index):
        while not self._stop.is_set():
            index = (index + 7) % len(images)
            start = time.monotonic()
            try:
                np.testing.assert_allclose(remote.encode_images([images[index]])[0], expected[index], atol=1e-4)
            except Exception as error:  # counted by the test
                self.errors.append(error)
                self._stop.wait(0.1)
            with self._lock:
                self.answers += 1
                self.slowest = max(self.slowest, time.monotonic() - start)

    def wait_for_answers(self, n):
        before = self.answers
        wait_for(lambda: self.answers >= before + n)


def test_features_are_those_of_the_model_in_this_process(remote, local, images):
    assert remote.card == protocol.ModelCard.of(local)
    np.testing.assert_allclose(remote.encode_images(images), local.encode_images(images), rtol=1e-5, atol=1e-5)
    prompts = [f"a photo of a {name}" for name in Shapes100.classnames] * 2
    np.testing.assert_allclose(remote.encode_texts(prompts), local.encode_texts(prompts), rtol=1e-5, atol=1e-5)


def test_only_this_machine_reaches_it_and_no_usage_is_reported(served):
    processes = served.tree()
    assert {"ServeReplica", "ProxyActor", "ServeController"} <= {
        each.cmdline()[0].removeprefix("ray::").split(":")[0] for each in processes if "ray::" in each.cmdline()[0]
    }
    listening = [
        place.laddr.ip
        for process in [*processes, psutil.Process(served.process.pid)]
        for place in process.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 8 and set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}
    (head,) = (each for each in processes if each.cmdline()[0].endswith("gcs_server"))
    assert head.environ()["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize(
    "method, path, headers, content, status, said",
    [
        ("GET", "/model", {"If-Match": '"abc"'}, b"", 412, "This is tiny."),
        ("GET", "/model", {"If-Match": "*"}, b"", 200, '"name": "tiny"'),
        ("GET", "/", {}, b"", 422, "got GET /; use one of /model, /images and /texts"),
        ("GET", "/images", {}, b"", 422, "got GET /images"),
        ("POST", "/images", {}, b"", 422, "got 0 bytes; send 1 to 32 images of 27648 bytes each"),
        ("POST", "/images", {}, bytes(27649), 422, "got 27649 bytes"),
        ("POST", "/images", {}, bytes(33 * 27648), 422, "longer than 884736 bytes"),
        ("POST", "/texts", {}, b"{", 422, "send a JSON list of 1 to 128 strings"),
        ("POST", "/texts", {}, json.dumps(["word " * 100]).encode(), 422, "has 102 tokens"),
        ("POST", "/texts", {}, b" " * 4_000_001, 422, "longer than 4000000 bytes"),
    ],
)
def test_what_it_does_not_take_is_said(served, local, method, path, headers, content, status, said):
    answer = httpx.request(method, served.url + path, headers=headers, content=content)
    assert (answer.status_code, answer.headers["ETag"]) == (status, f'"{local.sha256}"')
    assert said in answer.text


def test_a_prompt_that_is_too_long_fails_alone(served):
    def ask(prompt):
        return httpx.post(served.url + "/texts", content=json.dumps([prompt])).status_code

    statuses = {}
    prompts = ["word " * 100 if n % 4 == 0 else f"word {n}" for n in range(16)]
    threads = [threading.Thread(target=lambda p=each: statuses.update({p: ask(p)})) for each in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == {each: 422 if len(each) > 99 else 200 for each in prompts}


def test_a_killed_replica_loses_no_request(served, remote, local, images):
    expected = local.encode_images(images)
    with Load(remote, images, expected) as load:
        load.wait_for_answers(50)
        first = served.tree("ray::ServeReplica")
        assert len(first) == 2
        first[0].kill()
        load.wait_for_answers(50)
        wait_for(lambda: len({each.pid for each in served.tree("ray::ServeReplica")} - {first[0].pid}) == 2)
        load.wait_for_answers(50)
    assert (load.errors, remote.problem) == ([], "")
    assert load.slowest < 10


def test_requests_share_batches_and_images_are_apart_from_prompts():
    port = free_port()
    load = partial(StubEncoder, batch_seconds=0.3, item_seconds=0.0, resolution=8)
    with deployed(Deployment(load, (1, 1), cpus=1, port=port)):
        remote = RemoteEncoder.connect(f"http://127.0.0.1:{port}")
        image, sizes = np.zeros((8, 8, 3), np.uint8), {}

        def ask(n):
            encode, item = (remote.encode_images, image) if n % 2 else (remote.encode_texts, "a")
            sizes[n] = int(encode([item])[0, -1])

        for start in (0, 30):
            threads = [threading.Thread(target=ask, args=(n,)) for n in range(start, start + 30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        remote.close()
    assert len(sizes) == 60 and max(sizes.values()) <= 15  # never both kinds in one batch
    assert sum(1 / sizes[n] for n in range(30, 60)) <= 10  # batches for 30 requests, once it knows that there are many


def test_a_node_that_leaves_costs_no_request_and_a_head_that_dies_is_missed_until_another_answers(
    start_encoder, local, images, request
):
    cluster = Process("tests/cluster/two_nodes.py", **ALONE)
    request.addfinalizer(cluster.kill)
    nodes = json.loads(cluster.line("{"))
    there = {"RAY_ADDRESS": nodes["address"], **ALONE}
    encoder = start_encoder("--model", "tiny", "--replicas", 2, "--cpus-per-replica", 1, **there)
    remote = RemoteEncoder.connect(encoder.url)
    expected = local.encode_images(images)

    replicas = cluster.tree("ray::ServeReplica")
    assert sorted(each.ppid() in nodes["head"] for each in replicas) == [False, True]
    try:
        with Load(remote, images, expected) as load:
            load.wait_for_answers(30)
            node = [psutil.Process(pid) for pid in nodes["node"]]
            kill([*(child for each in node for child in each.children(recursive=True)), *node])
            load.wait_for_answers(100)
        assert (load.errors, remote.problem) == ([], "")
        cluster.kill()
        encoder.kill()
        start = time.monotonic()
        with pytest.raises(ModelError, match="nothing usable answers"):
            remote.encode_images(images[:1])
        assert time.monotonic() - start < 10
        assert "does not answer" in remote.problem
        start_encoder("--model", "tiny", port=encoder.port)
        wait_for(lambda: remote.problem == "")
        np.testing.assert_allclose(remote.encode_images(images[:1]), expected[:1], atol=1e-4)
    finally:
        remote.close()


def run_command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--replicas", "0"], "--replicas: got 0 to 0; use numbers of at least 1"),
        (["--autoscale", "3", "1"], "--autoscale: got 3 to 1; use numbers of at least 1, the smaller one first"),
        (["--gpus-per-replica", "-1"], "--gpus-per-replica: got -1.0; use 0 or more"),
        (["--cpus-per-replica", "0"], "--cpus-per-replica: got 0; use at least 1"),
        (["--port", "99999"], "--host, --port: 127.0.0.1:99999 cannot be used"),
        (["--host", "192.0.2.77"], "--host, --port: 192.0.2.77:8000 cannot be used"),
        (["--heads", "4"], "heads: of 'tiny' they are known"),
    ],
)
def test_options_that_are_not_allowed_are_refused_before_ray_starts(arguments, said):
    done = run_command("-m", "clip_demo", "serve-encoder", "--model", "tiny", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_model_that_no_replica_can_load_is_one_line(tmp_path):
    path = tmp_path / "broken.pt"
    path.write_text("not a model")
    done = run_command("-m", "clip_demo", "serve-encoder", "--model", str(path), "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (2, "")
    assert "encoder: it cannot be deployed. model: " in done.stderr and "is not a CLIP checkpoint" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_ray_the_command_says_what_to_install():
    code = "import sys; sys.modules['ray'] = None; from clip_demo.__main__ import main; sys.exit(main())"
    done = run_command("-c", code, "serve-encoder", "--model", "tiny", "--port", str(free_port()))
    assert done.returncode == 2
    assert "ray: it is not installed" in done.stderr and "pip install -r requirements-ray.txt" in done.stderr


def test_an_address_without_a_cluster_is_said():
    done = run_command(
        "-m", "clip_demo", "serve-encoder", "--model", "tiny", RAY_ADDRESS=f"127.0.0.1:{free_port()}"
    )  # fmt: skip
    assert done.returncode == 2
    assert "RAY_ADDRESS: there is no cluster at '127.0.0.1:" in done.stderr


@pytest.mark.long
def test_ctrl_c_and_a_process_manager_end_it_and_leave_nothing(start_encoder):
    encoder = start_encoder("--model", "tiny")
    below = encoder.tree()
    assert len(below) > 5
    assert encoder.end(signal.SIGTERM) == (0, f"The page with it: python app.py --encoder {encoder.url}\n")
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in below))
