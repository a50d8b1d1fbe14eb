"""Memory of the process while it answers for many different images and prompts."""

from ..backend import Backend
from ..progress import Progress
from ..serving.feature_cache import MAX_IMAGES
from ..zero_shot.prompt_set import PromptSet
from ..zero_shot.prompts import MAX_PROMPTS
from .report import Fact
from .sections import Settings
from .server import memory

REPETITIONS = 3  # images and prompts asked for in each half, as multiples of what the caches hold


def measure(settings: Settings, progress: Progress) -> list[Fact]:
    """Ask the built-in model for more images and prompts than its caches hold, then for as many again.

    Returns
    -------
    list of Fact
        Growth of the process while the caches fill up, growth afterwards, and its size.
    """
    backend = Backend.open("tiny", dataset="shapes100")
    backend.predict(index=0)
    images, sizes = REPETITIONS * MAX_IMAGES, [memory("self")]
    for n in range(2 * images):
        # With each image as many new prompts as fill the prompt cache when the image cache is full.
        names = tuple(f"thing {n} {number}" for number in range(MAX_PROMPTS // MAX_IMAGES))
        backend.predict(index=n, prompts=PromptSet(names))
        if n % 100 == 99:
            progress("images", n + 1, 2 * images)
        if (n + 1) % images == 0:
            sizes.append(memory("self"))
    what = f"{images:,} images and {REPETITIONS * MAX_PROMPTS:,} prompts"
    return [
        Fact(f"memory, growth over {what}", sizes[1] - sizes[0], "MB"),
        Fact("memory, growth over as many again", sizes[2] - sizes[1], "MB"),
        Fact("memory at the end", sizes[2], "MB"),
        Fact("memory at its peak", memory("self", peak=True), "MB"),
    ]
