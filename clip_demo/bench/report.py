"""Medians, and ratios of what was measured in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Comparison", "as_text"]


@dataclass(frozen=True)
class Comparison:
    """Two ways to the same end, measured in turn: ours, theirs, ours, theirs, ...

    Attributes
    ----------
    what, unit : str
        What was measured, and in what.
    theirs_name : str
        What a user would do otherwise.
    ours, theirs : tuple of float
        One value a round.
    target : str
        What ours should reach, in words.
    """

    what: str
    unit: str
    theirs_name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    target: str = ""

    @property
    def ratio(self) -> float:
        """Median over the rounds of theirs / ours: how many times less ours takes."""
        return median(theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True))

    def to_dict(self) -> dict:
        """Return the JSON form."""
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


def as_text(comparisons: Sequence[Comparison]) -> str:
    """Return the comparisons as a table for a terminal."""
    lines = [f"{'what':<40}{'ours':>12}{'theirs':>12}{'ratio':>8}  theirs is"]
    for each in comparisons:
        plain = each.to_dict()
        ours, theirs = (f"{plain[key]:.2f} {each.unit}" for key in ("ours_median", "theirs_median"))
        target = f"; target: {each.target}" if each.target else ""
        lines.append(f"{each.what:<40}{ours:>12}{theirs:>12}{each.ratio:>7.1f}x  {each.theirs_name}{target}")
    return "\n".join(lines)
