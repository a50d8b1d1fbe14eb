"""Memory under an hour's worth of different images and prompts."""

from __future__ import annotations

from ..backend import Backend
from ..serving.feature_cache import MAX_IMAGES
from ..zero_shot.prompts import MAX_PROMPTS
from .report import Fact, Progress
from .server import memory

__all__ = ["measure_memory"]

TURNS = 3  # times what is remembered


def measure_memory(progress: Progress) -> list[Fact]:
    """Ask the built-in model for more images and prompts than it remembers, then for as many again.

    Returns
    -------
    list of Fact
        How much the process grew while its memory filled, and after that.
    """
    backend = Backend.open("tiny", dataset="shapes100")
    backend.predict(index=0)
    total, sizes = 2 * TURNS * MAX_IMAGES, [memory("self")]
    for half in range(2):
        for done in range(TURNS * MAX_IMAGES):
            n = half * TURNS * MAX_IMAGES + done
            # Twenty new prompts with each image: a thousand images and twenty thousand prompts are remembered.
            names = [f"thing {n} {place}" for place in range(MAX_PROMPTS // MAX_IMAGES)]
            backend.predict(index=n, classnames=names)
            if n % 100 == 99:
                progress("different images", n + 1, total)
        sizes.append(memory("self"))
    prompts = TURNS * MAX_PROMPTS
    what = f"{TURNS * MAX_IMAGES:,} images and {prompts:,} prompts"
    return [
        Fact(f"memory, growth over {what}", sizes[1] - sizes[0], "MB"),
        Fact("memory, growth over as many again", sizes[2] - sizes[1], "MB"),
        Fact("memory at the end", sizes[2], "MB"),
        Fact("memory at its peak", memory("self", peak=True), "MB"),
    ]
