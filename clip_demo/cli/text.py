"""Results as text for a terminal."""

from collections.abc import Iterable

from ..backend import Prediction
from ..evaluation.accuracy import Accuracy
from ..evaluation.first_image import FirstImage
from ..evaluation.significance import Difference
from ..inside.deletion_check import DeletionRow
from ..linear_probe.few_shot_curve import FewShotCurve
from ..linear_probe.head import Provenance
from ..zero_shot.classifier import ZeroShotScore
from ..zero_shot.word_knowledge import WordKnowledge


def top_predictions(scores: Iterable[ZeroShotScore]) -> str:
    """Return a zero-shot prediction in the format of openai/CLIP's README, section "Zero-Shot Prediction"."""
    lines = [f"{score.label:>16s}: {100 * score.probability:.2f}%" for score in scores]
    return "\n".join(["", "Top predictions:", "", *lines])


def prediction_text(prediction: Prediction, knowledge: Iterable[WordKnowledge] = ()) -> str:
    """Return the zero-shot prediction and the linear probe's, with what the model does not know of the words."""
    notes = {each.name: f"  ({each.note})" for each in knowledge if each.note}
    source = "image file" if prediction.index is None else f"{prediction.dataset} test image {prediction.index}"
    lines = [f"{prediction.model} · {source} · true label: {prediction.truth or 'unknown'}", "", "Zero-shot:", ""]
    lines += [
        f"{s.label:>16s}: {100 * s.probability:6.2f}%  cosine {s.cosine:.4f}{notes.get(s.label, '')}"
        for s in prediction.zero_shot
    ]
    lines += _none_of_these_lines(prediction)
    probe = prediction.linear_probe
    if probe is None:
        return "\n".join(
            [*lines, "", f"Linear probe: no head for {prediction.model} on {prediction.dataset}; run fit-probe."]
        )
    lines += ["", f"Linear probe ({head_text(probe.head)}):", ""]
    lines += (f"{s.label:>16s}: {100 * s.probability:6.2f}%" for s in probe.top)
    if none := prediction.none_of_these:
        if none.probe_threshold is not None:
            lines += ["", f"95% of the test images have at least {100 * none.probe_threshold:.6g}%"]
    return "\n".join(lines)


def _none_of_these_lines(prediction: Prediction) -> list[str]:
    none = prediction.none_of_these
    if none is None:
        return []
    like = f"  most like {none.strongest}, of {len(none.nouns)} other nouns" if none.strongest else ""
    lines = [f"{'none of these':>16s}: {100 * none.probability:6.2f}%{like}", ""]
    reached = none.note or f"95% of the test images of these classes have at least {none.mcm_threshold:.5f}"
    return [*lines, f"{'MCM':>16s}: {none.mcm:.5f}; {reached}"]


def accuracy_text(accuracy: Accuracy) -> str:
    """Return the accuracies in per cent, and the difference to the baseline if there is one."""
    numbers = {"top-1": accuracy.top1}
    if len(accuracy.per_class) > 5:  # with fewer classes, the true one is always among five
        numbers["top-5"] = accuracy.top5
    of_probe = {} if accuracy.probe_top1 is None else {"linear probe": accuracy.probe_top1}
    if not accuracy.balanced:
        numbers["mean per class"] = accuracy.mean_per_class
        if of_probe:
            of_probe["linear probe, mean per class"] = accuracy.probe_mean_per_class
    lines = [f"{name} = {100 * value:.2f}" for name, value in numbers.items()]
    lines += [f"n = {accuracy.n}", *(f"{name} = {100 * value:.2f}" for name, value in of_probe.items())]
    if accuracy.difference is not None:
        lines += ["", *_difference_lines(accuracy.difference)]
    return "\n".join(lines)


def _difference_lines(difference: Difference) -> list[str]:
    change, low, high = (f"{100 * each:+.2f}" for each in (difference.top1, difference.low, difference.high))
    p_value = "p < 0.0001" if difference.p_value < 0.0001 else f"p = {difference.p_value:.4f}"
    meaning = "" if difference.significant else "not "
    return [
        f"difference to the baseline: {change} points of top-1 (95% interval {low} to {high})",
        f"{images(difference.gained)} became correct, {difference.lost:,} became wrong",
        f"{p_value} (McNemar's exact test): the difference is {meaning}significant at the 5% level",
    ]


def images(n: int) -> str:
    """Return a number of images in words that agree with it."""
    return "1 image" if n == 1 else f"{n:,} images"


def curve_text(curve: FewShotCurve) -> str:
    """Return the points of a few-shot curve, and where the probe becomes as good as zero-shot prediction."""
    lines = [f"zero-shot: {100 * curve.zero_shot:.2f}%"]
    if not curve.balanced:
        lines.append("of a class with fewer images than a point asks for, all are used")
    for point in curve.points:
        spread = f" ± {100 * point.std:.2f} over {len(point.draws)} draws" if len(point.draws) > 1 else ""
        lines.append(f"{point.per_class:>4d} per class: {100 * point.mean:.2f}%{spread}")
    reached = "not reached" if curve.crossing is None else f"at about {curve.crossing:.1f} images per class"
    return "\n".join([*lines, f"as good as zero-shot: {reached}"])


def first_image_text(first: FirstImage | None) -> str:
    """Return the first image's index and class, and its predictions with and without that class in the list."""
    if first is None:
        return "No test image is classified with enough confidence by both methods and without its class."
    return (
        f"test image {first.index} · true label: {first.truth}\n"
        f"zero-shot {100 * first.zero_shot:.2f}%, linear probe {100 * first.probe:.2f}%\n"
        f"without {first.truth!r} in the class list: {first.flip} {100 * first.flip_probability:.2f}%"
    )


def head_text(head: Provenance) -> str:
    """Return what a head was fitted on, and its test accuracy."""
    note = f", {head.note}" if head.note else ""
    return (
        f"{head.model} on {head.dataset}, {head.n_train:,} images, C={head.C:.4g}{note}, "
        f"{100 * head.test_accuracy:.2f}% on {head.n_test:,} test images"
    )


def maps_text(rows: Iterable[DeletionRow]) -> str:
    """Return a table of the deletion check: the mean probability of the first class, and of the drop beyond chance."""
    lines = [f"{'map':<12} {'of':<13} {'n':>5} {'whole':>8} {'hottest':>8} {'random':>8} {'better':>8}  logits (95%)"]
    for row in rows:
        shares = " ".join(f"{each:8.2%}" for each in (row.probability, row.hottest, row.random, row.better))
        drop = f"{row.drop:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
        lines.append(f"{row.method:<12} {row.predictor:<13} {row.n:>5} {shares}  {drop}")
    return "\n".join(lines)
