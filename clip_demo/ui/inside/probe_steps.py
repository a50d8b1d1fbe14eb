"""The last steps: the linear probe on the same image vector, and why both predictions differ or not. Pure functions."""

from collections.abc import Sequence
from html import escape

from ...datasets.base import Dataset
from ...inside.walk import ProbeLogit, ProbeStep, Walk
from ...linear_probe.head import ProbeScore
from ...zero_shot.classifier import ZeroShotScore
from ...zero_shot.prompts import same_class
from ..explore.prediction_cards import SHOWN, bar
from ..html import name_html, percent, signed
from .cells_view import terms_table, vectors


def probe_step(walk: Walk) -> str:
    """Return the logits of the probe's best two classes, and the numbers that decide between them."""
    probe = walk.probe
    if probe is None:
        return (
            '<p class="nothing">No probe was trained for this model and dataset yet. The tab Few-shot can train '
            "one.</p>"
        )
    first, second = name_html(probe.first.label), name_html(probe.second.label)
    difference = probe.first.logit - probe.second.logit
    return (
        f"{_logits((probe.first, probe.second))}"
        f'<p class="sum">{first} is <b>{signed(difference, 2)}</b> ahead of {second}. Each number of the image '
        f"times the difference of the two weights: positive speaks for {first}, negative for {second}.</p>"
        f"{_products(walk, probe)}"
        f'<div class="row tables">{terms_table(probe.most, f"Most for {first}", "weights", digits=3)}'
        f"{terms_table(probe.least, f'Most for {second}', 'weights', digits=3)}</div>"
    )


def _logits(logits: Sequence[ProbeLogit]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{name_html(each.label)}</th><td>{signed(each.product, 3)}</td>'
        f"<td>{signed(each.intercept)}</td><td>{signed(each.logit, 3)}</td>"
        f"<td><b>{percent(each.probability)}</b></td></tr>"
        for each in logits
    )
    return (
        '<div class="sideways"><table class="numbers probe"><thead><tr><th scope="col">class</th>'
        '<th scope="col">image · weights</th><th scope="col">+ its constant</th><th scope="col">= score</th>'
        f'<th scope="col">share</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _products(walk: Walk, probe: ProbeStep) -> str:
    image = walk.cosine.image if probe.normalized else walk.cosine.image * walk.cosine.image_length
    return vectors([("image", image), ("product", probe.products)], what="probe", at=probe.most[0].dimension, digits=3)


def probe_caption(walk: Walk, dataset: Dataset) -> str:
    """Say what the probe is."""
    if walk.probe is None:
        return "A linear probe learns from labelled images which numbers of the image vector speak for which class."
    n = walk.probe.prediction.head.n_train
    length = "" if walk.probe.normalized else ", here at its full length"
    return (
        f"The probe never sees a word: it takes the same image vector{length}, and has weights and a constant for each "
        f"of the {len(walk.probe.prediction.top)} classes of {escape(dataset.title)}. They were learned from {n:,} "
        "labelled images; the image encoder stayed as it is. Multiply, add, and a softmax makes shares of the scores."
    )


def difference_step(walk: Walk, dataset: Dataset, truth: str | None) -> str:
    """Return both predictions as Explore shows them, and what makes them differ or not."""
    zero_shot = [ZeroShotScore(each.label, each.probability, each.cosine) for each in walk.classes[:SHOWN]]
    probe = [] if walk.probe is None else walk.probe.prediction.top[:SHOWN]
    n = len(walk.classes)
    cards = _card("zero-shot", "Zero-shot", f"among your {n:,} classes, from words", zero_shot, truth)
    known = dataset.classnames if walk.probe is None else walk.probe.prediction.top
    about = f"among the {len(known):,} classes of {escape(dataset.title)}, from labelled images"
    cards += _card("probe", "Linear probe", about, probe, truth)
    points = "".join(f"<li>{point}</li>" for point in reasons(walk, truth))
    return f'<div class="cards">{cards}</div><ul class="reasons">{points}</ul>'


def _card(kind: str, name: str, about: str, scores: Sequence[ZeroShotScore | ProbeScore], truth: str | None) -> str:
    bars = "".join(bar(each, truth) for each in scores)
    body = f'<ol class="bars">{bars}</ol>' if bars else '<p class="nothing">No probe was trained here yet.</p>'
    return f'<div class="side {kind}"><h3>{name}</h3><p class="about">{about}</p>{body}</div>'


def reasons(walk: Walk, truth: str | None) -> list[str]:
    """Return sentences, as HTML, on why both predictions name the same class or not."""
    agreement = walk.agreement
    if agreement is None:
        return ["Without a probe there is nothing to compare."]
    zero_shot, probe = name_html(agreement.zero_shot), name_html(agreement.probe)
    said = []
    if agreement.agree:
        said.append(f"Both name <b>{zero_shot}</b>: the image vector is near its words, and near its labelled images.")
        if truth is not None and not same_class(truth, agreement.zero_shot):
            said.append(f"Both are wrong: the true label is <b>{name_html(truth)}</b>.")
    elif agreement.rank_of_probe is None:
        said.append(f"The probe’s <b>{probe}</b> is not on your list, so zero-shot cannot say it. Add the word.")
    else:
        said.append(
            f"The probe’s <b>{probe}</b> is number {agreement.rank_of_probe} of your list for zero-shot: its words fit "
            f"less well than “{zero_shot}”. Another template may change that."
        )
    if not agreement.agree and agreement.rank_of_zero_shot is None:
        said.append(f"The probe has no class “{zero_shot}”: it can only answer with the classes it was trained on.")
    elif not agreement.agree:
        said.append(
            f"Zero-shot’s <b>{zero_shot}</b> is number {agreement.rank_of_zero_shot} of the probe: its labelled images "
            "taught it other differences than the words."
        )
    return said + _on_truth(walk, truth)


def _on_truth(walk: Walk, truth: str | None) -> list[str]:
    known = [each.label for each in walk.probe.prediction.top]
    lists = {"on your list": [each.label for each in walk.classes], "a class of the probe": known}
    lacking = [where for where, names in lists.items() if not any(same_class(truth, name) for name in names)]
    # The sentence about zero-shot's class has said it.
    if truth is None or not lacking or same_class(truth, walk.agreement.zero_shot):
        return []
    return [f"The true label “{name_html(truth)}” is not {' and not '.join(lacking)}."]


def difference_caption(walk: Walk) -> str:
    """Say what sets the two methods apart."""
    return (
        "Zero-shot compares the image with words, and takes any list at once. The probe compares it with what it "
        "learned from labels, and knows only its own classes, whatever you type."
    )
