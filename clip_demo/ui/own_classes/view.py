"""What the tab draws: the state of the class cards as JSON, and the bars of all classifiers as HTML."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...linear_probe.head import ProbeScore
from ...own_classes.classifiers import Examples
from ...own_classes.photo_set import Photo, PhotoSet
from ...serving.teacher import Answer
from ..explore.prediction_cards import bar
from ..html import name_html
from .text import METHODS, NEEDS_TWO, NEEDS_TWO_MORE, UNNAMED, formula


def state_json(photo_set: PhotoSet, known: Collection[str], *, can_undo: bool, **more: Any) -> str:
    """Return what the browser draws the class cards from.

    Parameters
    ----------
    photo_set : PhotoSet
    known : collection of str
        Keys of photos whose thumbnails the browser has.
    can_undo : bool
    **more
        ``message``, ``file``: what else the answer says.
    """
    thumbnails = {photo.key: thumbnail_url(photo) for photo in photo_set.photos if photo.key not in known}
    classes = [{"name": each.name, "keys": [photo.key for photo in each.photos]} for each in photo_set.classes]
    return json.dumps({"classes": classes, "thumbnails": thumbnails, "canUndo": can_undo, **more})


def thumbnail_url(photo: Photo) -> str:
    """Return a thumbnail as a data URL; "" for a photo that was saved without one."""
    content = base64.b64encode(photo.thumbnail).decode("ascii")
    return f"data:image/webp;base64,{content}" if content else ""


def bars(
    answers: Sequence[Answer], examples: Examples, classnames: Sequence[str], truth: str | None, held_out: bool
) -> str:
    """Return the cards of all classifiers.

    Parameters
    ----------
    answers : sequence of Answer
    examples : Examples
        What they learned from.
    classnames : sequence of str
        In the order of the class cards, which the bars have in all cards, so that they can be compared.
    truth : str or None
        The class that the visitor gave the photo.
    held_out : bool
        Whether the photo is one of the set, which they did not learn from now.
    """
    found = {each.classifier: dict(each.classes) for each in answers}
    missing = NEEDS_TWO_MORE if held_out else NEEDS_TWO
    cards = "".join(_card(name, found.get(name), classnames, truth, missing) for name in METHODS)
    unnamed = UNNAMED if any(re.fullmatch(r"class \d+", name) for name in classnames) else ""
    mixed = formula(examples.n0) if "text_and_photos" in found else ""
    return f'<div class="results">{unnamed}<div class="cards">{cards}</div>{mixed}</div>'


def _card(
    name: str, shares: Mapping[str, float] | None, classnames: Sequence[str], truth: str | None, missing: str
) -> str:
    method = METHODS[name]
    if shares is None:
        body = f'<p class="nothing">{missing}</p>'
    else:
        first = max(shares, key=shares.__getitem__)
        rows = "".join(_bar(each, shares.get(each), truth, each == first) for each in classnames)
        body = f'<ul class="bars">{rows}</ul>'
    head = f'<h3 id="teach-{name}">{method.name}</h3><p class="about">{method.about}</p>'
    return f'<section class="card {method.kind}" aria-labelledby="teach-{name}">{head}{body}</section>'


def _bar(name: str, share: float | None, truth: str | None, first: bool) -> str:
    if share is None:
        return f'<li class="bar none"><span class="label">{name_html(name)}</span><span>no photos</span></li>'
    html = bar(ProbeScore(name, share), truth)
    return html.replace('<li class="bar', '<li class="bar first', 1) if first else html
