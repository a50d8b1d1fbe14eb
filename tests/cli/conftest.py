"""The command line in this process."""

import pytest

from clip_demo.__main__ import main


@pytest.fixture
def run(capsys):
    """Run a command; return its exit status and what it wrote to stdout and stderr."""

    def run(*arguments):
        status = main(arguments)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run
