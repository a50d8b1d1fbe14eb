"""The sections of the benchmark: each is a module with the same name and a function `measure`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from ..progress import Progress
from .report import Comparison, Fact

# And the minutes that each took on two cores of an AMD EPYC, with the default settings.
MINUTES = {
    "loading": 1,
    "startup": 1,
    "encoder": 4,
    "text": 4,
    "image": 1,
    "search": 1,
    "concurrency": 3,
    "memory": 2,
    "cluster": 6,
}
SECTIONS = tuple(MINUTES)


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes
    ----------
    rounds : int
        Measurements of each kind, in all sections but `concurrency` and `memory`.
    users : int
        Concurrent clients in `concurrency`.
    seconds : float
        Duration of each run in `concurrency` and `cluster`.
    """

    rounds: int = 3
    users: int = 30
    seconds: float = 30


def minutes(section: str, settings: Settings) -> float:
    """Return about how long one of `SECTIONS` takes on two cores."""
    if section in ("concurrency", "cluster"):
        return MINUTES[section] * settings.seconds / Settings.seconds
    return MINUTES[section] * (1 if section == "memory" else settings.rounds / Settings.rounds)


def without_ray(sections: Sequence[str]) -> tuple[str, ...]:
    """Return some of `SECTIONS`, without those that need Ray where it is not installed."""
    return tuple(each for each in sections if each != "cluster" or find_spec("ray"))


def measure(section: str, settings: Settings, progress: Progress) -> Sequence[Comparison | Fact]:
    """Run one of `SECTIONS`."""
    # Imported when it runs: the sections import torch, and the command line needs only their names.
    return import_module(f".{section}", __package__).measure(settings, progress)
