"""Atomic writing, and files that are found by the checksum inside."""

import contextlib
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import unprivileged

from clip_demo.artifacts import ArtifactStore, atomic_write, check_folder, file_name, write_npz
from clip_demo.errors import ArtifactError, OptionError
from clip_demo.linear_probe.pipeline import Stores

TOY, OTHER = "70" * 32, "ab" * 32


def test_a_file_is_written_with_its_folder_and_readable_by_all(tmp_path):
    path = tmp_path / "new" / "file"
    with atomic_write(path) as part:
        part.write_text("new")
        assert part.parent == path.parent and not path.exists()
    assert path.read_text() == "new" and os.listdir(path.parent) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_exception_inside_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        with atomic_write(path) as part:
            part.write_text("half of the n")
            raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_a_failure_of_the_renaming_leaves_nothing(tmp_path, monkeypatch):
    def full(*paths):
        raise OSError("full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="full"):
        write_npz(tmp_path / "file.npz", numbers=np.arange(3))
    assert os.listdir(tmp_path) == []


@contextlib.contextmanager
def writing(path):
    """Another process that is writing a file; its part is yielded."""
    code = (
        "import pathlib, sys; from clip_demo.artifacts import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); print(part, flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent, **pipes) as process:
        yield process, Path(process.stdout.readline().rstrip("\n"))
        process.kill()


def test_what_a_killed_process_was_writing_goes_at_the_next_start_and_what_a_running_one_writes_stays(tmp_path):
    foreign = tmp_path / "heads" / ".someone.part"
    with (
        writing(tmp_path / "heads" / "file") as (process, left),
        writing(tmp_path / "shards" / "toy" / "file") as (other, used),
    ):
        foreign.touch()
        process.kill()
        process.wait()
        assert left.is_file() and used.is_file()
        Stores.open(tmp_path / "assets", tmp_path)
        assert not left.exists() and used.is_file() and foreign.is_file()
        with atomic_write(used.with_name("other")) as part:
            part.write_text("new")
        assert used.is_file()
        other.communicate("\n")
    assert sorted(os.listdir(used.parent)) == ["file", "other"]


def test_the_next_file_of_a_folder_removes_what_a_killed_process_left_there(tmp_path):
    with writing(tmp_path / "file") as (process, left):
        process.kill()
        process.wait()
    assert left.is_file()
    with atomic_write(tmp_path / "other") as part:
        part.write_text("new")
    assert os.listdir(tmp_path) == ["other"]


def test_two_writers_of_one_file_have_parts_of_their_own(tmp_path):
    with atomic_write(tmp_path / "file") as one, atomic_write(tmp_path / "file") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one"  # the outer block ends last
    assert os.listdir(tmp_path) == ["file"]


def test_npz_files_hold_the_arrays_alone_and_no_pickle(tmp_path):
    path = write_npz(tmp_path / "file.npz", numbers=np.arange(3), name=np.array("toy"))
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored) == {"numbers", "name"} and stored["numbers"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="pickle|Object arrays"):
        write_npz(tmp_path / "objects.npz", objects=np.array([{}], dtype=object))
    assert os.listdir(tmp_path) == ["file.npz"]


def test_file_names():
    assert file_name("ViT-B/32", "cifar100") == "ViT-B-32-cifar100.npz"
    assert file_name("tiny", "shapes100", ".json") == "tiny-shapes100.json"


# --- the store, on text files of the form "checksum dataset content" -------------------------------------------------


class Loader:
    def __init__(self):
        self.opened = []

    def __call__(self, path):
        self.opened.append(path.name)
        try:
            sha256, dataset, content = path.read_text().split()
        except ValueError as error:
            raise ArtifactError(f"text: {path.name!r} is damaged.") from error
        return content, sha256, dataset


def write(folder, name, sha256=TOY, dataset="toys", content="content"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"{sha256} {dataset} {content}")


def test_the_checksum_inside_decides_and_not_the_name(tmp_path):
    write(tmp_path, "renamed-toys.txt", OTHER)
    write(tmp_path, "toy-cifar100.txt")
    store = ArtifactStore([tmp_path], Loader(), ".txt")
    assert store.get(OTHER, "toys") == "content"
    assert store.get(TOY, "toys") is None and store.get(TOY, "cifar100") is None


def test_the_first_folder_with_a_match_wins(tmp_path):
    for name in ("first", "second"):
        write(tmp_path / name, "toy-toys.txt", content=name)
    folders = [tmp_path / name for name in ("missing", "first", "second")]
    assert ArtifactStore(folders, Loader(), ".txt").get(TOY, "toys") == "first"
    assert ArtifactStore(folders[::2], Loader(), ".txt").get(TOY, "toys") == "second"


def test_a_damaged_file_is_skipped_with_one_warning(tmp_path, caplog):
    write(tmp_path, "a-toys.txt", content="too many words")
    write(tmp_path, "b-toys.txt")
    store = ArtifactStore([tmp_path], Loader(), ".txt")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert store.get(TOY, "toys") == "content" and store.get(OTHER, "toys") is None
    assert caplog.text.count("'a-toys.txt' is damaged") == 2  # once for each model


def test_a_new_file_is_found_and_no_other_is_opened_again(tmp_path):
    load = Loader()
    store = ArtifactStore([tmp_path], load, ".txt")
    write(tmp_path, "a-toys.txt", OTHER)
    assert store.get(TOY, "toys") is None and load.opened == ["a-toys.txt"]
    assert store.get(TOY, "toys") is None and load.opened == ["a-toys.txt"]
    write(tmp_path, "b-toys.txt")
    os.utime(tmp_path, ns=(0, 1))  # whatever the resolution of the file system's clock
    assert store.get(TOY, "toys") == "content" and load.opened == ["a-toys.txt", "b-toys.txt"]


def test_what_is_remembered_needs_no_file(tmp_path):
    store = ArtifactStore([tmp_path / "missing"], Loader(), ".txt")
    assert store.get(TOY, "toys") is None
    store.remember("kept", TOY, "toys")
    assert store.get(TOY, "toys") == "kept" and store.get(TOY, "others") is None


def test_what_may_not_be_read_is_not_there(tmp_path):
    store, folder = ArtifactStore([tmp_path / "locked", tmp_path], Loader(), ".txt"), tmp_path / "locked"
    folder.mkdir()
    write(folder, "a-toys.txt", OTHER)
    write(tmp_path, "a-toys.txt", OTHER)
    write(tmp_path, "b-toys.txt")
    (tmp_path / "a-toys.txt").chmod(0)
    (tmp_path / "0-toys.txt").symlink_to("nowhere")
    folder.chmod(0)
    try:
        assert unprivileged(store.get, TOY, "toys") == "content"
    finally:
        folder.chmod(0o700)


def test_a_file_that_is_open_on_windows_is_replaced_as_soon_as_it_is_closed(tmp_path, monkeypatch):
    replace, refused = os.replace, [PermissionError(13, "in use"), PermissionError(13, "in use")]

    def busy(*paths):
        if refused:
            raise refused.pop()
        replace(*paths)

    monkeypatch.setattr("os.replace", busy)
    monkeypatch.setattr("clip_demo.artifacts._PATIENCE", (0, 0))
    with atomic_write(tmp_path / "x") as part:
        part.write_text("new")
    assert (tmp_path / "x").read_text() == "new" and [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_is_tried_before_long_work(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_folder("~/a/b", "--output") == tmp_path / "a" / "b" and list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir(mode=0o500)
    reasons = {
        tmp_path / "file": "File exists",
        tmp_path / "file" / "a": "Not a directory",
        tmp_path / "closed": "Permission denied",
        tmp_path / "closed" / "a": "Permission denied",
        "": "the name is empty",
        "/dev/full/a": "Not a directory",
    }
    for folder, reason in reasons.items():
        with pytest.raises(OptionError) as caught:
            unprivileged(check_folder, folder, "--output")
        assert str(caught.value) == (
            f"--output: nothing can be written in {str(folder)!r} ({reason}); give another folder, or make room in it."
        )
