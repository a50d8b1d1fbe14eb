"""The headline: accuracy on the whole test set, the probe's beside it, and the difference to the baseline."""

from html import escape

from ...datasets.base import Dataset
from ...evaluation.accuracy import Accuracy
from ...zero_shot.prompt_set import PromptSet
from ..html import percent
from .request import Request
from .text import points


def headline(accuracy: Accuracy, request: Request) -> str:
    """Return the headline as HTML.

    Parameters
    ----------
    accuracy : Accuracy
        With its difference to the baseline.
    request : Request
        What was evaluated.
    """
    kind, text = comparison(accuracy, request.prompts == request.baseline)
    return (
        f'<div class="headline" role="status"><div class="tiles">{_tiles(accuracy)}</div>'
        f"{_scale(accuracy)}"
        f'<p class="summary {kind}">{text}</p>'
        f'<p class="caption">Of all {accuracy.n:,} test images of {escape(request.dataset.title)}. '
        f"{_meaning(accuracy)} You compare with the baseline: "
        f"{escape(describe(request.baseline, request.dataset))}.</p></div>"
    )


def _tiles(accuracy: Accuracy) -> str:
    probe = accuracy.probe_top1
    tiles = [_tile("zero-shot", "Top-1", percent(accuracy.top1))]
    if _has_top5(accuracy):
        tiles.append(_tile("zero-shot", "Top-5", percent(accuracy.top5)))
    if not accuracy.balanced:
        tiles.append(_tile("zero-shot", "Mean per class", percent(accuracy.mean_per_class)))
    tiles.append(_tile("probe", "Linear probe", "not fitted" if probe is None else percent(probe)))
    if not accuracy.balanced and probe is not None:
        tiles.append(_tile("probe", "Its mean per class", percent(accuracy.probe_mean_per_class)))
    return "".join(tiles)


def _has_top5(accuracy: Accuracy) -> bool:
    """Whether there are so many classes that the true one can be missing among five."""
    return len(accuracy.per_class) > 5


def _meaning(accuracy: Accuracy) -> str:
    """Return what the numbers of the tiles mean."""
    meanings = ["Top-1: the first guess is right."]
    if _has_top5(accuracy):
        meanings.append("Top-5: the true class is among the first five.")
    if not accuracy.balanced:
        meanings.append(
            "Mean per class: the mean of the classes’ accuracies. Some classes have fewer images than others; here, "
            "they count the same. The comparison above is of top-1, in which each image counts the same."
        )
    return " ".join(meanings)


def _tile(kind: str, name: str, value: str) -> str:
    return f'<div class="tile {kind}"><span class="name">{name}</span><strong>{value}</strong></div>'


def _scale(accuracy: Accuracy) -> str:
    """Return a bar of the top-1 accuracy, with marks at the probe's and at the baseline's."""
    marks = ""
    if accuracy.probe_top1 is not None:
        marks += f'<i class="mark probe" style="left:{100 * accuracy.probe_top1:.2f}%"></i>'
    if accuracy.difference is not None:
        marks += f'<i class="mark" style="left:{100 * (accuracy.top1 - accuracy.difference.top1):.2f}%"></i>'
    return (
        '<div class="scale zero-shot" aria-hidden="true"><span class="track">'
        f'<span style="width:{100 * accuracy.top1:.2f}%"></span></span>{marks}</div>'
    )


def comparison(accuracy: Accuracy, same: bool) -> tuple[str, str]:
    """Return a CSS class and the difference to the baseline; `same` if the prompt set is the baseline itself."""
    difference = accuracy.difference
    if same or difference is None:
        return "equal", "This is the baseline. Change the prompt to see what it gains or loses."
    images = "1 image" if difference.gained == 1 else f"{difference.gained:,} images"
    details = (
        f'<span class="flips">{images} became correct, {difference.lost:,} became wrong. In '
        "brackets: the range of the true difference in percentage points, with 95\N{NO-BREAK SPACE}% confidence. If "
        "both prompts were equally good, chance would change at least as much with probability "
        f"p\N{NO-BREAK SPACE}{_p_value(difference.p_value)} (exact McNemar test).</span>"
    )
    interval = f"{points(difference.low)} to {points(difference.high)}"
    change = f'<b>{points(difference.top1)} points</b> <span class="interval">({interval})</span>'
    if difference.significant:
        kind = "better" if difference.top1 > 0 else "worse"
        return kind, f"{kind.capitalize()}: {change} {details}"
    return "equal", f"No significant difference on {accuracy.n:,} images: {change} {details}"


def _p_value(value: float) -> str:
    return "&lt; 0.001" if value < 0.001 else f"= {value:.3f}"


def describe(prompts: PromptSet, dataset: Dataset) -> str:
    """Return a short description of a prompt set as plain text."""
    n, first = len(prompts.templates), prompts.templates[0]
    templates = f"“{first}”" if n == 1 else f"an average of {n} templates beginning with “{first}”"
    own = prompts.classnames == tuple(dataset.classnames)
    names = "the dataset’s own class names" if own else "edited class names"
    return f"{templates}, {names}{', underscores as spaces' if prompts.replace_underscores else ''}"
