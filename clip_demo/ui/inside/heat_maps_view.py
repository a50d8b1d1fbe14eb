"""The heat maps as HTML: cells over the image that the model gets, and under each map its check in numbers."""

from __future__ import annotations

from html import escape
from math import isqrt

import numpy as np

from ...inside.heat_map import COVER_TEST, HeatMap, HeatMaps, hottest_fifth, resample
from ...numerics import best
from ..html import input_url, name_html
from .panel_text import number, percent1

LIMITS = (
    '<p class="caption">Maps from gradients point little better than chance once four objects are in a photo, and the '
    "cells are coarse: a map says where a score comes from, not what the model thinks.</p>"
)
NOT_COVERED = (
    '<p class="placeholder">Press “Run the cover test”: every cell is hidden once, and each cell shows how much the '
    "score falls without it.</p>"
)
_SHARP = 128  # pixels; a model whose input is smaller shows its pixels
_FAINT = 0.04  # of the strongest cell; weaker cells are not drawn
_SPOKEN = 3  # how many cells the description names


def maps_html(maps: HeatMaps) -> str:
    """Return the maps of one method: zero-shot prediction beside the linear probe."""
    cards = [_card(maps, maps.zero_shot, "zero-shot")]
    if maps.probe is None:
        text = "No linear probe is fitted for this model and dataset yet: see the Few-shot tab."
        cards.append(f'<section class="map-card probe"><h4>Linear probe</h4><p class="caption">{text}</p></section>')
    else:
        cards.append(_card(maps, maps.probe, "probe"))
    return f'<div class="map-cards">{"".join(cards)}</div>'


def method_html(heat_map: HeatMap) -> str:
    """Return the heading of a method: what its numbers are, and what the colours of the cells mean."""
    title = f"Instant map, from gradients ({heat_map.method})"
    text = "How the score would change with each cell, from one pass through the model: fast, but an estimate."
    against = ""
    if heat_map.method == COVER_TEST:
        title = "Cover test: the reference"
        text = "Each cell is hidden once. Its number is how much the score falls without it."
        against = '<li class="against">speaks against: without it, the score rises</li>'
    return (
        f'<h3>{title}</h3><p>{text}</p><ul class="map-legend"><li class="for">speaks for the class</li>{against}'
        '<li class="hottest">the hottest fifth</li></ul>'
    )


def _card(maps: HeatMaps, heat_map: HeatMap, kind: str) -> str:
    first, second = name_html(heat_map.first), name_html(heat_map.second)
    title = f"Zero-shot: {first} before {second}" if heat_map.second else f"Linear probe: {first}"
    return (
        f'<section class="map-card {kind}"><h4>{title}</h4><div class="map-body">{_map(maps.pixels, heat_map)}'
        f"{_check(heat_map)}</div>{_numbers(heat_map)}</section>"
    )


# --- the cells --------------------------------------------------------------------------------------------------------


def _map(pixels: np.ndarray, heat_map: HeatMap) -> str:
    rows, columns = heat_map.values.shape
    image = input_url(pixels)
    sharp = ' class="small"' if len(pixels) < _SHARP else ""
    return (
        f'<div class="map" role="img" aria-label="{escape(description(heat_map))}"><img{sharp} src="{image}" alt="">'
        f'<svg viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" aria-hidden="true">'
        f"{_cells(heat_map.values)}</svg>{_outlines(heat_map)}</div>"
    )


def _cells(values: np.ndarray) -> str:
    strongest = float(np.abs(values).max()) or 1.0
    drawn = []
    for (row, column), value in np.ndenumerate(values):
        share = abs(value) / strongest
        if share < _FAINT:
            continue
        kind = "for" if value > 0 else "against"
        opacity = f"{0.1 + 0.75 * share:.2f}"
        drawn.append(f'<rect class="{kind}" x="{column}" y="{row}" width="1" height="1" fill-opacity="{opacity}"/>')
        if value < 0:  # a sign besides the colour
            drawn.append(f'<path class="minus" d="M{column + 0.32:g} {row + 0.5:g}h.36"/>')
    return "".join(drawn)


