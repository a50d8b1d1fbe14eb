"""The cards with both predictions: pure functions from a `Prediction` to HTML."""

from collections.abc import Sequence
from html import escape

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
from ..html import name_html, percent
from ..probe_job_panel import early_head, offer
from .comparison import Comparison, find_class
from .none_of_these import among, grey_bar, match_line, probability_line, says_none

SHOWN = 5  # bars per card


def results(
    prediction: Prediction,
    dataset: Dataset,
    prompts: PromptSet,
    knowledge: Sequence[WordKnowledge] = (),
    comparison: Comparison | None = None,
    *,
    may_start: bool = True,
    coming: bool = False,
) -> str:
    """Return both cards.

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
    comparison : Comparison, optional
        The zero-shot scores with other words, marked in the bars.
    may_start : bool
        See `clip_demo.ui.permissions`.
    coming : bool
        Whether a probe is being trained already.
    """
    zero_shot = _zero_shot_card(prediction, prompts, knowledge, comparison)
    probe = probe_card(prediction, dataset, may_start=may_start, coming=coming)
    return f'<div class="results"><div class="cards">{zero_shot}{probe}</div></div>'


def _zero_shot_card(
    prediction: Prediction, prompts: PromptSet, knowledge: Sequence[WordKnowledge], comparison: Comparison | None
) -> str:
    n = len(prompts.templates)
    notes = {each.name: f'<span class="word-note">{escape(each.note)}</span>' for each in knowledge if each.note}
    others = among(prediction)
    # One line, or the bars of both cards would not be beside each other.
    how = f", by the mean of <b>{n} prompts</b> each" if n > 1 else "" if others else ", from words alone"
    about = f"picks among your <b>{len(prompts.classnames):,} classes</b>{others}{how}"
    if comparison:
        about += f' <span class="earlier-key">{escape(comparison.name)}</span>'
    bars = "".join(
        bar(score, prediction.truth, notes.get(score.label, ""), _change(rank, score, comparison))
        for rank, score in enumerate(prediction.zero_shot[:SHOWN], 1)
    )
    rank = _rank_of_truth(prediction.zero_shot, prediction.truth, "on your list")
    bars += grey_bar(prediction, comparison)
    return _frame("zero-shot", "Zero-shot", about, f'<ol class="bars">{bars}</ol>{rank}{match_line(prediction)}')


def probe_card(prediction: Prediction, dataset: Dataset, *, may_start: bool, coming: bool = False) -> str:
    """Return the bars of the linear probe, or a note that there is no head and how to fit one, or that it is coming."""
    probe = prediction.linear_probe
    n = len(_probe_classes(prediction, dataset))
    about = f"trained on <b>{escape(dataset.title)}</b>’s <b>{n:,} classes</b>; ignores your list"
    if probe is None:
        return _frame("probe", "Linear probe", about, _no_head(prediction, dataset, may_start, coming))
    early = early_head(probe.head, dataset)
    again = offer(dataset, "Train it on all images", may_start=may_start and not coming)
    more = f'<p class="early">This is {early}.</p>{again}' if early else ""
    bars = "".join(bar(score, prediction.truth) for score in probe.top[:SHOWN])
    rank = _rank_of_truth(probe.top, prediction.truth, "one of its classes")
    sure = probability_line(prediction, dataset)
    return _frame("probe", "Linear probe", about, f'<ol class="bars">{bars}</ol>{rank}{sure}{more}')


def _probe_classes(prediction: Prediction, dataset: Dataset) -> Sequence[str]:
    """Return what the probe chooses among: where there is one, the classes that had training images."""
    probe = prediction.linear_probe
    return dataset.classnames if probe is None else [score.label for score in probe.top]


def _no_head(prediction: Prediction, dataset: Dataset, may_start: bool, coming: bool) -> str:
    if coming:
        return (
            f'<p class="nothing">A probe of <b>{escape(prediction.model)}</b> on <b>{escape(dataset.title)}</b> is '
            "being trained. It will appear here.</p>"
        )
    how = "Or type on" if may_start else "One can be trained on"
    return (
        f'<p class="nothing">No probe was trained for <b>{escape(prediction.model)}</b> on '
        f"<b>{escape(dataset.title)}</b> yet.</p>"
        f'{offer(dataset, may_start=may_start)}<p class="advice">{how} the machine that runs this page: '
        f"<code>python -m clip_demo fit-probe --model {escape(prediction.model)} --dataset {escape(dataset.argument)}"
        "</code></p>"
    )


def _frame(kind: str, name: str, about: str, body: str) -> str:
    return (
        f'<section class="card {kind}" aria-labelledby="{kind}-name"><h2 id="{kind}-name">{name}</h2>'
        f'<p class="about">{about}</p>{body}</section>'
    )


