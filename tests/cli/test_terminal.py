"""What the programs owe to the terminal or the pipe that they write to."""

import io
import json
import os
import subprocess
import sys

import pytest

from clip_demo.cli.terminal import EXIT_BROKEN_PIPE, read_input, run, to_json
from clip_demo.paths import EXAMPLES


def program(repository, command, **options):
    """Run a shell command in which ``$clip`` is the command line."""
    environment = os.environ | {"clip": f"{sys.executable} -m clip_demo"} | options.pop("env", {})
    return subprocess.run(
        ["bash", "-c", command], cwd=repository, env=environment, capture_output=True, timeout=120, **options
    )


def test_a_reader_that_closes_the_pipe_is_no_error(repository):
    done = program(repository, "$clip download --where | head -1; echo ${PIPESTATUS[0]}")
    first, status = done.stdout.decode().split()
    assert (first, done.stderr) == ("RN50", b"") and int(status) in (0, EXIT_BROKEN_PIPE)


def test_a_full_disk_behind_the_output_is_one_line(repository):
    done = program(repository, "$clip download --where > /dev/full")
    assert done.returncode == 2
    assert done.stderr == b"clip_demo: the output cannot be written (No space left on device).\n"


def test_a_closed_output_is_no_error(repository):
    assert program(repository, "$clip download --where >&- 2>&-").returncode == 0


@pytest.mark.long
def test_output_in_an_encoding_without_the_characters(repository):
    arguments = f"--image {EXAMPLES}/cat.jpg --classes 猫,犬,cat"
    command = f"$clip predict {arguments} && $clip predict {arguments} --json"
    done = program(repository, command, env={"PYTHONIOENCODING": "ascii:strict"})
    text, brace, rest = done.stdout.decode("ascii").partition("{")
    assert done.returncode == 0, done.stderr
    assert "tiny \\xb7 image file" in text and "\\u732b:" in text
    assert {each["label"] for each in json.loads(brace + rest)["zero_shot"]} == {"猫", "犬", "cat"}


def test_an_image_and_a_class_list_from_pipes(repository):
    command = f"cat {EXAMPLES}/cat.jpg | $clip predict --image - --classes <(printf 'cat\\ndog\\n') --json"
    done = program(repository, command)
    assert json.loads(done.stdout)["zero_shot"][0]["label"] == "cat", done.stderr


class Output(io.TextIOWrapper):
    """An output that writes in some encoding."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding)

    def fileno(self):
        raise OSError("it has no file")


def test_a_closed_output_is_a_stream_that_keeps_nothing(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert run(lambda: print("x", file=sys.stderr) or sys.stdout.isatty(), "x") is False


@pytest.mark.parametrize(("encoding", "written"), [("cp932", b"\x94L \\xe9"), ("cp1252", b"\\u732b \xe9")])
def test_characters_that_an_encoding_lacks_are_escaped(monkeypatch, encoding, written):
    output = Output(encoding)
    monkeypatch.setattr(sys, "stdout", output)
    assert run(lambda: print("猫 é", end="") or 0, "x") == 0 and output.buffer.getvalue() == written


def test_the_status_of_a_program_is_returned_and_its_errors_pass(monkeypatch):
    assert run(lambda: 3, "x") == 3
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0, "x")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (OSError(28, "No space left on device"), 2, "x: the output cannot be written (No space left on device).\n"),
        (PermissionError(13, "Permission denied", "/y"), 2, "x: [Errno 13] Permission denied: '/y'\n"),
    ],
)
def test_an_error_of_the_system_is_one_line(monkeypatch, capsys, error, status, line):
    def main():
        raise error

    monkeypatch.setattr(sys, "stdout", Output("utf-8"))
    assert run(main, "x") == status
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("encoding", "text"), [("utf-8", '["猫", 1]'), ("cp932", '["猫", 1]'), ("cp1252", '["\\u732b", 1]')]
)
def test_json_is_json_in_every_encoding(monkeypatch, encoding, text):
    monkeypatch.setattr(sys, "stdout", Output(encoding))
    assert to_json(["猫", 1]) == text
    assert to_json(["\ud83d"]) == '["\\ud83d"]'


def test_only_pipes_are_read_as_input(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "file", tmp_path / "nowhere", "a\0b", "x" * 5000):
        assert read_input(str(path)) is None
    monkeypatch.setattr(sys, "stdin", None)  # closed
    assert read_input("-") == b"" == read_input(os.devnull)
