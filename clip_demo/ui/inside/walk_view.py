"""The walk as HTML: the list of its steps, and for each step a section. Pure functions."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from ...datasets.base import Dataset
from ...inside.walk import Walk
from ...zero_shot.none_of_these import NoneOfThese
from ..html import name_html
from . import encoder_steps, probe_steps, zero_shot_steps


@dataclass(frozen=True, eq=False)
class Shown:
    """What the walk shows.

    Attributes
    ----------
    walk : Walk
    dataset : Dataset
        Of the probe.
    model : str
    sharpness : float
        The value of Explore's slider.
    truth : str or None
        The true label.
    subject : str
        What the image is, such as "Test image 12 of Shapes-100".
    may_change : bool
        Whether there are other images to choose from.
    note : str
        Why the model is another one than the visitor chose; "" where it is not.
    none_of_these : NoneOfThese or None
        Of Explore, where it is on.
    """

    walk: Walk
    dataset: Dataset
    model: str
    sharpness: float
    truth: str | None
    subject: str
    may_change: bool = True
    note: str = ""
    none_of_these: NoneOfThese | None = None


@dataclass(frozen=True)
class Step:
    """A step: its name in addresses, its title in the list, its heading, what one can do, and what draws it."""

    name: str
    title: str
    heading: str
    task: str
    caption: Callable[[Shown], str]
    draw: Callable[[Shown], str]


STEPS = (
    Step(
        "image",
        "Image",
        "The image as the model gets it",
        "Point at one part of the image: could you still say what it is?",
        lambda shown: encoder_steps.image_caption(shown.walk),
        lambda shown: encoder_steps.image_step(shown.walk),
    ),
    Step(
        "tokens",
        "Words",
        "From words to tokens",
        "Follow another class: which pieces change, and which stay?",
        lambda shown: encoder_steps.tokens_caption(shown.walk),
        lambda shown: encoder_steps.tokens_step(shown.walk),
    ),
    Step(
        "vectors",
        "Vectors",
        "Two vectors in one space",
        "Find a large square that both have in the same place.",
        lambda shown: encoder_steps.vectors_caption(shown.walk),
        lambda shown: encoder_steps.vectors_step(shown.walk),
    ),
    Step(
        "cosine",
        "Cosine",
        "How well they match: the cosine",
        "Follow a class that does not fit: what happens to the products?",
        lambda shown: zero_shot_steps.cosine_caption(shown.walk),
        lambda shown: zero_shot_steps.cosine_step(shown.walk),
    ),
    Step(
        "scale",
        "Scale",
        "Times the logit scale",
        "Move the sharpness: does the order of the classes ever change?",
        lambda shown: zero_shot_steps.scale_caption(shown.walk),
        lambda shown: zero_shot_steps.scale_step(shown.walk, shown.sharpness),
    ),
    Step(
        "softmax",
        "Shares",
        "From scores to shares: the softmax",
        "Take the first class off the list. Which shares move, and which cosines?",
        lambda shown: zero_shot_steps.softmax_caption(shown.walk),
        lambda shown: zero_shot_steps.softmax_step(shown.walk, shown.sharpness, shown.none_of_these),
    ),
    Step(
        "probe",
        "Probe",
        "The linear probe, on the same image vector",
        "Point at a large square: for which of the two classes does it speak?",
        lambda shown: probe_steps.probe_caption(shown.walk, shown.dataset),
        lambda shown: probe_steps.probe_step(shown.walk),
    ),
    Step(
        "difference",
        "Both",
        "Why they differ here, or agree",
        "Which one is right here, and is it the same one for another image?",
        lambda shown: probe_steps.difference_caption(shown.walk),
        lambda shown: probe_steps.difference_step(shown.walk, shown.dataset, shown.truth),
    ),
)


# After the last step, the first panel.
_ONWARD = '<button type="button" data-panel="heat-maps" class="next">Next: What it looked at</button>'
_KEYS = '<p class="keys"><kbd>←</kbd> <kbd>→</kbd> steps <kbd>Q</kbd> QR code <kbd>Esc</kbd> leave</p>'


def walk_html(shown: Shown, drawn: str = "") -> str:
    """Return the whole walk; `static/inside.js` shows one step at a time.

    Gradio changes the elements on the page in place. A new value of `drawn` tells the script that it has.
    """
    links = "".join(
        f'<li><button type="button" data-step="{step.name}"><span class="number">{i}</span> {step.title}</button></li>'
        for i, step in enumerate(STEPS, 1)
    )
    sections = "".join(_section(i, step, shown) for i, step in enumerate(STEPS))
    return (
        f'<div class="walk" data-drawn="{drawn}">{_followed(shown)}'
        f'<nav aria-label="Steps"><ol class="steps">{links}</ol></nav>{sections}{_KEYS}</div>'
    )


def _followed(shown: Shown) -> str:
    """Return what the walk follows, with the choice of the class and of another image.

    The buttons "QR code" and "Leave" are shown in the presentation view only.
    """
    options = "".join(
        f"<option{' selected' if each.label == shown.walk.cosine.classname else ''}>{escape(each.label)}</option>"
        for each in shown.walk.classes
    )
    another = '<button type="button" data-action="another">Another image</button>' if shown.may_change else ""
    truth = f": <b>{name_html(shown.truth)}</b>" if shown.truth else ""
    title = shown.dataset.title
    dataset = "" if title in shown.subject else f" · dataset <b>{escape(title)}</b>"
    note = f'<p class="note" role="status">{escape(shown.note)}</p>' if shown.note else ""
    return (
        f'{note}<div class="followed">'
        f"<p>{escape(shown.subject)}{truth} · model <b>{escape(shown.model)}</b>{dataset}</p>"
        f'<label>Follow the class <select id="follow">{options}</select></label>{another}'
        '<button type="button" data-action="change">Edit in Explore</button>'
        '<button type="button" data-action="code">QR code</button>'
        '<button type="button" data-action="leave">Leave</button></div>'
    )


def _section(i: int, step: Step, shown: Shown) -> str:
    before, after = STEPS[i - 1] if i else None, STEPS[i + 1] if i + 1 < len(STEPS) else None
    buttons = "".join(
        f'<button type="button" data-step="{other.name}" class="{kind}">{text}: {other.title}</button>'
        for other, kind, text in ((before, "previous", "Back"), (after, "next", "Next"))
        if other
    )
    buttons += "" if after else _ONWARD
    return (
        f'<section class="step" id="step-{step.name}" data-name="{step.name}" aria-labelledby="heading-{step.name}">'
        f'<h2 id="heading-{step.name}" tabindex="-1"><span class="number">{i + 1}</span> {step.heading}</h2>'
        f'<p class="caption">{step.caption(shown)}</p><p class="task"><b>Try</b> {step.task}</p>'
        f'<div class="body">{step.draw(shown)}</div><div class="onward">{buttons}</div></section>'
    )
