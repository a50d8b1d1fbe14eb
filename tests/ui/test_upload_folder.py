"""The folder of uploads."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from gradio import routes
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.utils import Status
from helpers import unprivileged, wait_for
from PIL import Image

import app
from clip_demo.benchmark.server import ROOT, run_server, wait_until_served
from clip_demo.ui.shutdown import WORD
from clip_demo.ui.upload_folder import MAX_AGE_TEMPORARY, UploadFolder, remove_old

# An evaluation of these takes much longer than the page waits for answers when it ends.
NAMES = [f"thing number {i} {'of a long name ' * 10}" for i in range(100)]
TEMPLATES = [f"a {i} {{}} {'and so on ' * 6}" for i in range(100)]


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "parent"))
    return tmp_path / "parent"


def test_gradio_uses_a_private_folder_that_goes_with_the_run(parent):
    with UploadFolder() as folder:
        assert get_upload_folder() == str(folder.path) and folder.path.parent == parent
        if os.name != "nt":
            assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        (folder.path / "a").mkdir()
        (folder.path / "a" / "photo.png").write_bytes(b"x")
    assert get_upload_folder() == str(parent) and list(parent.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot tell whether a process has ended")
def test_what_a_killed_run_left_goes_and_what_others_use_stays(parent):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"clip-explorer-{number}-x" for number in (ended.pid, os.getpid(), os.getppid())]
    for name in (*names, "clip-explorer-x-y", "clip-explorer-²-z", "gradio"):
        (parent / name).mkdir(parents=True)
        (parent / name / "photo.png").write_bytes(b"x")
    with UploadFolder() as folder:
        assert {path.name for path in parent.iterdir()} == {
            *(names[2], "clip-explorer-x-y", "clip-explorer-²-z", "gradio", folder.path.name)
        }


def test_old_files_go_first_and_then_the_oldest_of_too_many(tmp_path):
    now = time.time()
    for name, age, size in (("old/a", 100, 1), ("b", 50, 600), ("new/c", 30, 600), ("d", 10, 600)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (now - age, now - age))
    remove_old(tmp_path, max_age=90, max_bytes=2000)
    assert {path.name for path in tmp_path.iterdir()} == {"b", "new", "d"}
    remove_old(tmp_path, max_age=90, max_bytes=1300)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "d"}
    remove_old(tmp_path, max_age=90, max_bytes=0)
    assert list(tmp_path.iterdir()) == []


def test_what_was_for_one_event_goes_soon_where_the_event_never_came(tmp_path):
    now = time.time()
    ages = {"once-1.png": MAX_AGE_TEMPORARY + 9, "once-2.png": MAX_AGE_TEMPORARY - 9, "a.png": MAX_AGE_TEMPORARY + 99}
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (now - age, now - age))
    remove_old(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"once-2.png", "a.png"}


def in_a_container():
    """Return a command that runs another one as process 1, or None where that is not possible."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    for options in ([], ["--user", "--map-root-user"]):
        with suppress(OSError):
            if subprocess.run([*command, *options, "true"], capture_output=True).returncode == 0:
                return [*command, *options]
    return None


def test_as_process_1_of_a_container_the_app_ends_on_sigterm(parent, tmp_path):
    """Process 1 gets only the signals that it handles, and is the parent of all processes that lost theirs."""
    container = in_a_container()
    if container is None:
        pytest.skip("this system allows no name spaces for processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*container, sys.executable, "app.py", "--model", "tiny", "--dataset", "shapes100", "--port", str(port)]
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_served(url, process)
            (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert "\t1\n" in Path(f"/proc/{first}/status").read_text().partition("NSpid")[2]
            client = Client(url, verbose=False)
            client.submit(image=handle_file(tmp_path / "a.png"), api_name="/predict").result(timeout=60)
            assert [path.name for path in parent.glob("clip-explorer-1-*/*/*")] == ["a.png"]
            assert Path(f"/proc/{first}/task/{first}/children").read_text() == ""  # it starts no process to wait for
            waiting = client.submit(classnames=NAMES, templates=TEMPLATES, api_name="/evaluate")
            wait_for(lambda: waiting.status().code is Status.PROCESSING, 30)
            os.kill(int(first), signal.SIGTERM)
            assert process.wait(timeout=10) == 0  # Docker would kill it then
            with pytest.raises(Exception, match=WORD):
                waiting.result(timeout=30)
            client.close()
        finally:
            process.kill()
    assert [path for path in parent.rglob("*") if path.name != "vibe_edit_history"] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_the_app_ends_on_sigterm_and_its_uploads_go(parent, tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    with run_server(["app.py", "--model", "tiny", "--dataset", "shapes100"]) as (url, process):
        wait_until_served(url, process)
        client = Client(url, verbose=False)  # its connection stays open
        client.submit(image=handle_file(tmp_path / "a.png"), api_name="/predict").result(timeout=60)
        assert [path.name for path in parent.glob("clip-explorer-*/*/*")] == ["a.png"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        client.close()
    assert list(parent.rglob("*")) == []


def test_nothing_is_made_in_the_folder_of_another_user(parent, monkeypatch):
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(parent))
    before = routes.DEFAULT_TEMP_DIR
    with UploadFolder() as folder:
        # Gradio makes a folder here when it starts: by default in the folder of the user who came first.
        assert routes.DEFAULT_TEMP_DIR == str(folder.path) and folder.path.parent == parent
    assert before == routes.DEFAULT_TEMP_DIR


def test_a_folder_that_cannot_be_written_is_one_line_and_exit_status_2(parent, monkeypatch, capsys):
    parent.mkdir(mode=0o500)
    assert unprivileged(app.main, ["--model", "tiny", "--dataset", "shapes100"]) == 2
    assert capsys.readouterr().err == (
        f"app.py: GRADIO_TEMP_DIR: uploads cannot be stored in {str(parent)!r} (Permission denied); set it to a folder "
        "that this user may write.\n"
    )
    monkeypatch.setenv("GRADIO_TEMP_DIR", "~/uploads")
    monkeypatch.setenv("HOME", str(parent.parent))
    with UploadFolder() as folder:
        assert folder.path.parent == parent.parent / "uploads"
