"""The results of a benchmark: medians, ratios, and a table of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

PAUSE = 0.1  # seconds before each call, where packages with threads of their own are compared


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same thing, measured alternately: ours, theirs, ours, theirs, ...

    Attributes
    ----------
    what, unit : str
        What was measured, and its unit.
    theirs_name : str
        What ours is compared with.
    ours, theirs : tuple of float
        One value per round.
    target : str
        What ours should reach.
    """

    what: str
    unit: str
    theirs_name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    target: str = ""

    @property
    def ratio(self) -> float:
        """Median of theirs / ours over the rounds; above 1 where ours takes less."""
        return median(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return {
            "what": self.what,
            "unit": self.unit,
            "theirs_name": self.theirs_name,
            "ours_median": median(self.ours),
            "theirs_median": median(self.theirs),
            "ratio": self.ratio,
            "rounds": len(self.ours),
            "target": self.target,
        }

    def as_line(self) -> str:
        """Return one line of the table."""
        ours, theirs = (f"{_number(median(each))} {self.unit}" for each in (self.ours, self.theirs))
        return f"{self.what:<54}{ours:>12}{theirs:>12}{self.ratio:>9.2f}x  {self.theirs_name}{_target(self.target)}"


@dataclass(frozen=True)
class Fact:
    """One measured number without a counterpart."""

    what: str
    value: float
    unit: str = ""
    target: str = ""

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return asdict(self)

    def as_line(self) -> str:
        """Return one line of the table."""
        value = f"{_number(self.value)} {self.unit}".rstrip()
        return f"{self.what:<54}{value:>12}{'':>22}{_target(self.target)}".rstrip()


def as_text(rows: Sequence[Comparison | Fact]) -> str:
    """Return the results as a table for a terminal."""
    head = f"{'what':<54}{'ours':>12}{'theirs':>12}{'ratio':>10}  theirs is"
    return "\n".join([head, *(each.as_line() for each in rows)])


def interleaved(rounds: int, *functions: Callable[[], object], pause: float = 0.0) -> list[tuple[float, ...]]:
    """Return the seconds that each function takes, one value per round; every round calls each of them once.

    Parameters
    ----------
    rounds : int
    *functions : callable
    pause : float
        Seconds before each call. The threads of some packages keep a core busy for a while after their work is done.
    """
    seconds = [[] for _ in functions]
    for _ in range(rounds):
        for function, spent in zip(functions, seconds, strict=True):
            time.sleep(pause)
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return [tuple(each) for each in seconds]


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"


def _target(target: str) -> str:
    return f"; target: {target}" if target else ""
