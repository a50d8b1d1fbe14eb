"""The bounds of requirements.txt, the lock file, and what is installed."""

import re
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def requirements(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


@pytest.fixture(scope="module")
def locked(repository):
    """The version and the number of checksums of each package of the lock file."""
    text = (repository / "requirements-lock.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M)
    assert len(entries) == len(re.findall(r"^[^#\s]", text, re.M)), "an entry has no checksum"
    return {canonicalize_name(name): Version(number) for name, number, _ in entries}


def test_the_lock_file_has_an_allowed_version_of_everything(repository, locked):
    wanted = requirements(repository / "requirements.txt")
    assert len(wanted) > 20
    refused = [str(each) for each in wanted if locked[canonicalize_name(each.name)] not in each.specifier]
    assert refused == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-ray.txt"])
def test_what_is_installed_is_allowed(repository, name):
    refused = [str(each) for each in requirements(repository / name) if version(each.name) not in each.specifier]
    assert refused == []


def test_every_upper_bound_lets_security_fixes_in_and_gradio_stays_within_its_minor_version(repository):
    for each in requirements(repository / "requirements.txt"):
        bounds = {spec.operator: Version(spec.version) for spec in each.specifier}
        if each.name == "gradio":
            assert bounds["<"].release == (bounds[">="].major, bounds[">="].minor + 1)
        elif each.name != "packaging":  # its versions are years
            assert set(bounds) == {">=", "<"} and bounds["<"].release[1:] in ((), (0,)), each


@pytest.mark.parametrize("name", ["h11", "orjson", "pillow", "python-multipart", "starlette", "uvicorn"])
def test_what_reads_untrusted_input_is_as_new_as_what_was_tested(repository, locked, name):
    (bound,) = (each for each in requirements(repository / "requirements.txt") if each.name == name)
    (lowest,) = (spec.version for spec in bound.specifier if spec.operator == ">=")
    assert Version(lowest).release[:2] == locked[name].release[:2]
