"""Downloads from servers on loopback that can be made to fail, one of them like the Hugging Face Hub."""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from helpers import Server

from clip_demo import download
from clip_demo.download import DownloadError, HubFile, RemoteFile, describe, fetch, find, match
from clip_demo.errors import Cancelled

DATA = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HUB = HubFile("someone/model", "c" * 40, "folder/model.safetensors")


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the Hub, and no waiting between attempts."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    return tmp_path / "hub"


@pytest.fixture
def server():
    with Server(DATA) as server:
        yield server


@pytest.fixture
def second():
    with Server(DATA) as server:
        yield server


@pytest.fixture
def hub(monkeypatch):
    """A server that behaves like the Hub and takes its place."""
    from huggingface_hub import constants

    with Server(DATA) as server:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


def address(server):
    return f"http://127.0.0.1:{server.server_port}/model.pt"


def remote(*sources):
    sources = tuple(each if isinstance(each, HubFile) else address(each) for each in sources)
    return RemoteFile("model.pt", SHA256, len(DATA), sources)


def message_of(files, folder):
    with pytest.raises(DownloadError) as caught:
        fetch(files, folder)
    return str(caught.value)


def left_in(folder):
    return sorted(each.name for each in folder.iterdir() if each.suffix != ".lock" and each.name != "hub")


# --- one address ---------------------------------------------------------------------------------------------------


def test_the_first_call_downloads_and_later_calls_do_not(server, tmp_path):
    calls, file = [], remote(server)
    path, which = fetch([file], tmp_path, lambda *call: calls.append(call))
    assert path == tmp_path / "model.pt" and path.read_bytes() == DATA and which is file
    assert calls[-1] == (len(DATA), len(DATA)) and calls == sorted(calls)
    assert fetch([file], tmp_path) == find([file], tmp_path) == (path, file) and len(server.requests) == 1
    assert left_in(tmp_path) == ["model.pt"]


def test_a_lost_connection_is_resumed_within_the_call(server, tmp_path):
    server.cut_after = 1_000_000
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA
    assert server.requests[0] is None and server.requests[1].startswith("bytes=")


def test_the_next_call_resumes_an_interrupted_download(server, tmp_path):
    (tmp_path / "model.pt.partial").write_bytes(DATA[:2_000_000])
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA
    assert server.requests == ["bytes=2000000-"]


def test_a_cancelled_download_is_resumed(server, tmp_path):
    def cancel(done, total):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        fetch([remote(server)], tmp_path, cancel)
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA
    assert server.requests[1].startswith("bytes=")


def test_a_complete_partial_file_is_only_verified(server, tmp_path):
    (tmp_path / "model.pt.partial").write_bytes(DATA)
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA


def test_a_server_without_range_support_sends_the_file_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "model.pt.partial").write_bytes(b"x" * 1000)
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA


def test_a_file_with_a_wrong_checksum_is_deleted_and_both_sums_are_named(server, tmp_path):
    server.data = DATA[:-1] + b"!"
    found = hashlib.sha256(server.data).hexdigest()
    assert message_of([remote(server)], tmp_path) == f"{address(server)}: its SHA-256 is {found} instead of {SHA256}"
    assert left_in(tmp_path) == []
    server.data = DATA
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA


def test_a_truncated_file_on_disk_is_downloaded_again(server, tmp_path):
    (tmp_path / "model.pt").write_bytes(DATA[:1000])
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA


