import subprocess
import sys

import pytest

from clip_demo.__main__ import main

COMMANDS = ("zero-shot", "predict", "evaluate", "store-features", "fit-probe", "first-image", "download", "reproduce")
COMMANDS += ("bench", "check-maps", "article", "prepare", "search")


def exit_status(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example(command, capsys):
    assert exit_status(command, "--help") == 0
    assert f"example: python -m clip_demo {command}" in " ".join(capsys.readouterr().out.split())


def test_a_command_is_required(capsys):
    assert exit_status() == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--images", "--spaces"])
def test_earlier_option_names_are_not_accepted(option, capsys):
    assert exit_status("predict", "--index", "0", f"{option}=shapes100") == 2
    assert option in capsys.readouterr().err


def test_the_package_is_a_program(repository):
    out = subprocess.run(
        [sys.executable, "-m", "clip_demo", "predict", "--index", "-5", "--dataset", "shapes100"],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert (out.returncode, out.stdout) == (2, "") and out.stderr.startswith("clip_demo: index: -5 ")
