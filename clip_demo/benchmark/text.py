"""Time of encoding prompts."""

from __future__ import annotations

import numpy as np

from ..datasets.cifar100 import Cifar100
from ..serving.feature_cache import Features
from ..zero_shot.prompts import prompts_for
from ..zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE
from .models import open_clip_texts, openai_texts, ours
from .report import Comparison, Fact, Progress, in_turn

__all__ = ["measure_text"]


def measure_text(rounds: int, progress: Progress) -> list[Comparison | Fact]:
    """Encode CIFAR-100's class names in one template, in 18, and with one name edited.

    Parameters
    ----------
    rounds : int
        How often each way. The ensemble is measured once: openai-clip takes more than a minute for it.
    progress : callable
        See `clip_demo.bench.report.Progress`.
    """
    names, encoder = Cifar100.classnames, ours()
    prompts = [README_TEMPLATE.format(name) for name in names]
    others = {"openai-clip": openai_texts, "open_clip": open_clip_texts()}
    rows: list[Comparison | Fact] = []
    for package, theirs in others.items():
        if theirs is None:
            continue
        theirs(prompts[:2]), encoder.encode_texts(prompts[:2])  # the first call sets up its threads
        seconds = in_turn(rounds, lambda: encoder.encode_texts(prompts), lambda theirs=theirs: theirs(prompts))
        target = "at least 8x" if package == "openai-clip" else ""
        rows.append(Comparison("100 class prompts", "s", package, *seconds, target))
        progress("prompts", len(rows), 2 + len(others))
    rows.append(_edit(rounds, encoder, names))
    ensemble = [prompt for row in prompts_for(names, CIFAR100_TEMPLATES, False) for prompt in row]
    seconds = in_turn(1, lambda: Features(encoder).of_prompts(ensemble), lambda: _in_chunks(ensemble))
    rows.append(Comparison("18 templates x 100 classes", "s", "openai-clip", *seconds, "at least 6x"))
    progress("prompts", 2 + len(others), 2 + len(others))
    return [*rows, Fact("largest difference from encode_text", _difference(encoder), target="at most 1e-05")]


def _in_chunks(prompts: list[str]) -> None:
    # All 1,800 at once would want gigabytes.
    for start in range(0, len(prompts), 100):
        openai_texts(prompts[start : start + 100])


def _edit(rounds: int, encoder, names: tuple[str, ...]) -> Comparison:
    """Edit one class name of a hundred."""
    features = Features(encoder)
    features.of_prompts([README_TEMPLATE.format(name) for name in names])
    edits = iter(range(rounds))

    def edited() -> list[str]:
        return [README_TEMPLATE.format(name) for name in (*names[:-1], f"wolf number {next(edits)}")]

    spent = in_turn(rounds, lambda: features.of_prompts(edited()))[0]
    theirs = in_turn(rounds, lambda: openai_texts([README_TEMPLATE.format(name) for name in names]))[0]
    return Comparison("one class of 100 edited", "s", "openai-clip, all prompts again", spent, theirs)


def _difference(encoder) -> float:
    """Return the largest difference over prompts of 3 to 77 tokens, start and end included."""
    prompts = [" ".join(["word"] * words) for words in (1, 2, 3, 5, 8, 13, 21, 34, 55, 75)]
    # One by one: together they would all have the context of the longest.
    ours_alone = np.concatenate([encoder.encode_texts([prompt]) for prompt in prompts])
    return float(abs(ours_alone - openai_texts(prompts).numpy()).max())
