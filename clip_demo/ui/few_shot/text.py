"""The text and the table of a few-shot curve: pure functions from a `FewShotCurve` to HTML."""

import base64
from html import escape

from ...linear_probe.few_shot_curve import CurvePoint, FewShotCurve
from ...models.catalog import BUILT_IN
from ...serving.model_handle import ModelStatus
from ..html import percent

_PAPER = (
    "In the CLIP paper, zero-shot CLIP is on average as good as a <b>4-shot</b> probe, one that learns from 4 images "
    "of each class. This varies widely between datasets (median: 5.4 images of each class; <cite>Radford et al., 2021, "
    "section 3.1.5</cite>)."
)
_WHY = (
    "Zero-shot prediction gets the classes <b>as words</b>; the probe has to learn them from examples. Where the lines "
    "cross, you read how many examples the words are worth."
)
_UNBALANCED = (
    " Some classes have fewer images than others. Where a class has fewer than a point asks for, all of its images are "
    "used, and no second draw is made."
)
_BUILT_IN = (
    "<b>tiny</b> is a small stand-in that was trained on captions of similar images: its curve shows how the "
    "comparison works, not how well CLIP performs."
)


def no_curve(model: ModelStatus, title: str, running: bool) -> str:
    """Return why there is no curve to show.

    Parameters
    ----------
    model : ModelStatus
    title : str
        The dataset's title.
    running : bool
        Whether a job is computing the curve.
    """
    name = escape(model.name)
    if running:
        return '<p class="summary" role="status">The curve will appear here point by point.</p>'
    if model.state == "ready":
        return f'<p class="summary">There is no curve of <b>{name}</b> on <b>{escape(title)}</b> yet.</p>'
    if model.state == "failed":
        return f'<p class="summary"><b>{name}</b> could not be loaded.</p>'
    if model.state == "absent":
        return ""  # a panel with a button says so
    return (
        f'<p class="summary" role="status"><span class="spinner" aria-hidden="true"></span>{escape(model.message)} '
        "The curve will appear when the model is ready.</p>"
    )


def crosses(curve: FewShotCurve) -> bool:
    """Whether the lines cross within the plot: the probe begins below zero-shot prediction and reaches it."""
    return curve.crossing is not None and curve.crossing > curve.points[0].per_class


def summary(curve: FewShotCurve, title: str) -> str:
    """Return the main result in one sentence or two; `title` is the dataset's title."""
    model, dataset = f"<b>{escape(curve.model)}</b>", f"<b>{escape(title)}</b>"
    accuracy = _coloured("zero-shot", percent(curve.zero_shot))
    part = "" if curve.n_test is None else f"the first {curve.n_test:,} test images of "
    return f'<p class="summary">Zero-shot {model} reaches {accuracy} on {part}{dataset}. {_comparison(curve)}</p>'


def _coloured(kind: str, text: str) -> str:
    return f'<b class="{kind}">{text}</b>'


def _comparison(curve: FewShotCurve) -> str:
    if not curve.points:
        return "The first point of the probe is being computed."
    first, last = curve.points[0], curve.points[-1]
    if crosses(curve):
        shots = _shots(curve.crossing)
        return (
            f"A linear probe needs about {_coloured('probe', f'{shots} labelled images of each class')} to be as good: "
            f"zero-shot equals a <b>{shots}-shot</b> probe here."
        )
    if first.mean >= curve.zero_shot:
        n = _coloured("probe", f"{_images(first.per_class)} of each class")
        return f"A linear probe is at least as good with only {n}."
    if curve.complete:
        all_images = f"{last.per_class:,} images of each class" if curve.balanced else f"{last.n_train:,} images"
        return f"With all {all_images}, the probe is <b>still below</b> it."
    return f"With up to {_images(last.per_class)} of each class, the probe is below it so far."


def _shots(crossing: float) -> str:
    """Return a number of images, rounded because it is interpolated.

    >>> _shots(3.46), _shots(12.4)
    ('3.5', '12')
    """
    return f"{crossing:.1f}".removesuffix(".0") if crossing < 10 else f"{crossing:.0f}"


