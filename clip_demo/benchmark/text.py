"""Time of encoding prompts, compared with other packages."""

from collections.abc import Sequence

from ..datasets.cifar100_classes import CIFAR100_CLASSNAMES
from ..datasets.openai_templates import CIFAR100_TEMPLATES
from ..models.encoder import Encoder
from ..models.openai_clip import import_clip
from ..progress import Progress
from ..serving.feature_cache import FeatureCache
from ..zero_shot.templates import README_TEMPLATE
from .models import network, openai_texts, ours
from .report import PAUSE, Comparison, Fact, interleaved
from .runtimes import text_encoders
from .sections import Settings

NAMES = CIFAR100_CLASSNAMES


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Encode CIFAR-100's class names in one template, with one name edited, and in 18 templates.

    The 18 templates are measured once: openai-clip takes more than a minute for them.
    """
    encoder, prompts = ours(), _prompts(NAMES)
    others, tokenize = text_encoders(network()), import_clip().tokenize
    rows: list[Comparison | Fact] = []
    for n in (1, len(prompts)):
        functions = [
            lambda n=n: encoder.encode_texts(prompts[:n]),
            *(lambda n=n, encode=encode: encode(tokenize(prompts[:n])) for encode in others.values()),
        ]
        interleaved(1, *functions)  # the first call starts the threads
        seconds = interleaved(settings.rounds, *functions, pause=PAUSE)
        for package, values in zip(others, seconds[1:], strict=True):
            target = "at least 8x" if package == "openai-clip" else "at least 2x"
            what = "1 class prompt" if n == 1 else f"{n} class prompts"
            rows.append(Comparison(what, "s", package, seconds[0], values, target if n > 1 else ""))
        progress("prompts", len(rows), 2 + 2 * len(others))
    rows.append(_edit(settings.rounds, encoder))
    ensemble = [template.format(name) for name in NAMES for template in CIFAR100_TEMPLATES]
    seconds = interleaved(1, lambda: FeatureCache(encoder).encode_prompts(ensemble), lambda: _in_chunks(ensemble))
    rows.append(Comparison("18 templates x 100 classes", "s", "openai-clip", *seconds, "at least 6x"))
    progress("prompts", 2 + 2 * len(others), 2 + 2 * len(others))
    return [*rows, Fact("largest difference from encode_text", _difference(encoder), target="at most 1e-05")]


def _prompts(names: Sequence[str]) -> list[str]:
    return [README_TEMPLATE.format(name) for name in names]


def _in_chunks(prompts: list[str]) -> None:
    # All 1,800 prompts in one call would need gigabytes of memory.
    for start in range(0, len(prompts), 100):
        openai_texts(prompts[start : start + 100])


def _edit(rounds: int, encoder: Encoder) -> Comparison:
    """Edit one of 100 class names in each round."""
    cache = FeatureCache(encoder)
    cache.encode_prompts(_prompts(NAMES))
    edits = (_prompts([*NAMES[:-1], f"wolf number {n}"]) for n in range(rounds))
    seconds = interleaved(rounds, lambda: cache.encode_prompts(next(edits)), lambda: openai_texts(_prompts(NAMES)))
    return Comparison("one class of 100 edited", "s", "openai-clip, all prompts again", *seconds)


def _difference(encoder: Encoder) -> float:
    """Return the largest difference over prompts of 3 to 77 tokens, encoded together.

    Each prompt begins with the shorter ones, so that they share as much as prompts can.
    """
    lengths = (1, 2, 3, 5, 8, 13, 21, 34, 55, 75)  # in words; start and end are two more tokens
    prompts = [" ".join(["word"] * (length - 1) + [last]) for length in lengths for last in ("word", "dog", "cat")]
    return float(abs(encoder.encode_texts(prompts) - openai_texts(prompts).numpy()).max())
