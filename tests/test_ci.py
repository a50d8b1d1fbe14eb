"""The rule of .ci/run that only some tests may be skipped."""

import os
import subprocess
import sys

import pytest
from helpers import NO_GPU, NO_WEIGHTS


@pytest.mark.parametrize(("reason", "status"), [(NO_GPU, 0), (NO_WEIGHTS, 0), ("another reason", 1)])
@pytest.mark.parametrize(
    "source",
    [
        "def test_skips():\n    pytest.skip({reason!r})",
        "pytest.skip({reason!r}, allow_module_level=True)",
    ],
    ids=["test", "module"],
)
def test_a_skip_fails_the_run_unless_it_is_allowed(repository, tmp_path, source, reason, status):
    (tmp_path / "test_it.py").write_text(f"import pytest\n{source.format(reason=reason)}\ndef test_passes(): pass")
    (tmp_path / "test_other.py").write_text("def test_passes(): pass")
    path = os.pathsep.join(map(str, (repository, repository / ".ci", repository / "tests")))
    out = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path, "PYTEST_PLUGINS": "allowed_skips"},
    )  # fmt: skip
    assert (out.returncode != 0) == bool(status), out.stdout
    assert "passed" in out.stdout.splitlines()[-1] or status