def _images(n: int) -> str:
    return f"{n:,} labelled image{'s' if n != 1 else ''}"


def legend(curve: FewShotCurve) -> str:
    """Return the legend of the plot."""
    draws = max((len(each.draws) for each in curve.points), default=0)
    several = ""
    if draws > 1:
        several = f" (average of up to {draws} random draws of images; the bars show one standard deviation)"
    crossing = '<li class="crossing">Equal to zero-shot</li>' if crosses(curve) else ""
    return (
        '<ul class="legend"><li class="zero-shot line">Zero-shot CLIP, no labelled images</li>'
        f'<li class="probe dot">Linear probe{several}</li>{crossing}</ul>'
    )


def table(curve: FewShotCurve) -> str:
    """Return the numbers of the plot, and what their columns mean."""
    rows = "".join(_row(each, curve.zero_shot) for each in curve.points)
    column = "Images of each class" if curve.balanced else "Images of each class, at most"
    return (
        "<h3>The numbers</h3>"
        '<div class="scroll" tabindex="0" role="region" aria-label="The numbers of the plot"><table class="curve">'
        f"<thead><tr><th>{column}</th><th>Accuracy</th><th>Against zero-shot</th><th>Spread</th>"
        "<th>Draws</th><th>Images in all</th></tr></thead><tbody>"
        f"<tr class='zero-shot'><th>zero-shot</th><td>{percent(curve.zero_shot)}</td><td></td><td></td><td></td>"
        f"<td>0</td></tr>{rows}</tbody></table></div>"
        '<p class="caption">Draws: how often the images were chosen at random. Accuracy: the average of the draws. '
        "Spread: their standard deviation. It and the difference to zero-shot are in percentage points."
        f"{'' if curve.balanced else _UNBALANCED}</p>"
    )


def _row(point: CurvePoint, zero_shot: float) -> str:
    spread = f"{100 * point.std:.2f}" if len(point.draws) > 1 else "–"
    difference = f"{100 * (point.mean - zero_shot):+.2f}".replace("-", "−")
    return (
        f"<tr class='probe'><th>{point.per_class:,}</th><td>{percent(point.mean)}</td><td>{difference}</td>"
        f"<td>{spread}</td><td>{len(point.draws)}</td><td>{point.n_train:,}</td></tr>"
    )


def meaning(curve: FewShotCurve) -> str:
    """Return how to read the curve, and the source of the comparison."""
    stand_in = f" {_BUILT_IN}" if curve.model == BUILT_IN else ""
    return f"<h3>What the curve says</h3><p>{_WHY} {_PAPER}{stand_in}</p>"


def origin(curve: FewShotCurve) -> str:
    """Return the prompts, the date and the software versions of the curve."""
    versions = ", ".join(f"{escape(name)} {escape(number)}" for name, number in curve.versions.items())
    templates = curve.zero_shot_templates
    n, first = len(templates), templates[0]
    prompts = f"“{escape(first)}”" if n == 1 else f"the average of {n} templates (an ensemble)"
    tested = ""
    if curve.n_test is not None:
        tested = (
            f" Both were tested on the same {curve.n_test:,} test images only, so each accuracy may be off by a "
            "percentage point or two; the curve of a probe on all images will replace this one."
        )
    return (
        f'<p class="origin">Zero-shot prediction used {prompts}.{tested} Computed on {escape(curve.date)} with '
        f"{versions}.</p>"
    )


def downloads(curve: FewShotCurve, csv: str) -> str:
    """Return a link and a button that save the numbers and the image; the browser makes both files.

    Parameters
    ----------
    curve : FewShotCurve
    csv : str
        The numbers as `curve_to_csv` writes them.
    """
    name = escape(f"{curve.model.replace('/', '-')}-{curve.dataset}-few-shot")
    url = "data:text/csv;base64," + base64.b64encode(csv.encode()).decode("ascii")
    return (
        f'<p class="save"><a class="save" download="{name}.csv" href="{url}">Save the numbers (CSV)</a>'
        f'<button class="save" type="button" data-image="{name}.png">Save the image (PNG)</button></p>'
    )
