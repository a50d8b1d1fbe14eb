"""What the cards say of "None of these": the grey bar and two thresholds. Pure functions to HTML."""

from html import escape

from ...backend import Prediction
from ...datasets.base import Dataset
from ...models.catalog import BUILT_IN
from ..html import name_html, percent, signed
from .comparison import Comparison, find_class

_KEPT = "95\N{NO-BREAK SPACE}%"  # as in `clip_demo.zero_shot.none_of_these`


def grey_bar(prediction: Prediction, comparison: Comparison | None) -> str:
    """Return the share of all other nouns, with the strongest of them; "" where it was not asked."""
    none = prediction.none_of_these
    if none is None:
        return ""
    kinds = "".join(f" {kind}" for kind, on in (("wins", none.wins), ("right", _is_right(prediction))) if on)
    like = f"most like: {name_html(none.strongest)}" if none.strongest else "no other word is left"
    change, mark = _change(none.probability, comparison)
    return (
        f'<li class="bar none-of-these{kinds}">'
        f'<span class="label">None of these <span class="like">{like}</span></span>'
        f'<span class="values">{change}<span class="percent">{percent(none.probability)}</span></span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * none.probability:.3f}%"></span></span>'
        f"{mark}</li>"
    )


def _change(probability: float, comparison: Comparison | None) -> tuple[str, str]:
    earlier = comparison and comparison.none_of_these
    if not earlier:
        return "", ""
    points = 100 * (probability - earlier.probability)
    text = "" if abs(points) < 0.05 else f'<span class="change">{points:+.1f}</span>'.replace("-", signed(-1, 0)[0])
    return text, f'<span class="earlier" aria-hidden="true" style="left:{100 * earlier.probability:.3f}%"></span>'


def match_line(prediction: Prediction) -> str:
    """Say what the best match says without other words; "" where it was not asked."""
    none = prediction.none_of_these
    if none is None:
        return ""
    if none.mcm_threshold is None:
        text = f" has no answer here: {escape(none.note)}"
    else:
        answer = "one of these" if none.mcm >= none.mcm_threshold else "none of these"
        text = (
            f": with no sharpness, the first class has {_fine(none.mcm)}. {_KEPT} of the test "
            f"images of these classes have at least {_fine(none.mcm_threshold)}, so it says <b>{answer}</b>."
        )
    return f'<p class="beyond threshold">A second way (MCM, without other words){text}</p>'


def probability_line(prediction: Prediction, dataset: Dataset) -> str:
    """Say whether the probe's largest probability is as large as for the images that it knows; "" if not asked."""
    none, probe = prediction.none_of_these, prediction.linear_probe
    if none is None or none.probe_threshold is None or probe is None:
        return ""
    answer = "one of its classes" if probe.top[0].probability >= none.probe_threshold else "none of its classes"
    return (
        f'<p class="beyond threshold">On {_KEPT} of {escape(dataset.title)}’s test images its first bar has at least '
        f"{100 * none.probe_threshold:.6g}\N{NO-BREAK SPACE}%, so here it says <b>{answer}</b>.</p>"
    )


def _fine(value: float) -> str:
    """Return a percentage with three decimals: without sharpness, shares hardly differ."""
    return f"{100 * value:.3f}\N{NO-BREAK SPACE}%"


def says_none(prediction: Prediction) -> str:
    """Say that none of the classes wins; "" unless it does."""
    none = prediction.none_of_these
    if none is None or not none.wins:
        return ""
    # Short, since the presentation has two lines; the grey bar names the word.
    if _is_right(prediction):
        return "Zero-shot says none of these, and is right."
    listed = prediction.truth and find_class(prediction.zero_shot, prediction.truth)
    return f"Zero-shot says none of these{f', but “{name_html(prediction.truth)}” is on your list' if listed else ''}."


def among(prediction: Prediction) -> str:
    """Return what counts beside the classes, for the line below the name of the card; "" where it was not asked."""
    none = prediction.none_of_these
    return "" if none is None else f" and <b>{len(none.nouns)} other words</b>"


def _is_right(prediction: Prediction) -> bool:
    none, truth = prediction.none_of_these, prediction.truth
    return none.wins and truth is not None and find_class(prediction.zero_shot, truth) is None


def explanation(prediction: Prediction) -> str:
    """Say what the grey bar is, and how often the built-in model errs with it; "" where it was not asked."""
    none = prediction.none_of_these
    if none is None:
        return ""
    weak = (
        " <b>tiny</b> is weak at this: with 20 classes of CIFAR-100 taken off the list, it wins for 3 of 4 of their "
        "images, and wrongly for 1 of 6 of the others. The Prompt Lab measures it."
    )
    return (
        f'<p class="hint">The grey bar is the share of all {len(none.nouns)} other words together.'
        f"{weak if prediction.model == BUILT_IN else ''}</p>"
    )
