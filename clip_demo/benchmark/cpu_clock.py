"""The processor time of processes, by what they do. Linux only."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds(process: int | str) -> float:
    """Return the seconds of processor cores that a process has used, user and system together; 0 if it has ended."""
    fields = _fields(process)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def processes_by_title(titles: Mapping[str, str]) -> dict[str, list[int]]:
    """Return which processes below this one have a command that begins with each title, by the title's name."""
    found: dict[str, list[int]] = {name: [] for name in titles}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            for name, title in titles.items():
                if command.startswith(title) and _is_below_this_one(int(folder.name)):
                    found[name].append(int(folder.name))
    return found


def _fields(process: int | str) -> list[str]:
    """Return what the system says of a process, from its state on; nothing if it has ended."""
    try:
        # The name, in parentheses, may contain anything.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _is_below_this_one(process: int) -> bool:
    while process > 1 and (fields := _fields(process)):
        process = int(fields[1])
        if process == os.getpid():
            return True
    return False


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
        return {name: max(total - self._start[name], 0.0) for name, total in _totals(self._groups).items()}


def _totals(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {name: sum(map(cpu_seconds, processes)) for name, processes in groups.items()}
