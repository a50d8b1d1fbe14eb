"""The markup of both predictions: pure functions from a `Prediction` to HTML."""

from __future__ import annotations

from collections.abc import Sequence

from ...backend import Prediction
from ...datasets.base import Dataset
from ...linear_probe.head import ProbeScore
from ...zero_shot.classifier import ZeroShotScore
from ...zero_shot.prompts import same_class
from ..html import escape, percent
from ..probe_job_panel import early_head, offer
from .hints_tmp import hint

__all__ = ["SHOWN", "agreement", "probe_card", "results", "zero_shot_card"]

SHOWN = 5  # bars a card


def results(prediction: Prediction, dataset: Dataset, *, n_classes: int, n_templates: int) -> str:
    """Return both cards with what they agree on above.

    Parameters
    ----------
    prediction : Prediction
        With all classes, so that the place of the true label is known even where it is no bar.
    dataset : Dataset
        The one that is on.
    n_classes, n_templates : int
        Lengths of the class list and of the ensemble.
    """
    cards = zero_shot_card(prediction, n_classes, n_templates) + probe_card(prediction, dataset)
    return f'<div class="results">{agreement(prediction)}<div class="cards">{cards}</div>{hint(prediction)}</div>'


def agreement(prediction: Prediction) -> str:
    """Return the badge that says whether both put the same class first, and whether that is right."""
    if prediction.agree is None:
        return ""
    zero_shot, probe = prediction.zero_shot[0].label, prediction.linear_probe.top[0].label
    if prediction.agree:
        said, kind = f"Both say <strong>{escape(probe)}</strong>", "agree"
    else:
        said = (
            f"They disagree: zero-shot says <strong>{escape(zero_shot)}</strong>, "
            f"the probe says <strong>{escape(probe)}</strong>"
        )
        kind = "differ"
    verdict = _verdict(same_class(zero_shot, prediction.truth), same_class(probe, prediction.truth))
    return f'<p class="badge {kind}">{said}{verdict if prediction.truth else ""}.</p>'


def _verdict(zero_shot_right: bool, probe_right: bool) -> str:
    if zero_shot_right and probe_right:
        return ", and both are right"
    if zero_shot_right:
        return "; zero-shot is right"
    if probe_right:
        return "; the probe is right"
    return "; neither is right"


def zero_shot_card(prediction: Prediction, n_classes: int, n_templates: int) -> str:
    """Return the zero-shot bars, with the cosine beside each."""
    templates = f"{n_templates} template{'s' if n_templates != 1 else ''}"
    among = f"among your <b>{n_classes} classes</b> · <b>{templates}</b>"
    return _card("zero-shot", "Zero-shot CLIP", among, prediction.zero_shot, prediction.truth, "class list")


def probe_card(prediction: Prediction, dataset: Dataset) -> str:
    """Return the linear probe's bars, or the word that there is no head and how to make one."""
    within = (
        f"always answers within its own <b>{len(dataset.classnames)} classes</b> of <b>{escape(dataset.title)}</b>"
        ", whatever the class list says"
    )
    probe = prediction.linear_probe
    if probe is None:
        return _frame("probe", "Linear probe", within, _no_head(prediction, dataset))
    early = early_head(probe.head, dataset)
    more = f'<p class="early">This is {early}.</p>{offer(dataset, "Fit it on all images")}' if early else ""
    return _card("probe", "Linear probe", within, probe.top, prediction.truth, "head’s classes", more)


def _no_head(prediction: Prediction, dataset: Dataset) -> str:
    return (
        f'<p class="nothing">No head was fitted on the features of <b>{escape(prediction.model)}</b> for '
        f"<b>{escape(dataset.title)}</b> yet, so there is no prediction to show.</p>"
        f'{offer(dataset)}<p class="advice">Whoever runs this page can also make one by <code>python -m clip_demo '
        f"fit-probe --model {escape(prediction.model)} --dataset {escape(dataset.name)}</code></p>"
    )


def _card(
    kind: str,
    name: str,
    about: str,
    scores: Sequence[ZeroShotScore | ProbeScore],
    truth: str | None,
    where: str,
    more: str = "",
) -> str:
    rows = "".join(_row(score, truth) for score in scores[:SHOWN])
    return _frame(kind, name, about, f'<ol class="bars">{rows}</ol>{_place_of_truth(scores, truth, where)}{more}')


def _frame(kind: str, name: str, about: str, body: str) -> str:
    return (
        f'<section class="card {kind}" aria-labelledby="{kind}-name"><h3 id="{kind}-name">{name}</h3>'
        f'<p class="about">{about}</p>{body}</section>'
    )


def _row(score: ZeroShotScore | ProbeScore, truth: str | None) -> str:
    right = same_class(score.label, truth)
    mark = ' <span class="true-mark">✓ true</span>' if right else ""
    cosine = ""
    if isinstance(score, ZeroShotScore):
        cosine = f'<span class="cosine">cosine {score.cosine:.4f}</span>'
    return (
        f'<li class="bar{" right" if right else ""}">'
        f'<span class="label">{escape(score.label)}{mark}</span>'
        f'<span class="percent">{percent(score.probability)}</span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * score.probability:.3f}%"></span></span>'
        f"{cosine}</li>"
    )


def _place_of_truth(scores: Sequence[ZeroShotScore | ProbeScore], truth: str | None, where: str) -> str:
    """Say where the true label stands when no bar shows it."""
    if truth is None:
        return ""
    for place, score in enumerate(scores, 1):
        if same_class(score.label, truth):
            if place <= SHOWN:
                return ""
            return (
                f'<p class="beyond">True label <strong>{escape(truth)}</strong>: number {place}, '
                f"{percent(score.probability)}</p>"
            )
    return f'<p class="beyond">True label <strong>{escape(truth)}</strong>: not in the {where}</p>'