def _outlines(heat_map: HeatMap) -> str:
    """Return frames around the cells that the check covers; its grid may be coarser than the map's."""
    if heat_map.check is None:
        return ""
    side = isqrt(heat_map.check.cells)
    covered = np.argwhere(hottest_fifth(resample(heat_map.values, side)))
    path = "".join(f"M{column} {row}h1v1h-1z" for row, column in covered.tolist())
    return (
        f'<svg viewBox="0 0 {side} {side}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="edge" d="{path}"/><path class="frame" d="{path}"/></svg>'
    )


def description(heat_map: HeatMap) -> str:
    """Return the map as a sentence, for those who cannot see it."""
    values = heat_map.values
    rows, columns = values.shape
    strongest = [divmod(int(i), columns) for i in best(values.ravel(), _SPOKEN) if values.flat[i] > 0]
    places = "; ".join(
        f"row {row + 1}, column {column + 1}: {number(values[row, column])}" for row, column in strongest
    )
    against = int((values < 0).sum())
    text = f"Heat map of {rows} by {columns} cells, rows from the top, columns from the left. "
    text += f"The hottest cells are {places}." if strongest else "No cell speaks for the class."
    if against:
        text += f" {against} cell{'s speak' if against > 1 else ' speaks'} against the class."
    return text


def _numbers(heat_map: HeatMap) -> str:
    """Return all values as a table, which is closed at first."""
    rows, columns = heat_map.values.shape
    head = "".join(f'<th scope="col">{column + 1}</th>' for column in range(columns))
    body = "".join(
        f'<tr><th scope="row">{row + 1}</th>{"".join(f"<td>{number(value)}</td>" for value in values)}</tr>'
        for row, values in enumerate(heat_map.values)
    )
    return (
        '<details class="map-numbers"><summary>The number of every cell</summary><div class="scroll" tabindex="0" '
        f'role="region" aria-label="The number of every cell"><table class="inside-table"><thead><tr><td></td>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


# --- the check --------------------------------------------------------------------------------------------------------


def _check(heat_map: HeatMap) -> str:
    if heat_map.check is None:
        return '<p class="caption check" role="status">The check of this map is being computed …</p>'
    return f'<div class="check">{check_sentence(heat_map)}{_check_bars(heat_map)}{verdict(heat_map)}</div>'


def check_sentence(heat_map: HeatMap) -> str:
    """Return the check as a sentence in percentages, as the bars of Explore have them."""
    check = heat_map.check
    before, hottest, random = (percent1(each.probability) for each in (check.before, check.hottest, check.random))
    return (
        f"<p>Cover the hottest fifth of the cells ({check.covered} of {check.cells}): <b>{before} → {hottest}</b>; "
        f"a random fifth: <b>→ {random}</b>.</p>"
    )


def _check_bars(heat_map: HeatMap) -> str:
    check = heat_map.check
    rows = (("nothing covered", check.before), ("hottest fifth", check.hottest), ("random fifth", check.random))
    bars = "".join(
        f'<span class="name">{name}</span><span class="track"><span style="width:{100 * each.probability:.1f}%"></span>'
        "</span>"
        for name, each in rows
    )
    return f'<div class="check-bars" aria-hidden="true">{bars}</div>'  # the sentence says the same


def verdict(heat_map: HeatMap) -> str:
    """Return whether the map is better than random cells: in scores, which is what it explains."""
    check = heat_map.check
    before, hottest, random = (number(each.score) for each in (check.before, check.hottest, check.random))
    scores = (
        f"The score goes from {before} to {hottest} without the hottest cells, and to {random} without random ones."
    )
    if check.better_than_random:
        text = f"<strong>Better than random.</strong> {scores}"
    else:
        text = f"<strong>No better than random:</strong> do not trust this map. {scores}"
    if (check.hottest.probability < check.random.probability) != check.better_than_random:
        text += " The percentages say otherwise, because they depend on all classes; the map explains the score."
    return f'<p class="map-verdict {"better" if check.better_than_random else "worse"}">{text}</p>'