def test_free_space_is_checked_before_the_download(server, second, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    message = message_of([remote(server, second)], tmp_path)
    assert message == f"3 MB are needed in {tmp_path} and 1 MB are free" and not second.paths


@pytest.fixture
def small_disk(tmp_path):
    """Mount a real disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_and_does_not_keep_half_a_file(server, small_disk, monkeypatch):
    assert "3 MB are needed in" in message_of([remote(server)], small_disk)
    # Another program fills the disk after the check.
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10_000_000))
    assert message_of([remote(server)], small_disk) == "no space left on the disk"
    assert left_in(small_disk) == []


def test_half_a_file_is_removed_if_the_rest_does_not_fit(server, small_disk):
    (small_disk / "model.pt.partial").write_bytes(DATA[:500_000])
    assert "MB are needed in" in message_of([remote(server)], small_disk)
    assert left_in(small_disk) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
def test_what_is_larger_than_a_file_may_be_is_removed(server, tmp_path, repository):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from clip_demo.download import DownloadError, RemoteFile, fetch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try: fetch([RemoteFile('model.pt', '0' * 64, 3_000_000, (sys.argv[1],))], Path(sys.argv[2]))\n"
        "except DownloadError as error: print(error)"
    )
    command = [sys.executable, "-c", code, address(server), str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.stdout == "no space left on the disk\n", done.stderr
    assert left_in(tmp_path) == []


def test_a_complete_file_in_a_read_only_folder_is_used(server, tmp_path, monkeypatch):
    path, _ = fetch([remote(server)], tmp_path)

    def refuse(*arguments, **options):
        raise PermissionError("read-only")

    monkeypatch.setattr(download, "FileLock", refuse)
    assert fetch([remote(server)], tmp_path)[0] == path


# --- several processes ---------------------------------------------------------------------------------------------

fork = multiprocessing.get_context("fork")


def start_process(files, folder):
    """Fetch in another process; `waiting` is set when it has received the part before the server's gate."""
    started, waiting = fork.Event(), fork.Event()

    def work():
        started.set()
        fetch(files, folder, lambda done, total: done >= 1 << 16 and waiting.set())

    process = fork.Process(target=work)
    process.start()
    assert started.wait(30)
    return process, waiting


def test_two_processes_download_a_file_once(server, tmp_path):
    server.gate.clear()
    first, waiting = start_process([remote(server)], tmp_path)
    assert waiting.wait(30)
    second, _ = start_process([remote(server)], tmp_path)
    server.gate.set()
    for process in (first, second):
        process.join(30)
        assert process.exitcode == 0
    assert (tmp_path / "model.pt").read_bytes() == DATA and server.requests == [None]


def test_the_download_of_a_killed_process_is_resumed(server, tmp_path):
    server.gate.clear()
    process, waiting = start_process([remote(server)], tmp_path)
    assert waiting.wait(30)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    server.gate.set()
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA
    assert server.requests[1].startswith("bytes=")


# --- several sources -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["404", "503", "refused", "hang", "cut", "wrong bytes"])
def test_the_next_source_is_tried(server, second, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(download, "READ_TIMEOUT", 0.3)
    if fault in ("404", "503"):
        server.error = int(fault)
    elif fault == "refused":
        server.server_close()
    elif fault == "hang":
        server.hangs = True
    elif fault == "wrong bytes":
        server.data = b"?" * len(DATA)
    else:
        server.data = DATA[:100]  # fewer bytes than it should be
    path, _ = fetch([remote(server, second)], tmp_path)
    assert path.read_bytes() == DATA and left_in(tmp_path) == ["model.pt"]
    server.gate.set()


def test_wrong_bytes_from_elsewhere_do_not_cost_a_good_source(server, tmp_path):
    (tmp_path / "model.pt.partial").write_bytes(b"x" * 1000)
    assert fetch([remote(server)], tmp_path)[0].read_bytes() == DATA
    assert server.requests == ["bytes=1000-", None]


def test_a_source_that_sends_too_much_is_left_at_once(server, second, tmp_path):
    server.data = DATA + b"?" * 30_000_000
    received = []
    fetch([remote(server, second)], tmp_path, lambda done, total: received.append(done))
    assert max(received) <= len(DATA) and left_in(tmp_path) == ["model.pt"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "foo://127.0.0.1:1", "http://127.0.0.1:port"])
def test_a_proxy_that_cannot_be_used_is_a_reason_and_no_crash(server, tmp_path, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    assert message_of([remote(server)], tmp_path).startswith(f"{address(server)}: ")


def test_a_slow_source_is_left_and_what_came_is_kept(server, second, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SLOW_SECONDS", 0.5)
    server.rate = 50_000
    path, _ = fetch([remote(server, second)], tmp_path)
    assert path.read_bytes() == DATA
    assert second.requests[0].startswith("bytes=") and int(second.requests[0][6:-1]) > 50_000


def test_a_slow_source_is_better_than_none(server, second, tmp_path, monkeypatch):
    slow = iter([True])

    def watch(receive):
        def watched(done, total):
            if next(slow, False):
                raise download._TooSlow("too slow, 50 kB/s")
            receive(done, total)

        return watched

    monkeypatch.setattr(download, "_watch", watch)
    second.error = 404
    assert fetch([remote(server, second)], tmp_path)[0].read_bytes() == DATA
    assert second.paths == ["GET /model.pt"] and server.requests[1].startswith("bytes=")


def test_the_message_has_a_line_for_each_source(server, second, hub, tmp_path, monkeypatch):
    server.error, hub.error = 404, 404
    second.server_close()
    lines = message_of([remote(server, second, HUB)], tmp_path).splitlines()
    assert lines[0] == f"{address(server)}: answered 404 Not Found"
    assert lines[1].startswith(f"{address(second)}: ") and "refused" in lines[1]
    assert lines[2] == "huggingface.co/someone/model/folder/model.safetensors: answered 404"
    assert len(lines) == 3


# --- the Hub -------------------------------------------------------------------------------------------------------


def test_the_hub_gives_the_file_into_its_own_cache(hub, tmp_path, hub_cache):
    calls = []
    path, _ = fetch([remote(HUB)], tmp_path, lambda *call: calls.append(call))
    assert path.is_relative_to(hub_cache) and path.read_bytes() == DATA
    assert calls[-1] == (len(DATA), len(DATA))
    requests = len(hub.paths)
    assert fetch([remote(HUB)], tmp_path)[0] == path and len(hub.paths) == requests


def test_a_wrong_file_of_the_hub_is_refused(hub, server, tmp_path):
    hub.data = DATA[:-1] + b"!"
    path, _ = fetch([remote(HUB, server)], tmp_path)
    assert path == tmp_path / "model.pt" and path.read_bytes() == DATA


def test_a_damaged_file_in_the_cache_of_the_hub_is_downloaded_again(hub, tmp_path):
    path, _ = fetch([remote(HUB)], tmp_path)
    path.write_bytes(DATA[:-1] + b"!")
    assert fetch([remote(HUB)], tmp_path)[0].read_bytes() == DATA


def test_progress_can_stop_a_download_of_the_hub(hub, tmp_path):
    def cancel(done, total):
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        fetch([remote(HUB)], tmp_path, cancel)
    assert fetch([remote(HUB)], tmp_path)[0].read_bytes() == DATA


def test_what_a_killed_process_left_in_the_hubs_cache_goes_and_what_another_one_receives_stays(
    hub, tmp_path, hub_cache
):
    folder = hub_cache / "models--someone--model"
    left, others = folder / "blobs" / f"{SHA256}.1a2b3c4d.incomplete", folder / "blobs" / f"{'0' * 64}.1a.incomplete"
    left.parent.mkdir(parents=True)
    left.touch()
    others.touch()
    with FileLock(hub_cache / ".locks" / folder.name / f"{SHA256}.lock"):
        download._remove_abandoned(HUB, remote(HUB))
        assert left.exists()
    assert fetch([remote(HUB)], tmp_path)[0].read_bytes() == DATA
    assert not left.exists() and others.exists()


def test_offline_the_hub_is_not_asked(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert message_of([remote(HUB)], tmp_path).startswith(f"{HUB}: ")
    assert hub.paths == []


def test_without_a_network_the_hub_is_given_up_at_once(hub, tmp_path):
    hub.server_close()
    start = time.monotonic()
    assert "refused" in message_of([remote(HUB)], tmp_path)
    assert time.monotonic() - start < 5  # its own client would take 23 seconds


def test_a_file_of_the_cache_is_used_at_any_revision(tmp_path, hub_cache):
    path = hub_cache / "models--someone--model" / "snapshots" / ("d" * 40) / HUB.path
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    file = RemoteFile("model.pt", SHA256, len(DATA), cached=(HUB,))
    assert find([file], tmp_path) == (path, file)
    path.write_bytes(DATA[::-1])
    assert find([file], tmp_path) is None


# --- files that somebody brings ------------------------------------------------------------------------------------


def test_a_given_file_is_known_by_its_checksum(tmp_path):
    other, file = RemoteFile("other", "0" * 64, 5), RemoteFile("model.pt", SHA256, len(DATA))
    (tmp_path / "stick" / "deep").mkdir(parents=True)
    (tmp_path / "stick" / "a.txt").write_text("hello")
    assert match([other, file], tmp_path / "stick") is None
    path = tmp_path / "stick" / "deep" / "renamed.bin"
    path.write_bytes(DATA)
    assert match([other, file], tmp_path / "stick") == match([other, file], path) == (path, file)


def test_what_may_not_be_read_is_passed_over(server, tmp_path, monkeypatch):
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "secret").write_bytes(DATA)
    file = remote(server)
    monkeypatch.setattr(os, "access", lambda *_: False)  # a test that runs as root may read everything
    assert match([file], tmp_path / "stick") is None
    (tmp_path / "model.pt").write_bytes(DATA)
    assert find([file], tmp_path) is None


def test_places_and_sources_are_listed(tmp_path):
    file = RemoteFile("model.pt", SHA256, 353_976_522, ("http://127.0.0.1/model.pt", HUB))
    expected = ["      354 MB  http://127.0.0.1/model.pt", f"      354 MB  {HUB}"]
    assert describe([file], tmp_path) == expected
    (tmp_path / "model.pt").touch()
    assert describe([file], tmp_path) == [f"on disk    {tmp_path / 'model.pt'}", *expected]
