"""The style that is set in pyproject.toml."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_finds_nothing(repository, check):
    out = subprocess.run([sys.executable, "-m", "ruff", *check, "."], cwd=repository, capture_output=True, text=True)
    assert out.returncode == 0, out.stdout + out.stderr
