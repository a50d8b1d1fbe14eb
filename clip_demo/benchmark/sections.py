"""The sections of the benchmark: each is a module with the same name and a function `measure`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from ..progress import Progress
from .report import Comparison, Fact

SECTIONS = ("loading", "startup", "text", "image", "search", "concurrency", "memory")


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
        Duration of each run in `concurrency`.
    """

    rounds: int = 3
    users: int = 30
    seconds: float = 30


def measure(section: str, settings: Settings, progress: Progress) -> Sequence[Comparison | Fact]:
    """Run one of `SECTIONS`."""
    # Imported when it runs: the sections import torch, and the command line needs only their names.
    return import_module(f".{section}", __package__).measure(settings, progress)
