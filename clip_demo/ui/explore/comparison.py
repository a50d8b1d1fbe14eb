"""What the bars are compared with: the words before the last change, or the prompt set that the visitor keeps as A."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ...linear_probe.head import ProbeScore
from ...zero_shot.classifier import ZeroShotScore
from ...zero_shot.none_of_these import NoneOfThese
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import same_class

Score = TypeVar("Score", ZeroShotScore, ProbeScore)

# Changes that follow each other within this time, in seconds, are one change: somebody is typing.
PAUSE = 2.0


@dataclass(frozen=True)
class Words:
    """The words that the page has shown of one image.

    Attributes
    ----------
    image : hashable
        Identifies the image.
    prompts : PromptSet
        The words now.
    previous : PromptSet or None
        The words before the last change.
    changed : float
        Time of the last change in seconds.
    """

    image: Hashable
    prompts: PromptSet
    previous: PromptSet | None = None
    changed: float = float("-inf")

    def then(self, image: Hashable, prompts: PromptSet, now: float) -> Words:
        """Return the words after an event. With another image the comparison starts anew."""
        if image != self.image:
            return Words(image, prompts)
        if prompts == self.prompts:
            return self
        typing = self.previous is not None and now - self.changed < PAUSE
        previous = self.previous if typing else self.prompts
        return replace(self, prompts=prompts, previous=previous, changed=now)


@dataclass(frozen=True)
class Comparison:
    """The scores of the same image with other words.

    Attributes
    ----------
    name : str
        What the words are, as the page says it.
    scores : sequence of ZeroShotScore
        All of them, the most probable first.
    none_of_these : NoneOfThese or None
        With the other words, where it is asked.
    """

    name: str
    scores: Sequence[ZeroShotScore]
    none_of_these: NoneOfThese | None = None

    def find(self, label: str) -> tuple[int, ZeroShotScore] | None:
        """Return what `find_class` does for these scores."""
        return find_class(self.scores, label)


def find_class(scores: Sequence[Score], label: str | None) -> tuple[int, Score] | None:
    """Return rank, from 1, and score of a class, or of one that `same_class` takes for it; None without a score."""
    found = [(rank, score) for rank, score in enumerate(scores, 1) if same_class(score.label, label)]
    return min(found, key=lambda each: each[1].label != label, default=None)
