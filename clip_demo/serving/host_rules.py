"""What the host lets the visitors of the page start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import OptionError


@dataclass(frozen=True)
class HostRules:
    """What visitors may start; see `clip_demo.ui.permissions`.

    Attributes
    ----------
    public : bool
        Whether all visitors are strangers, who start no download and no job.
    offered : frozenset of str
        Models and datasets that even strangers may download.
    """

    public: bool = False
    offered: frozenset[str] = frozenset()

    def check(self, known: Iterable[str]) -> HostRules:
        """Return the rules; raise an OptionError where they offer what is neither a model nor a dataset."""
        known = tuple(known)
        for name in sorted(self.offered.difference(known)):
            raise OptionError(f"offer: {name!r} is neither a model nor a dataset; use some of {', '.join(known)}.")
        return self


NO_RULES = HostRules()
