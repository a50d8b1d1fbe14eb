"""Memory under an hour's worth of different pictures and prompts."""

from __future__ import annotations

from ..backend import Backend
from ..serving.feature_cache import MAX_PICTURES
from ..zero_shot.prompts import MAX_PROMPTS
from .report import Fact, Progress
from .server import memory

__all__ = ["measure_memory"]

TURNS = 3  # times what is remembered


def measure_memory(progress: Progress) -> list[Fact]:
    """Ask the built-in model for more pictures and prompts than it remembers, then for as many again.

    Returns
    -------
    list of Fact
        How much the process grew while its memory filled, and after that.
    """
    backend = Backend.open("tiny", images="shapes100")
    backend.predict(index=0)
    total, sizes = 2 * TURNS * MAX_PICTURES, [memory("self")]
    for half in range(2):
        for done in range(TURNS * MAX_PICTURES):
            n = half * TURNS * MAX_PICTURES + done
            # Twenty new prompts with each picture: a thousand pictures and twenty thousand prompts are remembered.
            names = [f"thing {n} {place}" for place in range(MAX_PROMPTS // MAX_PICTURES)]
            backend.predict(index=n, classnames=names)
            if n % 100 == 99:
                progress("different pictures", n + 1, total)
        sizes.append(memory("self"))
    prompts = TURNS * MAX_PROMPTS
    what = f"{TURNS * MAX_PICTURES:,} pictures and {prompts:,} prompts"
    return [
        Fact(f"memory, growth over {what}", sizes[1] - sizes[0], "MB"),
        Fact("memory, growth over as many again", sizes[2] - sizes[1], "MB"),
        Fact("memory at the end", sizes[2], "MB"),
        Fact("memory at its peak", memory("self", peak=True), "MB"),
    ]
