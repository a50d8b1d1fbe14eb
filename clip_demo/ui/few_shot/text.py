"""The words and the table of a few-shot curve: pure functions from a `FewShotCurve` to HTML."""

from __future__ import annotations

import base64

from ...backend import Status
from ...linear_probe.few_shot_curve import CurvePoint, FewShotCurve
from ...models.catalog import BUILT_IN
from ..html import escape, percent

__all__ = ["crosses", "downloads", "legend", "made", "meaning", "nothing", "table", "verdict"]

_PAPER = (
    "In the paper, zero-shot CLIP equals a <b>4-shot</b> probe on the same features on average; from one data set to "
    "the next it differs much (median: 5.4 images of each class; <cite>Radford et al., 2021, section 3.1.5</cite>)."
)
_WHY = (
    "Zero-shot prediction is told <b>in words</b> what the classes are; the probe has to find it out from examples. "
    "Where the lines cross, both know equally much."
)
_STAND_IN = (
    "<b>tiny</b> is a small stand-in, trained on captions of images like these: its curve shows how the comparison "
    "works, not how CLIP fares."
)


def nothing(status: Status, title: str, running: bool) -> str:
    """Return why there is no curve to show.

    Parameters
    ----------
    status : Status
        Of the model that is on.
    title : str
        The dataset's title.
    running : bool
        Whether a job is making it.
    """
    model = escape(status.model)
    if running:
        return '<p class="verdict">The curve appears here by itself, point by point.</p>'
    if status.state in ("ready", "failed"):
        why = "no curve was made yet" if status.state == "ready" else "the model could not be loaded"
        return f'<p class="verdict">For <b>{model}</b> on <b>{escape(title)}</b> {why}.</p>'
    return (
        f'<p class="verdict"><span class="spinner" aria-hidden="true"></span>{escape(status.message)} '
        "The curve appears by itself.</p>"
    )


def crosses(curve: FewShotCurve) -> bool:
    """Whether the lines cross within the plot: the probe begins below zero-shot prediction and reaches it."""
    return curve.crossing is not None and curve.crossing > curve.points[0].per_class


def verdict(curve: FewShotCurve, title: str) -> str:
    """Return the crossing in words.

    Parameters
    ----------
    curve : FewShotCurve
    title : str
        The dataset's title.
    """
    model, dataset = f"<b>{escape(curve.model)}</b>", f"<b>{escape(title)}</b>"
    accuracy = _coloured("zero-shot", percent(curve.zero_shot))
    return f'<p class="verdict">Zero-shot, {model} gets {accuracy} on {dataset}. {_crossing(curve)}</p>'


def _coloured(kind: str, text: str) -> str:
    return f'<b class="{kind}">{text}</b>'


def _crossing(curve: FewShotCurve) -> str:
    if not curve.points:
        return "The first point of the probe is on its way."
    first, last = curve.points[0], curve.points[-1]
    if crosses(curve):
        shots = _shots(curve.crossing)
        return (
            f"A linear probe is as good with about {_coloured('probe', f'{shots} labelled images of each class')}: "
            f"zero-shot equals a <b>{shots}-shot</b> probe here."
        )
    if first.mean >= curve.zero_shot:
        dataset = _coloured("probe", f"{_images(first.per_class)} of each class")
        return f"A linear probe is at least as good with {dataset} already."
    if curve.complete:
        return f"With all {last.per_class} images of each class the probe is <b>still below</b> it."
    return f"Up to {_images(last.per_class)} of each class, the points so far, the probe is below it."


def _shots(crossing: float) -> str:
    """Return a number of images without more digits than a reading off a curve has.

    >>> _shots(3.46), _shots(12.4)
    ('3.5', '12')
    """
    return f"{crossing:.1f}".removesuffix(".0") if crossing < 10 else f"{crossing:.0f}"


def _images(n: int) -> str:
    return f"{n} labelled image{'s' if n != 1 else ''}"


def legend(curve: FewShotCurve) -> str:
    """Return what the lines and marks of the plot are."""
    draws = max((len(each.draws) for each in curve.points), default=0)
    several = f" (mean of up to {draws} random draws; bars: one standard deviation)" if draws > 1 else ""
    crossing = '<li class="crossing">Where both are equal</li>' if crosses(curve) else ""
    return (
        '<ul class="legend"><li class="zero-shot line">Zero-shot CLIP, no labelled image</li>'
        f'<li class="probe dot">Linear probe{several}</li>{crossing}</ul>'
    )


def table(curve: FewShotCurve) -> str:
    """Return the numbers of the plot."""
    rows = "".join(_row(each, curve.zero_shot) for each in curve.points)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="The numbers of the plot"><table class="curve">'
        "<thead><tr><th>Images of each class</th><th>Accuracy</th><th>Against zero-shot</th><th>Std. dev.</th>"
        "<th>Draws</th><th>Images in all</th></tr></thead><tbody>"
        f"<tr class='zero-shot'><th>zero-shot</th><td>{percent(curve.zero_shot)}</td><td></td><td></td><td></td>"
        f"<td>0</td></tr>{rows}</tbody></table></div>"
    )


def _row(point: CurvePoint, zero_shot: float) -> str:
    spread = f"{100 * point.std:.2f}" if len(point.draws) > 1 else "–"
    difference = f"{100 * (point.mean - zero_shot):+.2f}".replace("-", "−")
    return (
        f"<tr class='probe'><th>{point.per_class}</th><td>{percent(point.mean)}</td><td>{difference}</td>"
        f"<td>{spread}</td><td>{len(point.draws)}</td><td>{point.n_train:,}</td></tr>"
    )


def meaning(curve: FewShotCurve) -> str:
    """Return what the curve says and where the comparison comes from."""
    stand_in = f" {_STAND_IN}" if curve.model == BUILT_IN else ""
    return f'<p class="meaning">{_WHY} {_PAPER}{stand_in}</p>'


def made(curve: FewShotCurve) -> str:
    """Return which prompts and which software the numbers come from."""
    versions = ", ".join(f"{escape(name)} {escape(number)}" for name, number in curve.versions.items())
    templates = curve.zero_shot_templates
    prompts = f"“{escape(templates[0])}”" if len(templates) == 1 else f"an ensemble of {len(templates)} templates"
    return f'<p class="made">Zero-shot with {prompts}. Made {escape(curve.date)} with {versions}.</p>'


def downloads(curve: FewShotCurve, csv: str) -> str:
    """Return the links that save the numbers and the image; both are made in the browser.

    Parameters
    ----------
    curve : FewShotCurve
    csv : str
        The numbers as `curve_to_csv` writes them.
    """
    name = escape(f"{curve.model.replace('/', '-')}-{curve.dataset}-few-shot")
    address = "data:text/csv;base64," + base64.b64encode(csv.encode()).decode("ascii")
    return (
        f'<p class="save"><a class="save" download="{name}.csv" href="{address}">Save the numbers (CSV)</a>'
        f'<button class="save" type="button" data-image="{name}.png">Save the image (PNG)</button></p>'
    )