def bar(
    score: ZeroShotScore | ProbeScore, truth: str | None, note: str = "", change: tuple[str, str] = ("", "")
) -> str:
    """Return one class with its share; `change` is what `_change` returns."""
    right = same_class(score.label, truth)
    mark = ' <span class="true-mark">true label</span>' if right else ""
    cosine = f'<span class="cosine">cosine {score.cosine:.4f}</span>' if isinstance(score, ZeroShotScore) else ""
    return (
        f'<li class="bar{" right" if right else ""}">'
        f'<span class="label">{name_html(score.label)}{mark}</span>'
        f'<span class="values">{cosine}{change[0]}<span class="percent">{percent(score.probability)}</span></span>'
        f'<span class="track" aria-hidden="true"><span style="width:{100 * score.probability:.3f}%"></span></span>'
        f"{change[1]}{note}</li>"
    )


def _change(rank: int, score: ZeroShotScore, comparison: Comparison | None) -> tuple[str, str]:
    """Return the change of share and rank against the earlier words, and a mark at the earlier share."""
    if comparison is None:
        return "", ""
    found = comparison.find(score.label)
    if found is None:
        return '<span class="change">new</span>', ""
    earlier_rank, earlier = found
    points = 100 * (score.probability - earlier.probability)
    parts = [] if abs(points) < 0.05 else [f"{points:+.1f}".replace("-", "\N{MINUS SIGN}")]
    if rank != earlier_rank:
        parts.append(f"▲{earlier_rank - rank}" if rank < earlier_rank else f"▼{rank - earlier_rank}")
    text = f'<span class="change">{", ".join(parts)}</span>' if parts else ""
    return text, f'<span class="earlier" aria-hidden="true" style="left:{100 * earlier.probability:.3f}%"></span>'


def _rank_of_truth(scores: Sequence[ZeroShotScore | ProbeScore], truth: str | None, among: str) -> str:
    """Return the rank of the true label if no bar shows it."""
    rank, score = find_class(scores, truth) or (None, None)
    if truth is None or (rank is not None and rank <= SHOWN):
        return ""
    found = f"not {among}" if rank is None else f"number {rank:,}, {percent(score.probability)}"
    return f'<p class="beyond">True label <strong>{name_html(truth)}</strong>: {found}</p>'


def verdict(prediction: Prediction, dataset: Dataset, knowledge: Sequence[WordKnowledge] = ()) -> str:
    """Say in one or two sentences what both predict, and who is right."""
    zero_shot, truth = prediction.zero_shot[0].label, prediction.truth
    first = says_none(prediction) or tie(prediction.zero_shot) or guess(zero_shot, knowledge)
    probe = prediction.linear_probe.top[0].label if prediction.linear_probe else None
    if not first and prediction.agree:
        right = "" if truth is None else (", and both are right" if same_class(probe, truth) else "; neither is right")
        return f"<p><strong>Both say {name_html(zero_shot)}{right}.</strong></p>"
    first = first or f"Zero-shot says {name_html(zero_shot)}{_and_is_right(zero_shot, truth)}."
    rest = []
    if truth is not None and find_class(prediction.zero_shot, truth) is None:
        rest.append(f"“{name_html(truth)}” is not on your list.")
    if truth is not None and not any(same_class(truth, name) for name in _probe_classes(prediction, dataset)):
        rest.append(f"The probe has no class “{name_html(truth)}”.")
    elif probe is not None:
        rest.append(f"The probe says {name_html(probe)}{_and_is_right(probe, truth)}.")
    return f"<p><strong>{first}</strong> {' '.join(rest)}</p>"


def _and_is_right(label: str, truth: str | None) -> str:
    return ", and is right" if same_class(label, truth) else ""


def tie(scores: Sequence[ZeroShotScore]) -> str:
    """Say that the first two classes have the same share; "" unless they have, to the last digit shown."""
    if len(scores) < 2:
        return ""
    first, second = scores[:2]
    if percent(first.probability) != percent(second.probability) or f"{first.cosine:.4f}" != f"{second.cosine:.4f}":
        return ""
    return f"A tie: zero-shot cannot tell {name_html(first.label)} from {name_html(second.label)}."


def guess(first: str, knowledge: Sequence[WordKnowledge]) -> str:
    """Say that the first class is a word that the model does not know; "" unless it is."""
    if not any(known.name == first and known.state == "unknown" for known in knowledge):
        return ""
    return f"A guess at random: zero-shot does not know the word {name_html(first)}."


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


def word_line(names: Sequence[str], knowledge: Sequence[WordKnowledge]) -> str:
    """Say in one line which class names the model does not know, and which are not in Latin letters.

    Parameters
    ----------
    names : sequence of str
        The class list.
    knowledge : sequence of WordKnowledge
        What the model knows of each name; empty where that is not known, as for OpenAI's models.
    """
    unknown = [each.name for each in knowledge if each.state == "unknown"]
    if unknown:
        return f'<p class="hint">The model does not know {_some(unknown)}: for it, such words all look alike.</p>'
    foreign = [] if knowledge else [name for name in names if any(c.isalpha() and ord(c) > 0x24F for c in name)]
    if foreign:
        return f'<p class="hint">OpenAI’s CLIP learned English: {_some(foreign)} may mean little to it.</p>'
    return ""


def _some(names: Sequence[str], n: int = 3) -> str:
    more = f" and {len(names) - n:,} more" if len(names) > n else ""
    return ", ".join(f"“{name_html(name)}”" for name in names[:n]) + more
