"""The command ``bench``: speeds and their ratios."""

import argparse

from ..benchmark.report import as_text
from ..benchmark.sections import SECTIONS, Settings, measure
from ..errors import OptionError
from .progress_bars import ProgressBars
from .terminal import to_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    command.add_argument(
        "sections", nargs="*", choices=(*SECTIONS, "all"), default="all", metavar="SECTION",
        help=f"what to measure: {', '.join(SECTIONS)} (default: all, which takes about 15 minutes)",
    )  # fmt: skip
    command.add_argument(
        "--users", type=int, metavar="N",
        help="number of concurrent clients (default: 30); without SECTION, measures concurrency only",
    )  # fmt: skip
    command.add_argument("--seconds", type=float, default=30, metavar="S", help="how long they ask (default: 30)")
    command.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements of each kind (default: 3)")
    command.add_argument("--json", action="store_true", help="print JSON")


def run_bench(options: argparse.Namespace) -> None:
    """Print speeds and their ratios."""
    sections = options.sections
    if "all" in sections:
        sections = SECTIONS if options.users is None else ("concurrency",)
    settings = Settings(options.rounds, 30 if options.users is None else options.users, options.seconds)
    for name in ("rounds", "users", "seconds"):
        if not 0 < getattr(settings, name) < float("inf"):
            raise OptionError(f"--{name}: {getattr(settings, name)} is not allowed; use a number above 0.")
    rows = []
    for section in sections:
        with ProgressBars("it") as bars:
            rows += measure(section, settings, bars)
    print(to_json([row.to_dict() for row in rows]) if options.json else as_text(rows))
