"""Download of OpenAI's weights, from a server on loopback that can be made to fail."""

import multiprocessing
import os
import signal
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import Server, publish

from clip_demo.errors import Cancelled, ModelError
from clip_demo.models import download
from clip_demo.models.download import fetch_weights
from clip_demo.models.openai_clip import import_clip

clip = import_clip()
DATA = np.random.default_rng(0).bytes(3_000_000)


@pytest.fixture
def server(monkeypatch):
    with Server(DATA) as server:
        publish(server, monkeypatch)
        monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
        yield server


def test_the_first_call_downloads_and_later_calls_do_not(server, tmp_path):
    calls = []
    path = fetch_weights("ViT-B/32", tmp_path, lambda *call: calls.append(call))
    assert path == tmp_path / "ViT-B-32.pt" and path.read_bytes() == DATA
    assert calls[-1] == ("ViT-B/32", len(DATA), len(DATA)) and calls == sorted(calls)
    assert fetch_weights("ViT-B/32", tmp_path) == path and len(server.requests) == 1
    assert [each.name for each in tmp_path.iterdir() if each.suffix != ".lock"] == ["ViT-B-32.pt"]


def test_openai_clip_finds_the_downloaded_file(server, tmp_path):
    path = fetch_weights("ViT-B/32", tmp_path)
    assert clip.clip._download(clip.clip._MODELS["ViT-B/32"], str(tmp_path)) == str(path)
    assert len(server.requests) == 1


def test_a_lost_connection_is_resumed_within_the_call(server, tmp_path):
    server.cut_after = 1_000_000
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests[0] is None and server.requests[1].startswith("bytes=")


def test_the_next_call_resumes_an_interrupted_download(server, tmp_path):
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(DATA[:2_000_000])
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests == ["bytes=2000000-"]


def test_a_cancelled_download_is_resumed(server, tmp_path):
    def cancel(name, done, total):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        fetch_weights("ViT-B/32", tmp_path, cancel)
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests[1].startswith("bytes=")


def test_a_complete_partial_file_is_only_verified(server, tmp_path):
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(DATA)
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_server_without_range_support_sends_the_file_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(b"x" * 1000)
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_file_with_a_wrong_checksum_is_deleted(server, tmp_path):
    server.data = DATA[:-1] + b"!"
    with pytest.raises(ModelError, match=r"'ViT-B/32' cannot be downloaded \(its SHA-256 is .* the file was deleted"):
        fetch_weights("ViT-B/32", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["ViT-B-32.pt.lock"]
    server.data = DATA
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_truncated_file_on_disk_is_downloaded_again(server, tmp_path):
    (tmp_path / "ViT-B-32.pt").write_bytes(DATA[:1000])
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_the_message_without_network_says_where_to_put_the_file(server, tmp_path):
    server.server_close()
    with pytest.raises(ModelError) as caught:
        fetch_weights("ViT-B/32", tmp_path)
    for part in ("cannot be downloaded", str(tmp_path / "ViT-B-32.pt"), "http://127.0.0.1", "'tiny'"):
        assert part in str(caught.value)


def test_the_message_contains_the_http_status(server, tmp_path):
    server.error = 404
    with pytest.raises(ModelError, match="404"):
        fetch_weights("ViT-B/32", tmp_path)


def test_free_space_is_checked_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(ModelError, match=r"3 MB are needed in .* and 1 MB are free"):
        fetch_weights("ViT-B/32", tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a real disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported(server, small_disk, monkeypatch):
    with pytest.raises(ModelError, match="3 MB are needed in .* and 2 MB are free"):
        fetch_weights("ViT-B/32", small_disk)
    # Another program fills the disk after the check.
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000_000))
    with pytest.raises(ModelError, match="no space left on the disk"):
        fetch_weights("ViT-B/32", small_disk)
    assert not (small_disk / "ViT-B-32.pt").exists()


fork = multiprocessing.get_context("fork")  # the child process inherits the patched URL


def start_process(folder):
    """Fetch the weights in another process; `waiting` is set when it has received the part before the server's gate."""
    started, waiting = fork.Event(), fork.Event()

    def work():
        started.set()
        fetch_weights("ViT-B/32", folder, lambda name, done, total: done >= 1 << 16 and waiting.set())

    process = fork.Process(target=work)
    process.start()
    assert started.wait(30)
    return process, waiting


def test_two_processes_download_a_file_once(server, tmp_path):
    server.gate.clear()
    first, waiting = start_process(tmp_path)
    assert waiting.wait(30)
    second, _ = start_process(tmp_path)
    server.gate.set()
    for process in (first, second):
        process.join(30)
        assert process.exitcode == 0
    assert (tmp_path / "ViT-B-32.pt").read_bytes() == DATA and server.requests == [None]


def test_the_download_of_a_killed_process_is_resumed(server, tmp_path):
    server.gate.clear()
    process, waiting = start_process(tmp_path)
    assert waiting.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    server.gate.set()
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests[1].startswith("bytes=")


def test_a_complete_file_in_a_read_only_folder_is_used(server, tmp_path, monkeypatch):
    path = fetch_weights("ViT-B/32", tmp_path)

    def refuse(*arguments, **options):
        raise PermissionError("read-only")

    monkeypatch.setattr(download, "FileLock", refuse)
    assert fetch_weights("ViT-B/32", tmp_path) == path
