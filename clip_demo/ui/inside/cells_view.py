"""Vectors drawn as blocks of cells, and the field that reads one cell: pure functions.

Each number is a square in its cell, whose area is its size: filled where it is positive, a frame where it is negative.
So the signs are told apart without colours. `static/inside.js` marks the cell that the visitor points at or chooses.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from ...inside.walk import Term
from ..html import signed

COLUMNS = 32
_UNIT = 10  # of the drawing, for one cell


def cells(values: np.ndarray, name: str, *, at: int = 0, digits: int = 4) -> str:
    """Return the numbers of a vector as cells.

    Parameters
    ----------
    values : numpy.ndarray, shape (d,)
    name : str
        What the numbers are, for the caption and for those who cannot see them.
    at : int
        The cell that is marked first, from 0.
    digits : int
        Decimals of the numbers that can be read.
    """
    rows = -(-len(values) // COLUMNS)
    largest = float(np.abs(values).max()) or 1.0
    positive, negative = [], []
    for i, value in enumerate(np.asarray(values, dtype=float)):
        # In tenths, so that the numbers are whole: there are thousands of them.
        side = round((10 * _UNIT - 10) * (abs(value) / largest) ** 0.5)
        start = (10 * _UNIT - side) // 2
        square = f"M{10 * _UNIT * (i % COLUMNS) + start} {10 * _UNIT * (i // COLUMNS) + start}h{side}v{side}h-{side}z"
        # The hole of a frame is drawn the other way round.
        hole = side - 30
        if value < 0 and hole > 0:
            square += f"m15 15v{hole}h{hole}v-{hole}z"
        (positive if value >= 0 else negative).append(square)
    most, least = int(np.argmax(values)), int(np.argmin(values))
    spoken = (
        f"{name}: {len(values)} numbers. The largest is number {most + 1} with {signed(values[most], digits)}, the "
        f"smallest number {least + 1} with {signed(values[least], digits)}."
    )
    numbers = " ".join(f"{value:.{digits}f}" for value in values)
    return (
        f'<figure class="vector"><figcaption>{escape(name)}</figcaption>'
        f'<svg class="cells" role="img" aria-label="{escape(spoken)}" viewBox="0 0 {COLUMNS * _UNIT} {rows * _UNIT}" '
        f'data-name="{escape(name)}" data-values="{numbers}">'
        f'<g transform="scale(.1)"><path class="plus" d="{"".join(positive)}"/>'
        f'<path class="minus" d="{"".join(negative)}"/></g>'
        f'<rect class="at" x="{_UNIT * (at % COLUMNS)}" y="{_UNIT * (at // COLUMNS)}" '
        f'width="{_UNIT}" height="{_UNIT}"/>'
        "</svg></figure>"
    )


def vectors(
    named: Sequence[tuple[str, np.ndarray]], *, what: str, at: int = 0, digits: int = 4, signs: str = ""
) -> str:
    """Return several vectors of one length, with a field that chooses a number in all of them and reads it.

    Parameters
    ----------
    named : sequence of (str, numpy.ndarray)
        Name and numbers of each vector.
    what : str
        Identifies the field on the page.
    at : int
        The number that is read first, from 0.
    digits : int
    signs : str
        Between the vectors: a character for each gap, as in "×=".
    """
    n = len(named[0][1])
    drawn = []
    for i, (name, values) in enumerate(named):
        drawn.append(cells(values, name, at=at, digits=digits))
        drawn += [f'<span class="sign" aria-hidden="true">{sign}</span>' for sign in signs[i : i + 1]]
    reading = ", ".join(f"{name} {signed(values[at], digits)}" for name, values in named)
    return (
        f'<div class="vectors" data-digits="{digits}"><div class="row">{"".join(drawn)}</div>'
        f'<div class="pick"><label for="pick-{what}">Number</label>'
        f'<input type="range" id="pick-{what}" min="1" max="{n}" value="{at + 1}" '
        f'aria-valuetext="{at + 1}: {escape(reading)}"><output for="pick-{what}">'
        f"<b>{at + 1}</b> of {n}: {escape(reading)}</output></div>{_KEY}</div>"
    )


_KEY = (
    '<p class="key"><span class="plus" aria-hidden="true"></span> positive '
    '<span class="minus" aria-hidden="true"></span> negative; the larger, the further from 0</p>'
)


def terms_table(terms: Sequence[Term], caption: str, weight: str, *, digits: int = 4) -> str:
    """Return the terms of a sum of products as a table: image × weight = product."""
    largest = max((abs(term.product) for term in terms), default=0) or 1.0
    rows = "".join(
        f'<tr><th scope="row"><button type="button" data-pick="{term.dimension + 1}">{term.dimension + 1}</button></th>'
        f"<td>{signed(term.image, digits)}</td><td>{signed(term.weight, digits)}</td>"
        f'<td class="product">{signed(term.product, digits)}'
        f'<span class="term {"plus" if term.product >= 0 else "minus"}" aria-hidden="true" '
        f'style="width:{100 * abs(term.product) / largest:.1f}%"></span></td></tr>'
        for term in terms
    )
    return (
        f'<table class="terms"><caption>{caption}</caption><thead><tr><th scope="col">number</th>'
        f'<th scope="col">image</th><th scope="col">× {escape(weight)}</th><th scope="col">= product</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
