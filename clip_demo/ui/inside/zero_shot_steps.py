"""The steps from two vectors to the zero-shot shares. Pure functions from a `Walk` to HTML."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from ...inside.walk import ClassShare, Walk
from ...zero_shot.none_of_these import NoneOfThese
from ..html import name_html, percent, signed
from ..permalink import MAX_SHARPNESS, MIN_SHARPNESS
from .cells_view import terms_table, vectors

LISTED = 5  # classes in the table of logits
BARS = 10  # classes that can be taken from the list


def cosine_step(walk: Walk) -> str:
    """Return the products of both vectors, those that add most and least, and their sum."""
    cosine = walk.cosine
    positive = float(cosine.products[cosine.products > 0].sum())
    negative = float(cosine.products[cosine.products < 0].sum())
    count = int(np.count_nonzero(cosine.products > 0))
    named = [("image", cosine.image), ("text", cosine.text), ("product", cosine.products)]
    drawn = vectors(named, what="cosine", at=cosine.most[0].dimension, signs="×=")
    result = f'<span class="result">cosine <b>{signed(cosine.value)}</b></span>'
    return (
        f"{drawn}"
        f'<p class="sum">{count} of {len(cosine.products)} products are above 0 and add {signed(positive)}, the '
        f"others take {signed(abs(negative))} away: {result}</p>"
        f'<div class="row tables">{terms_table(cosine.most, "What adds most", "text")}'
        f"{terms_table(cosine.least, 'What takes most away', 'text')}</div>"
    )


def cosine_caption(walk: Walk) -> str:
    """Say what the cosine is."""
    return (
        f"Multiply the image and “{name_html(walk.cosine.classname)}” number by number and add all products: the sum "
        "is the cosine of the angle between both vectors. It is 1 for the same direction and 0 for a right angle. An "
        "image and a sentence never have the same direction, so it is small even where they fit well."
    )


def scale_step(walk: Walk, sharpness: float) -> str:
    """Return the cosines of the first classes times the logit scale, and how far each is behind the first."""
    best = walk.classes[0].logit
    rows = "".join(
        f'<tr data-cosine="{each.cosine!r}"><th scope="row">{name_html(each.label)}</th>'
        f'<td>{signed(each.cosine)}</td><td class="logit">{signed(each.logit, 2)}</td>'
        f'<td class="behind">{signed(each.logit - best, 2)}</td>'
        f'<td class="weight">{weight_text(each.logit - best)}</td></tr>'
        for each in walk.classes[:LISTED]
    )
    return (
        f"{sharpness_field(walk, sharpness, 'scale')}"
        '<div class="sideways"><table class="numbers logits"><thead><tr><th scope="col">class</th>'
        '<th scope="col">cosine</th>'
        f'<th scope="col">× <span class="scale">{scale_text(walk.logit_scale)}</span></th>'
        '<th scope="col">behind the first</th><th scope="col">weight: e to that power</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def sharpness_field(walk: Walk, sharpness: float, what: str) -> str:
    """Return the slider of Explore's sharpness. Its scale is the model's own times two to the power of its value."""
    own = walk.logit_scale / 2.0**sharpness
    return (
        f'<div class="pick sharpness" data-own="{own!r}"><label for="sharpness-{what}">Sharpness</label>'
        f'<input type="range" id="sharpness-{what}" min="{MIN_SHARPNESS}" max="{MAX_SHARPNESS}" step="0.25" '
        f'value="{sharpness:g}" aria-valuetext="logit scale {scale_text(walk.logit_scale)}">'
        f'<output for="sharpness-{what}">logit scale <b class="scale">{scale_text(walk.logit_scale)}</b></output></div>'
    )


def scale_text(scale: float) -> str:
    """Return a logit scale with two decimals, without zeros at the end."""
    return f"{scale:.2f}".rstrip("0").rstrip(".")


def weight_text(behind: float) -> str:
    """Return e to the power of a difference of logits, which is at most 0."""
    weight = math.exp(behind)
    return f"{weight:.4f}" if weight >= 0.00005 else "below 0.0001"


def scale_caption(walk: Walk) -> str:
    """Say what the logit scale does."""
    own = scale_text(walk.logit_scale)
    lead = walk.classes[0].cosine - walk.classes[1].cosine
    times = math.exp(min(walk.logit_scale * lead, 700))
    ratio = f"{times:,.1f}" if times < 1e6 else f"{times:.0e}"
    return (
        f"Each cosine is multiplied by one number, {own} here, which CLIP learned in its training and the sharpness "
        "changes. Only differences count afterwards: each class gets the weight <i>e</i> = 2.718… to the power of its "
        f"distance behind the first. A lead of {lead:.4f} makes “{name_html(walk.classes[0].label)}” {ratio} times as "
        f"heavy as “{name_html(walk.classes[1].label)}”."
    )


def softmax_step(walk: Walk, sharpness: float, none: NoneOfThese | None = None) -> str:
    """Return the shares with a switch for each class, and the sum of all others."""
    shown, others = walk.classes[:BARS], walk.classes[BARS:]
    bars = "".join(_switch(each) for each in shown)
    rest = ""
    if others:
        share = sum(each.probability for each in others)
        rest = (
            f'<p class="rest">The {len(others):,} other classes of the list together: '
            f'<b class="percent">{percent(share)}</b></p>'
        )
    cosines = " ".join(repr(each.cosine) for each in others)
    return (
        f"{sharpness_field(walk, sharpness, 'softmax')}{_division(walk.classes)}{_on_explore(none, walk.classes[0])}"
        f'<ol class="bars shares zero-shot" data-rest="{cosines}">{bars}</ol>{rest}'
        '<button type="button" class="back" disabled>Put all back</button>'
    )


def _on_explore(none: NoneOfThese | None, first: ClassShare) -> str:
    """Say how Explore's bars follow from the shares of the list where "None of these" is on."""
    if none is None:
        return ""
    kept = 1 - none.probability
    return (
        f'<p class="note none-of-these">On Explore “None of these” is on: there {len(none.nouns)} other nouns are in '
        f"the sum, too, and take <b>{percent(none.probability)}</b> of it. The list keeps {percent(kept)}: the bar of "
        f"“{name_html(first.label)}” is {percent(kept)} × {percent(first.probability)} = "
        f"<b>{percent(kept * first.probability)}</b>.</p>"
    )


def _division(classes: Sequence[ClassShare]) -> str:
    best = classes[0]
    total = sum(math.exp(each.logit - best.logit) for each in classes)
    return (
        f'<p class="sum" role="status"><span class="first">{name_html(best.label)}</span>: weight 1 of '
        f'<span class="total">{total:.4f}</span> = <b class="share">{percent(best.probability)}</b></p>'
    )


def _switch(each: ClassShare) -> str:
    return (
        f'<li class="bar" data-class="{escape(each.label)}" data-cosine="{each.cosine!r}">'
        f'<label class="label"><input type="checkbox" checked> {name_html(each.label)}</label>'
        f'<span class="values"><span class="cosine">cosine {each.cosine:.4f}</span>'
        f'<span class="percent">{percent(each.probability)}</span></span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * each.probability:.3f}%"></span></span></li>'
    )


def softmax_caption(walk: Walk) -> str:
    """Say what the softmax does."""
    return (
        f"The weights of all {len(walk.classes):,} classes are added, and each class gets its part of the sum: all "
        "shares make 100 %. So a share says how far a class is ahead of the others on your list, and not how sure it "
        "is that it is right. No labelled image was needed, only the words."
    )
