"""The maps of meanings as HTML: dots in a plane, with a sentence for those who cannot see it.

Dots are SVG paths of no length with a round or square end: they keep their form and their size when the plane is
stretched to the width of a phone or a projector. Text is HTML above it and keeps the page's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor

import numpy as np

from ...inside.projection import ExactPlot, MeaningMap
from ..html import name_html
from .panel_text import number, percent1

_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_FEW = 12  # class prompts; if there are more, only the nearest and the added ones have their names on the map
_MOST = 40  # names on the map, of the classes that were added last
_APART = 6.0  # per cent of the height between the middles of two names
_LETTER = 1.5  # per cent of the width


@dataclass(frozen=True)
class _Plane:
    """The part of the plane that is shown: its lowest corner and its size."""

    left: float
    bottom: float
    width: float
    height: float

    @classmethod
    def around(cls, points: np.ndarray, square: bool = False) -> _Plane:
        """Return a plane with a margin around points, shape (n, 2); a square one has the same range on both axes."""
        low, high = points.min(axis=0), points.max(axis=0)
        if square:
            low, high = np.full(2, low.min()), np.full(2, high.max())
        margin = 0.06 * max(*(high - low).tolist(), 1e-6)
        low, high = low - margin, high + margin
        return cls(*low.tolist(), *(high - low).tolist())

    def at(self, point: Sequence[float]) -> tuple[float, float]:
        """Return where a point is: per cent from the left, and from the top."""
        x, y = (float(value) for value in point)
        return 100 * (x - self.left) / self.width, 100 - 100 * (y - self.bottom) / self.height

    def dot(self, point: Sequence[float], kind: str, title: str = "") -> str:
        x, y = self.at(point)
        inner = f"<title>{escape(title)}</title>" if title else ""
        return f'<path class="{kind}" d="M{x:.2f} {y:.2f}h0">{inner}</path>'

    def line(self, start: Sequence[float], end: Sequence[float], kind: str) -> str:
        (x, y), (to_x, to_y) = self.at(start), self.at(end)
        return f'<path class="{kind}" d="M{x:.2f} {y:.2f}L{to_x:.2f} {to_y:.2f}"/>'

    def names(self, named: Sequence[tuple[Sequence[float], str, str]]) -> tuple[str, str]:
        """Return names beside points and lines to the points, of (point, text, class) each; no name covers another."""
        boxes: list[tuple[float, float, float]] = []  # left end, right end, middle
        drawn, lines = [], []
        for (x, y), text, kind in ((self.at(point), *rest) for point, *rest in named):
            width = _LETTER * len(text) + 3
            ends = [each for each in ((x, x + width), (x - width, x)) if each[0] >= 0 and each[1] <= 100]
            heights = [y + sign * step for step in range(60) for sign in (1, -1) if 3 <= y + sign * step <= 97]
            tries = ((*each, height) for height in heights for each in ends)
            box = next((each for each in tries if not _covers(boxes, *each)), (x, x + width, y))
            boxes.append(box)
            left, _, top = box
            side, kind = (
                (f"right:{100 - x:.1f}%", f"{kind} before") if left < x else (f"left:{x:.1f}%", f"{kind} after")
            )
            drawn.append(f'<span class="name {kind}" style="{side};top:{top:.1f}%">{name_html(text)}</span>')
            lines.append(f'<path class="leader" d="M{x:.2f} {y:.2f}V{top:.2f}"/>')
        return "".join(drawn), "".join(lines)

    def figure(self, shapes: Sequence[str], over: str, description: str, axes: str = "") -> str:
        ratio = min(max(self.width / self.height, 0.8), 2)
        return (
            f'<div class="plane" role="img" aria-label="{escape(description)}" style="--ratio:{ratio:.3f}"><svg '
            'viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
            f"{''.join(shapes)}</svg>{over}{axes}</div>"
        )


def _covers(boxes: Sequence[tuple[float, float, float]], left: float, right: float, top: float) -> bool:
    """Whether a name would cover one of those that are placed."""
    return any(left < end and start < right and abs(top - other) < _APART for start, end, other in boxes)


# --- the exact plot ---------------------------------------------------------------------------------------------------


def exact(plot: ExactPlot) -> str:
    """Return the plot of two prompts: every position is a true cosine."""
    star = [] if plot.star is None else [plot.star]
    plane = _Plane.around(np.array([*plot.points.tolist(), *star]), square=True)
    kinds = [_kind(plot, label) for label in plot.labels.tolist()]
    # Those of the two prompts last, above the others.
    order = sorted(range(len(kinds)), key=lambda i: kinds[i] != "other")
    ends = [(value, value) for value in (plane.left, plane.left + plane.width)]
    shapes = [_grid(plane), plane.line(*ends, "equal")]
    for i in order:
        title = f"{plot.classnames[plot.labels[i]]}: {number(plot.points[i, 0])} and {number(plot.points[i, 1])}"
        shapes.append(plane.dot(plot.points[i], f"dot {kinds[i]}", title))
    over = _star(plane, plot.star)
    first, second = (name_html(prompt) for prompt in plot.prompts)
    legend = (
        '<ul class="map-legend"><li class="dot a">test images of the class in A</li><li class="dot b">of the class in B'
        '</li><li class="dot other">of other classes</li><li class="star">your image</li></ul>'
    )
    return (
        f'<p class="axis-title y"><b>B</b> ↑ cosine with “{second}”</p>'
        f'<div class="plane-body">{plane.figure(shapes, over, exact_sentence(plot), _ticks(plane))}'
        f'<p class="axis-title x"><b>A</b> → cosine with “{first}”</p><div class="beside">'
        f'<p class="plane-sentence">{exact_sentence(plot, html=True)}</p>{legend}</div></div>'
    )


def _kind(plot: ExactPlot, label: int) -> str:
    """Return "a" or "b" for an image whose class is named in only that prompt, and else "other"."""
    # With spaces around, so that a class is not found in a longer word.
    name = f" {plot.classnames[label].replace('_', ' ').lower()} "
    first, second = (name in f" {prompt.replace('_', ' ').lower().strip('.!? ')} " for prompt in plot.prompts)
    return "other" if first == second else "a" if first else "b"


def exact_sentence(plot: ExactPlot, *, html: bool = False) -> str:
    """Return what the plot shows as a sentence."""
    nearer = int((plot.points[:, 0] > plot.points[:, 1]).sum())
    first, second = (f"“{name_html(prompt) if html else prompt}”" for prompt in plot.prompts)
    text = f"{nearer} of {len(plot.points)} test images, those below the diagonal, are nearer to A, {first}, "
    text += f"than to B, {second}."
    if plot.star is not None:
        x, y = plot.star
        which = "nearer to A" if x > y else "nearer to B" if y > x else "equally near to both"
        text += f" Your image has {number(x, 4)} with A and {number(y, 4)} with B: it is {which}."
    return text


def _grid(plane: _Plane) -> str:
    lines = []
    for value in _tick_values(plane.left, plane.width):
        lines.append(plane.line((value, plane.bottom), (value, plane.bottom + plane.height), "grid"))
        lines.append(plane.line((plane.left, value), (plane.left + plane.width, value), "grid"))
    return "".join(lines)


def _ticks(plane: _Plane) -> str:
    return "".join(
        f'<span class="tick x" style="left:{plane.at((value, plane.bottom))[0]:.1f}%">{number(value)}</span>'
        f'<span class="tick y" style="top:{plane.at((plane.left, value))[1]:.1f}%">{number(value)}</span>'
        for value in _tick_values(plane.left, plane.width)
    )


def _tick_values(low: float, width: float) -> list[float]:
    """Return up to six round numbers in a range."""
    step = next((step for step in _STEPS if width / step <= 6), _STEPS[-1])
    return [i * step for i in range(ceil(low / step), floor((low + width) / step) + 1)]


def _star(plane: _Plane, star: tuple[float, float] | None) -> str:
    if star is None:
        return ""
    x, y = plane.at(star)
    return f'<span class="own-star" style="left:{x:.1f}%;top:{y:.1f}%">★</span>'


# --- the projection ---------------------------------------------------------------------------------------------------


_LEGEND = (
    '<ul class="map-legend"><li class="dot other">test images</li><li class="prompt">prompts of the classes</li>'
    '<li class="prompt hollow">a word that the model guesses or does not know</li><li class="star">your image, with '
    'lines to its true five nearest prompts</li><li class="gap">the modality gap: from the middle of the images to '
    "that of the prompts</li></ul>"
)


def projected(plot: MeaningMap, image_classes: Sequence[str]) -> str:
    """Return the projection with what it keeps.

    Parameters
    ----------
    plot : MeaningMap
    image_classes : sequence of str
        Names of the dataset's classes, which the labels of the images count.
    """
    star = [] if plot.star is None else [plot.star]
    plane = _Plane.around(np.array([*plot.images.tolist(), *plot.classes.tolist(), *star]))
    counted = len(plot.classnames) - plot.n_added
    states = {each.name: each.state for each in plot.knowledge}
    means = plot.images.mean(axis=0), plot.classes[:counted].mean(axis=0)
    shapes = [plane.dot(point, "dot other", f"a test image: {image_classes[label]}") for point, label in _images(plot)]
    shapes.append(plane.line(*means, "gap"))
    shapes += [plane.line(plot.star, plot.classes[near.position], "near") for near in plot.nearest if plot.star]
    for i, name in enumerate(plot.classnames):
        # The inner dot makes a hollow one of a word that was not learned.
        kind = f"prompt {states.get(name, 'learned')}" + (" added" if i >= counted else "")
        shapes += [plane.dot(plot.classes[i], kind, f"prompt: {name}"), plane.dot(plot.classes[i], f"{kind} inner")]
    names, leaders = plane.names(_named(plot, counted))
    figure = plane.figure([*shapes, leaders], names + _star(plane, plot.star), projected_sentence(plot))
    beside = f'<div class="beside">{_LEGEND}{_nearest(plot)}{_words(plot)}</div>'
    return f'<div class="plane-body">{figure}{beside}</div>{_kept(plot)}'


def _images(plot: MeaningMap) -> zip:
    return zip(plot.images, plot.labels.tolist(), strict=True)


def _named(plot: MeaningMap, counted: int) -> list[tuple[Sequence[float], str, str]]:
    """Return the classes whose names are on the map."""
    n = len(plot.classnames)
    others = range(n) if n <= _FEW else range(counted, n)
    # The nearest find their place first.
    shown = dict.fromkeys([*(near.position for near in plot.nearest), *others[-_MOST:]])
    return [(plot.classes[i], plot.classnames[i], "added" if i >= counted else "") for i in shown]


def projected_sentence(plot: MeaningMap) -> str:
    """Return what the projection shows as a sentence."""
    text = f"Map of {len(plot.images)} test images and {len(plot.classnames)} prompts. "
    if plot.nearest:
        names = ", ".join(f"{near.label} ({number(near.cosine)})" for near in plot.nearest)
        text += f"The prompts truly nearest to your image are, with their cosines: {names}."
    return text


def _kept(plot: MeaningMap) -> str:
    first, second = plot.variance
    tiles = (
        ("Variance it explains", percent1(first + second), f"{percent1(first)} across, {percent1(second)} up"),
        ("True nearest prompts it keeps", percent1(plot.prompts_kept), "of each image’s five"),
        ("True neighbours it keeps", percent1(plot.neighbours_kept), "of each point’s five"),
        (
            "Modality gap",
            number(plot.modality_gap),
            "hidden by centring" if plot.centred else "distance of the two middles",
        ),
    )
    shown = "".join(
        f'<div class="tile zero-shot"><span class="name">{name}</span><strong>{value}</strong><span>{note}</span></div>'
        for name, value, note in tiles
    )
    warning = ""
    if plot.centred:
        warning = (
            '<p class="map-verdict worse"><strong>Distorted:</strong> the middle of all images and the middle of all '
            "prompts are moved onto each other. CLIP does not do that; its images and prompts lie apart.</p>"
        )
    return (
        f'{warning}<div class="tiles">{shown}</div><p class="caption">A shadow of many dimensions in two: what is near '
        "here need not be near in truth. The exact plot above and the list below are true. Images and texts lie in two "
        "separate clouds (Liang et al. 2022).</p>"
    )


def _nearest(plot: MeaningMap) -> str:
    if not plot.nearest:
        return ""
    rows = "".join(f"<li>{name_html(near.label)} <b>{number(near.cosine, 4)}</b></li>" for near in plot.nearest)
    return f'<h4>The true five nearest prompts of your image, with their cosines</h4><ol class="nearest">{rows}</ol>'


def _words(plot: MeaningMap) -> str:
    """Return what is said of words that the model was not taught with images."""
    parts = [
        f"<li>{name_html(each.name)}: {escape(each.note)}</li>" for each in plot.knowledge if each.state != "learned"
    ]
    if not parts:
        known = "This model learned all of these words with images." if plot.knowledge else ""
        return f'<p class="caption">{known}</p>' if known else ""
    return (
        "<h4>Words that this model did not learn with images</h4><p>Guessed words fall near their kin; unknown ones "
        f'all fall on one heap, whatever they mean.</p><ul class="words">{"".join(parts)}</ul>'
    )
