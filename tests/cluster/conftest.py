"""Encoders that are served by Ray on this machine."""

import pytest
from served_encoder import ServedEncoder


@pytest.fixture
def start_encoder():
    """Start encoders that end with the test."""
    started = []

    def start(*arguments, **options):
        started.append(ServedEncoder(*arguments, **options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture(scope="module")
def served():
    """The built-in model on two replicas of one core each, for the tests of a module."""
    encoder = ServedEncoder("--model", "tiny", "--replicas", 2, "--cpus-per-replica", 1)
    yield encoder
    encoder.kill()
