"""Locations of files."""

import logging
import os
from pathlib import Path

from helpers import unprivileged

from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import cache_folder, expanded, is_readable, weights_path, weights_root


def test_the_folder_of_weights_is_the_argument_or_the_variable_or_openai_clips(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_DEMO_WEIGHTS", str(tmp_path / "a"))
    assert weights_root() == tmp_path / "a" and weights_root(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("CLIP_DEMO_WEIGHTS")
    assert weights_root().parts[-2:] == (".cache", "clip")


def test_archives_have_openai_clips_file_names(tmp_path):
    for name, url in import_clip().clip._MODELS.items():
        assert weights_path(name, tmp_path) == tmp_path / url.rsplit("/", 1)[1]


def test_a_tilde_is_the_home_in_arguments_and_variables(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLIP_DEMO_CACHE", "CLIP_DEMO_WEIGHTS"):
        monkeypatch.setenv(name, "~/x")
    assert cache_folder() == weights_root() == expanded("~/x") == tmp_path / "x"
    assert expanded("~") == tmp_path and expanded("a/~") == Path("a/~") and expanded("~no-user/x") == Path("~no-user/x")


def test_without_a_home_there_is_no_folder_and_no_error(monkeypatch):
    for name in ("HOME", "CLIP_DEMO_CACHE", "CLIP_DEMO_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", str)  # as for a container's user without an entry in the list of users
    assert cache_folder() == Path("/nonexistent/.cache/clip_demo") and weights_root() == Path(
        "/nonexistent/.cache/clip"
    )


def test_what_may_not_be_read_is_absent_and_said_in_one_line(tmp_path, caplog):
    locked = tmp_path / "locked"
    (locked / "inside").mkdir(parents=True)
    (tmp_path / "file").touch(mode=0)
    os.symlink("loop", tmp_path / "loop")
    locked.chmod(0)
    try:
        with caplog.at_level(logging.WARNING):
            paths = [
                locked,
                locked / "inside",
                locked / "a",
                tmp_path / "file",
                tmp_path / "loop",
                tmp_path / ("x" * 300),
            ]
            assert [unprivileged(is_readable, path) for path in [*paths, Path("a\0b"), tmp_path]] == [False] * 7 + [
                True
            ]
    finally:
        locked.chmod(0o700)
    assert [record.message.split()[0] for record in caplog.records] == [str(locked), str(tmp_path / "file")]
    assert caplog.records[0].message.endswith(" may not be read by this user and counts as absent.")
