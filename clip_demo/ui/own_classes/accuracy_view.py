"""How good the classifiers are on photos that they did not learn from, as HTML and CSV."""

from __future__ import annotations

import base64
from html import escape

import numpy as np

from ...csv_text import write_csv
from ...own_classes.held_out import LEAVE_ONE_OUT, HeldOut
from ...own_classes.photo_set import PhotoSet
from ..html import name_html
from .text import METHODS
from .view import thumbnail_url

_SYMBOLS = {"zero_shot": "■", "text_and_photos": "◆", "nearest_mean": "▲", "linear_probe": "●"}


def summary(result: HeldOut, photo_set: PhotoSet) -> str:
    """Return the heading, what was done, and the accuracies as a table."""
    n = len(photo_set.photos)
    how = "each photo was left out once" if n <= LEAVE_ONE_OUT else "a tenth of the photos was left out at a time"
    rows = "".join(_row(name, result, n) for name in METHODS)
    return (
        f"{HEADING}<p>Each of your {n} photos, answered by classifiers that did not learn from it: {how}. {_CHANCE}"
        f"{_FIGURE if len(result.curves['zero_shot']) > 1 else ''}</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Accuracy of the classifiers"><table>'
        "<thead><tr><th>Classifier</th><th>Right</th><th>Accuracy</th><th>95\N{NO-BREAK SPACE}% range</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


_CHANCE = (
    "A few photos leave much to chance: with many more like them, the accuracy would probably lie in the "
    "95\N{NO-BREAK SPACE}% range. Where two ranges overlap widely, it is open which classifier is better. Photos that "
    "are nearly the same, as from a webcam, make all look better than they are."
)
_FIGURE = " The figure repeats the test with 1, 2, 4 … photos of each class to learn from."
HEADING = '<h3 id="teach-how-good">How good is it, honestly?</h3>'


def _row(name: str, result: HeldOut, n: int) -> str:
    last = result.curves[name][-1]
    return (
        f'<tr class="{METHODS[name].kind}"><th scope="row"><span aria-hidden="true">{_SYMBOLS[name]}</span> '
        f"{METHODS[name].name}</th><td>{round(last.accuracy * n)} of {n}</td><td>{100 * last.accuracy:.0f}"
        f"\N{NO-BREAK SPACE}%</td><td>{100 * last.low:.0f} to {100 * last.high:.0f}\N{NO-BREAK SPACE}%</td></tr>"
    )


def details(result: HeldOut, photo_set: PhotoSet) -> str:
    """Return the photo most in doubt, the confusions, and a link that saves all answers."""
    parts = _doubt(result, photo_set) + _confusion(result, photo_set)
    return f'<div class="teach-details">{parts}</div>{_csv_link(result, photo_set)}'


def _doubt(result: HeldOut, photo_set: PhotoSet) -> str:
    photo, names = photo_set.photos[result.doubt], photo_set.classnames
    true, said = photo_set.labels[result.doubt], result.predicted["text_and_photos"][result.doubt]
    url = thumbnail_url(photo)
    image = f'<img src="{url}" alt="">' if url else ""
    verdict = (
        f"It takes it for {name_html(names[said])}. Is the photo in the right class?"
        if said != true
        else "It is right all the same."
    )
    return (
        f'<section class="doubt"><h4>Most in doubt</h4>{image}<p>“{METHODS["text_and_photos"].name}” is least '
        f"sure of this photo of <b>{name_html(names[true])}</b>. {verdict}</p></section>"
    )


def _confusion(result: HeldOut, photo_set: PhotoSet) -> str:
    names, counts = photo_set.classnames, result.confusion["text_and_photos"]
    head = "".join(f'<th scope="col">{name_html(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{name_html(name)}</th>{"".join(_cell(n, i == j) for j, n in enumerate(row))}</tr>'
        for i, (name, row) in enumerate(zip(names, counts.tolist(), strict=True))
    )
    return (
        '<section class="confusion"><h4>What is taken for what</h4><p>What “Names and photos” answers: a row for '
        'the photos of each class, a column for each answer.</p><div class="scroll" tabindex="0" role="region" '
        'aria-label="What is taken for what">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _cell(n: int, right: bool) -> str:
    kind = "" if n == 0 else ' class="right"' if right else ' class="wrong"'
    return f"<td{kind}>{n or '·'}</td>"


def answers_csv(result: HeldOut, photo_set: PhotoSet) -> str:
    """Return the answer of each classifier to each photo, in the order of the classes and their photos."""
    names, labels = np.array(photo_set.classnames), photo_set.labels
    columns = [names[labels].tolist(), *(names[result.predicted[name]].tolist() for name in METHODS)]
    numbers = [i + 1 for each in photo_set.classes for i in range(len(each.photos))]
    return write_csv([("photo", "class", *METHODS), *zip(numbers, *columns, strict=True)])


def _csv_link(result: HeldOut, photo_set: PhotoSet) -> str:
    content = base64.b64encode(answers_csv(result, photo_set).encode()).decode("ascii")
    url = escape(f"data:text/csv;charset=utf-8;base64,{content}")
    return f'<p><a class="save" download="own-classes-answers.csv" href="{url}">Save all answers (CSV)</a></p>'
