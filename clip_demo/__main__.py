"""The command line: ``python -m clip_demo COMMAND``."""

import sys
from collections.abc import Sequence

from .cli.arguments import make_parser
from .cli.terminal import EXIT_USER_ERROR, run
from .errors import ClipDemoError

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, 2 for an error that the user can fix, or the command's own."""
    options = make_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except ClipDemoError as error:
        print(f"clip_demo: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("clip_demo: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(run(main, "clip_demo"))
