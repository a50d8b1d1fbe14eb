"""The processor time of processes, by what they do. Linux only."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds(process: int | str) -> float:
    """Return the seconds of processor cores that a process has used, user and system together."""
    # The name, in parentheses, may contain anything.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def processes_by_title(titles: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the numbers of the processes whose command begins with each title, by the title's name."""
    found: dict[str, list[int]] = {name: [] for name in titles}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        for name, title in titles.items():
            if command.startswith(title):
                found[name].append(int(folder.name))
    return found


class CpuClock:
    """Measures what groups of processes use from now on.

    Parameters
    ----------
    groups : mapping of str to sequence of int
        Process numbers by name.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]):
        self._groups, self._start = groups, _totals(groups)

    def seconds(self) -> dict[str, float]:
        """Return the processor seconds of each group since the start."""
        return {name: total - self._start[name] for name, total in _totals(self._groups).items()}


def _totals(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, processes)) for name, processes in groups.items()}
