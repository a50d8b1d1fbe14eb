"""The style that pyproject.toml sets."""

import subprocess
import sys

import pytest

pytest.importorskip("ruff", reason="ruff is in requirements-dev.txt")


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(repository, check):
    out = subprocess.run([sys.executable, "-m", "ruff", *check, "."], cwd=repository, capture_output=True, text=True)
    assert out.returncode == 0, out.stdout
