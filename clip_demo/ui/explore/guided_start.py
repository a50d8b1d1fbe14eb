"""The guided start: four small experiments, each a question that one click answers. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from ...backend import Backend
from ...datasets.catalog import CIFAR100, SHAPES100
from ...datasets.example_photos import example_photos
from ...models.catalog import BUILT_IN
from ..permalink import EXAMPLE, OWN, TEST_IMAGE, View, own_classes, start

# The first test images of Shapes-100 with a pair of colour and shape that the training captions of the built-in model
# named, and with one that they did not.
SEEN_INDEX, UNSEEN_INDEX, UNSEEN_NAME = 220, 3, "red square"
_OWN_WORDS = "person, cup, phone, keyboard, bottle, book, plant, chair, window, cat"


@dataclass(frozen=True)
class Experiment:
    """A question about what CLIP will say, and what to set to see it.

    Attributes
    ----------
    title, teaser : str
        What its card says.
    question, action : str
        The question, and the label of the button that answers it; no action: the visitor acts.
    explanation : str
        One sentence or two, true whatever the model said.
    before, after : mapping of str to value
        Attributes of `View` to set with the question, and with the answer.
    """

    title: str
    teaser: str
    question: str
    action: str = ""
    explanation: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


def experiments(backend: Backend, model: str) -> dict[str, Experiment]:
    """Return the experiments that can be made with a model and the datasets of the backend, by name."""
    made = _on_a_photo(backend) if example_photos() else {}
    if model == BUILT_IN and SHAPES100 in backend.datasets:
        made["unseen"] = _on_an_unseen_pair(backend)
    made["own"] = Experiment(
        title="Your photo",
        teaser="Drop one anywhere",
        question="Drop a photo on this page, paste one, or take one with the camera. Is what it shows on the list? "
        "If not, add the word.",
        before={"source": OWN, "classes": _OWN_WORDS},
    )
    return made


def _on_a_photo(backend: Backend) -> dict[str, Experiment]:
    photo = next(iter(example_photos().values()))
    others = [name for name in photo.classnames if name != photo.label]
    dataset = CIFAR100 if CIFAR100 in backend.datasets else backend.default_dataset
    before = {
        **{"source": EXAMPLE, "example": photo.name, "dataset": dataset},
        "classes": ", ".join(photo.classnames),
    }
    hide = Experiment(
        title="Hide the answer",
        teaser=f"What will it say without “{photo.label}”?",
        question=f"“{photo.label}” is on the list. What will zero-shot say when it is gone?",
        action=f"Take “{photo.label}” out",
        explanation="Zero-shot always picks from your list. Without the right word the next best one wins, and the "
        "shares still add up to 100 %.",
        before=before,
        after={"classes": ", ".join(others)},
    )
    two = Experiment(
        title="Two words",
        teaser="Can it be sure and wrong?",
        question="Only two words stay, and both are wrong. Will zero-shot be in doubt?",
        action=f"Keep “{others[0]}” and “{others[-1]}”",
        explanation="The shares compare your words with each other only. A large share does not mean that the word is "
        "right: it means that the other one fits even less.",
        before=before,
        after={"classes": f"{others[0]}, {others[-1]}"},
    )
    return {"hide": hide, "two": two}


def _on_an_unseen_pair(backend: Backend) -> Experiment:
    shapes = {"source": TEST_IMAGE, "dataset": SHAPES100, "classes": own_classes(backend, SHAPES100)}
    return Experiment(
        title="Never seen",
        teaser="A pair that it was never told",
        question=f"This model was trained on red things and on squares, but never on a {UNSEEN_NAME}. "
        "Will it recognise one?",
        action=f"Show it a {UNSEEN_NAME}",
        explanation="No training caption had this pair. If the right bar is on top, the model has put two words "
        "together that it knew apart.",
        before={**shapes, "index": SEEN_INDEX},
        after={"index": UNSEEN_INDEX},
    )


def view_of(backend: Backend, model: str, experiment: Experiment, answered: bool) -> View:
    """Return what the page shows with the question of an experiment, or with its answer."""
    changes = {**experiment.before, **(experiment.after if answered else {})}
    return replace(start(backend, changes.get("dataset"), model), **changes)


def strip(experiments: Mapping[str, Experiment], name: str | None = None, answered: bool = False) -> str:
    """Return the cards of all experiments, or one experiment with its question, or with its answer."""
    if name not in experiments:
        cards = "".join(
            f'<button type="button" class="try" data-experiment="{key}"><b>{escape(each.title)}</b>'
            f"<span>{escape(each.teaser)}</span></button>"
            for key, each in experiments.items()
        )
        content = f'<b class="invite">Try</b><div class="tries">{cards}</div>'
    else:
        chosen, following = experiments[name], _after(list(experiments), name)
        text = chosen.explanation if answered else chosen.question
        buttons = _button(name, chosen.action, answer=True) if chosen.action and not answered else ""
        buttons += _button(following, f"Next: {experiments[following].title}")
        content = f'<b class="invite">{escape(chosen.title)}</b><p>{escape(text)}</p>{buttons}'
    close = '<button type="button" class="close" data-close="1" aria-label="Close the guide">✕</button>'
    return f'<section class="guide" aria-label="Guide">{content}{close}</section>'


def _after(names: list[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]


def _button(name: str, label: str, answer: bool = False) -> str:
    kind = "answer" if answer else "next"
    return (
        f'<button type="button" class="step {kind}" data-experiment="{name}" data-answer="{int(answer)}">'
        f"{escape(label)}</button>"
    )
