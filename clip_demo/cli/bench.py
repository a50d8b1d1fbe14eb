"""The command ``bench``: speeds and their ratios."""

import argparse
import sys

from ..benchmark.report import as_text
from ..benchmark.sections import MINUTES, SECTIONS, Settings, measure, minutes, without_ray
from ..errors import OptionError
from .progress_bars import ProgressBars
from .terminal import to_json


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    command.add_argument(
        "sections", nargs="*", choices=(*SECTIONS, "all"), default="all", metavar="SECTION",
        help=f"what to measure: {', '.join(SECTIONS)} (default: all, "
        f"which takes about {sum(MINUTES.values())} minutes on two cores)",
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
        sections = without_ray(SECTIONS) if options.users is None else ("concurrency",)
        if options.users is None and "cluster" not in sections:
            print("Without Ray (requirements-ray.txt), the section cluster is left out.", file=sys.stderr)
    settings = Settings(options.rounds, 30 if options.users is None else options.users, options.seconds)
    for name in ("rounds", "users", "seconds"):
        if not 0 < getattr(settings, name) < float("inf"):
            raise OptionError(f"--{name}: {getattr(settings, name)} is not allowed; use a number above 0.")
    about = max(round(sum(minutes(section, settings) for section in sections)), 1)
    print(f"This takes about {about} minute{'s' if about > 1 else ''} on two cores.", file=sys.stderr)
    rows = []  # pairs of a section and a result
    for section in sections:
        with ProgressBars("it") as bars:
            rows += [(section, row) for row in measure(section, settings, bars)]
    if options.json:
        print(to_json([{"section": section} | row.to_dict() for section, row in rows]))
    else:
        print(as_text([row for _, row in rows]))
