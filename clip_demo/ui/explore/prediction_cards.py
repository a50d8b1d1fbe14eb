"""The cards with both predictions: pure functions from a `Prediction` to HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

from ...backend import Prediction
from ...datasets.base import Dataset
from ...datasets.catalog import CIFAR100, SHAPES100
from ...datasets.shapes100 import UNSEEN_CLASSNAMES
from ...linear_probe.head import ProbeScore
from ...models.catalog import BUILT_IN
from ...zero_shot.classifier import ZeroShotScore
from ...zero_shot.prompt_set import PromptSet
from ...zero_shot.prompts import same_class
from ...zero_shot.word_knowledge import WordKnowledge
from ..html import percent
from ..probe_job_panel import early_head, offer

SHOWN = 5  # bars per card


def results(
    prediction: Prediction, dataset: Dataset, prompts: PromptSet, knowledge: Sequence[WordKnowledge] = ()
) -> str:
    """Return both cards below a badge that says whether they agree.

    Parameters
    ----------
    prediction : Prediction
        With the scores of all classes, so that the rank of the true label is known even if it has no bar.
    dataset : Dataset
        The dataset of the prediction.
    prompts : PromptSet
        The prompt set of the prediction.
    knowledge : sequence of WordKnowledge
        What the model knows of the class names with a zero-shot bar; empty where that is not known.
    """
    cards = _zero_shot_card(prediction, prompts, knowledge) + probe_card(prediction, dataset)
    badge = tie(prediction.zero_shot) or guess(prediction.zero_shot, knowledge) or _badge(prediction)
    return f'<div class="results">{badge}<div class="cards">{cards}</div>{hint(prediction)}</div>'


def tie(scores: Sequence[ZeroShotScore]) -> str:
    """Say that the first two classes have the same share; "" unless they have, to the last digit shown."""
    if len(scores) < 2:
        return ""
    first, second = scores[:2]
    if percent(first.probability) != percent(second.probability) or f"{first.cosine:.4f}" != f"{second.cosine:.4f}":
        return ""
    return (
        f'<p class="badge tie">A tie: zero-shot cannot tell <strong>{escape(first.label)}</strong> from '
        f"<strong>{escape(second.label)}</strong>.</p>"
    )


def guess(scores: Sequence[ZeroShotScore], knowledge: Sequence[WordKnowledge]) -> str:
    """Say that the first class is a word that the model does not know; "" unless it is."""
    first = scores[0].label
    if not any(known.name == first and known.state == "unknown" for known in knowledge):
        return ""
    word = f"<strong>{escape(first)}</strong>"
    return f'<p class="badge tie">A guess at random: zero-shot does not know the word {word}.</p>'


def _badge(prediction: Prediction) -> str:
    """Say whether both predictions have the same class first, and which of them is right."""
    if prediction.agree is None:
        return ""
    zero_shot, probe = prediction.zero_shot[0].label, prediction.linear_probe.top[0].label
    if prediction.agree:
        text, kind = f"Both say <strong>{escape(probe)}</strong>", "agree"
    else:
        text = (
            f"They disagree: zero-shot says <strong>{escape(zero_shot)}</strong>, "
            f"the probe says <strong>{escape(probe)}</strong>"
        )
        kind = "differ"
    if prediction.truth:
        text += _verdict(same_class(zero_shot, prediction.truth), same_class(probe, prediction.truth))
    return f'<p class="badge {kind}">{text}.</p>'


def _verdict(zero_shot_right: bool, probe_right: bool) -> str:
    if zero_shot_right and probe_right:
        return ", and both are right"
    if zero_shot_right:
        return "; zero-shot is right"
    return "; the probe is right" if probe_right else "; neither is right"


def _zero_shot_card(prediction: Prediction, prompts: PromptSet, knowledge: Sequence[WordKnowledge]) -> str:
    n = len(prompts.templates)
    notes = {each.name: f'<span class="word-note">{escape(each.note)}</span>' for each in knowledge if each.note}
    about = f"among your <b>{len(prompts.classnames)} classes</b> · <b>{n} template{'s' if n != 1 else ''}</b>"
    return _card(
        "zero-shot", "Zero-shot CLIP", about, prediction.zero_shot, prediction.truth, "class list", notes=notes
    )


def probe_card(prediction: Prediction, dataset: Dataset) -> str:
    """Return the bars of the linear probe, or a note that there is no head and how to fit one."""
    about = (
        f"always predicts one of its own <b>{len(dataset.classnames)} classes</b> of <b>{escape(dataset.title)}</b>, "
        "whatever the class list says"
    )
    probe = prediction.linear_probe
    if probe is None:
        return _frame("probe", "Linear probe", about, _no_head(prediction, dataset))
    early = early_head(probe.head, dataset)
    more = f'<p class="early">This is {early}.</p>{offer(dataset, "Fit it on all images")}' if early else ""
    return _card("probe", "Linear probe", about, probe.top, prediction.truth, "classes of the head", more)


def _no_head(prediction: Prediction, dataset: Dataset) -> str:
    return (
        f'<p class="nothing">No head was fitted on the features of <b>{escape(prediction.model)}</b> for '
        f"<b>{escape(dataset.title)}</b> yet, so there is no prediction to show.</p>"
        f'{offer(dataset)}<p class="advice">On the machine that runs this page, this command also fits one: '
        f"<code>python -m clip_demo fit-probe --model {escape(prediction.model)} --dataset {escape(dataset.name)}"
        "</code></p>"
    )


def _card(
    kind: str,
    name: str,
    about: str,
    scores: Sequence[ZeroShotScore | ProbeScore],
    truth: str | None,
    candidates: str,
    more: str = "",
    notes: Mapping[str, str] = MappingProxyType({}),
) -> str:
    bars = "".join(_bar(score, truth, notes.get(score.label, "")) for score in scores[:SHOWN])
    return _frame(kind, name, about, f'<ol class="bars">{bars}</ol>{_rank_of_truth(scores, truth, candidates)}{more}')


def _frame(kind: str, name: str, about: str, body: str) -> str:
    return (
        f'<section class="card {kind}" aria-labelledby="{kind}-name"><h3 id="{kind}-name">{name}</h3>'
        f'<p class="about">{about}</p>{body}</section>'
    )


def _bar(score: ZeroShotScore | ProbeScore, truth: str | None, note: str = "") -> str:
    right = same_class(score.label, truth)
    mark = ' <span class="true-mark">✓ true</span>' if right else ""
    cosine = f'<span class="cosine">cosine {score.cosine:.4f}</span>' if isinstance(score, ZeroShotScore) else ""
    return (
        f'<li class="bar{" right" if right else ""}">'
        f'<span class="label">{escape(score.label)}{mark}</span>'
        f'<span class="percent">{percent(score.probability)}</span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * score.probability:.3f}%"></span></span>'
        f"{cosine}{note}</li>"
    )


def _rank_of_truth(scores: Sequence[ZeroShotScore | ProbeScore], truth: str | None, candidates: str) -> str:
    """Return the rank of the true label if no bar shows it."""
    if truth is None:
        return ""
    ranked = ((rank, score) for rank, score in enumerate(scores, 1) if same_class(score.label, truth))
    rank, score = next(ranked, (None, None))
    if rank is not None and rank <= SHOWN:
        return ""
    found = f"not in the {candidates}" if rank is None else f"number {rank}, {percent(score.probability)}"
    return f'<p class="beyond">True label <strong>{escape(truth)}</strong>: {found}</p>'


def hint(prediction: Prediction) -> str:
    """Say which class names the built-in model was trained on; "" for other models and datasets."""
    if prediction.model != BUILT_IN:
        return ""
    if prediction.dataset == CIFAR100:
        text = (
            "The training captions of <b>tiny</b> named all classes of CIFAR-100. Its zero-shot bars show how the "
            "method works, not how CLIP generalises."
        )
    elif prediction.dataset == SHAPES100 and prediction.truth in UNSEEN_CLASSNAMES:
        text = (
            f"No training caption of <b>tiny</b> named “<b>{escape(prediction.truth)}</b>”, and no training image "
            "showed one: here the zero-shot bars are a true test."
        )
    elif prediction.dataset == SHAPES100 and prediction.truth:
        text = (
            f"Training captions of <b>tiny</b> named “<b>{escape(prediction.truth)}</b>”. {len(UNSEEN_CLASSNAMES)} "
            f"other pairs of colour and shape were held out, such as “{escape(UNSEEN_CLASSNAMES[0])}”."
        )
    else:
        return ""
    return f'<p class="hint">{text}</p>'
