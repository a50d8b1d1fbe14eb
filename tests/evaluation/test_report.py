"""The evaluation report: exact numbers on the toy, loops on random numbers."""

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.errors import ClassnamesError, DatasetError, HeadError, OptionError
from clip_demo.evaluation.report import KINDS, PREDICTORS, LabelledPrediction
from clip_demo.linear_probe.head import Head
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

HOW_TO_FIT = "fit one with `python -m clip_demo fit-probe --dataset toys`"


# --- the toy ---------------------------------------------------------------------------------------------------------


def test_the_numbers_with_a_head_and_a_baseline_are_exact(with_head, swapped, own_names):
    report = with_head.evaluate(swapped, baseline=own_names)
    accuracy = report.accuracy
    assert (accuracy.top1, accuracy.top5, accuracy.n, accuracy.probe_top1) == (0.6, 1.0, 20, 0.8)
    difference = accuracy.difference
    assert (difference.top1, difference.gained, difference.lost) == (-0.4, 0, 8)
    assert difference.p_value == 2 * 0.5**8 and difference.low < -0.4 < difference.high < 0
    row = report.classes[0]
    assert (row.name, row.coarse, row.n, row.zero_shot, row.probe, row.baseline) == ("green", "plain", 4, 0, 1, 1)
    assert row.confused_with == (("red", 4),)
    assert report.classes[4].probe == 0 and report.classes[4].confused_with == ()
    assert (report.prompts, report.baseline, report.names) == (swapped, own_names, swapped.classnames)
    assert report.logit_scale == 10.0


def test_images_are_selected_by_kind_and_class(with_head, swapped, own_names):
    report = with_head.evaluate(swapped, baseline=own_names.varied(templates=["{}"]))
    reds, greens, whites = (tuple(range(i, 20, 5)) for i in (0, 1, 4))
    assert report.images() == tuple(range(20)) and report.kinds == KINDS and KINDS[0] == "all" and len(KINDS) == 7
    assert report.images("only probe") == report.images("lost") == tuple(sorted(reds + greens))
    assert report.images("only zero-shot") == whites and report.images("both wrong") == report.images("gained") == ()
    assert len(report.images("both right")) == 8
    assert report.images(true=0) == report.images(predicted=1) == reds
    assert report.images(true=0, predicted=2) == ()
    assert report.images(true=4, predicted=3, by="probe") == whites
    assert report.images(true=0, coarse=True, predicted=0) == tuple(i for i in range(20) if i % 5 < 3)
    assert report.labelled_prediction(5) == LabelledPrediction(5, "green", "red", "green")


def test_without_a_head_and_a_baseline_their_values_are_none(backend):
    report = backend.evaluate()
    assert (report.accuracy.difference, report.accuracy.probe_top1, report.baseline) == (None, None, None)
    assert (report.classes[0].probe, report.classes[0].baseline) == (None, None)
    assert (report.labelled_prediction(0).probe, report.kinds) == (None, ("all",))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda report: report.images("gained"), OptionError, "kind: 'gained' is not available here; give a baseline."),
        (
            lambda report: report.images("both right"),
            OptionError,
            f"kind: 'both right' is not available here; there is no head; {HOW_TO_FIT}.",
        ),
        (
            lambda report: report.confusion(by="probe"),
            HeadError,
            f"head: there is none for this model on toys; {HOW_TO_FIT}.",
        ),
        (
            lambda report: report.images(predicted=0, by="probe"),
            HeadError,
            f"head: there is none for this model on toys; {HOW_TO_FIT}.",
        ),
    ],
)
def test_the_message_for_what_needs_a_head_or_a_baseline(backend, ask, error, message):
    with pytest.raises(error) as caught:
        ask(backend.evaluate())
    assert str(caught.value) == message


def test_a_baseline_without_a_head_has_its_kinds(backend, own_names):
    report = backend.evaluate(baseline=own_names)
    assert report.kinds == ("all", "gained", "lost") and report.images("gained") == report.images("lost") == ()


def test_a_head_of_other_classes_is_refused(backend, stores, provenance):
    head = Head(np.ones((2, 3), dtype=np.float32), np.zeros(2, dtype=np.float32), ("red", "zebra"), provenance)
    stores.heads.remember(head, provenance.model_sha256, "toys")
    with pytest.raises(HeadError) as caught:
        backend.evaluate()
    assert str(caught.value) == (
        "head: its class 'zebra' is not a class of Toys-5; fit it again with "
        "`python -m clip_demo fit-probe --dataset toys`."
    )


def test_the_probes_ties_go_to_the_heads_first_class(backend, stores, provenance, toy_dataset):
    head = Head(
        np.zeros((5, 3), dtype=np.float32), np.zeros(5, dtype=np.float32), toy_dataset.classnames[::-1], provenance
    )
    stores.heads.remember(head, provenance.model_sha256, "toys")
    # The names contain no colour, so all prompts are the same; the head's first class is white.
    prompts = PromptSet(("one", "two", "three", "four", "five"))
    report = backend.evaluate(prompts)
    assert set(report.predictions.predicted) == {0} and set(report.labelled_images.probe.predicted) == {4}
    assert report.accuracy.per_class == (1, 0, 0, 0, 0) and report.accuracy.top5 == 1.0
    prediction = backend.predict(index=0, prompts=prompts)
    assert (prediction.zero_shot[0].label, prediction.linear_probe.top[0].label) == ("one", "white")


def test_a_report_agrees_with_predictions_one_by_one(with_head, toy_dataset):
    prompts = PromptSet(("green", "reddish", "blue", "yellow", "white"))
    report = with_head.evaluate(prompts)
    for index in range(20):
        prediction = with_head.predict(index=index, prompts=prompts)
        got, probe = report.labelled_prediction(index), report.labelled_images.probe.predicted[index]
        assert (got.index, got.truth) == (index, prompts.classnames[toy_dataset.label(index)])
        assert got.zero_shot == prediction.zero_shot[0].label
        assert toy_dataset.classnames[probe] == prediction.linear_probe.top[0].label
        assert got.probe == prompts.classnames[probe]  # by the names of the prompt set, like everything in a report


def test_a_prompt_set_needs_a_name_for_each_class_of_the_dataset(backend, own_names):
    short = PromptSet(("red", "blue"))
    with pytest.raises(ClassnamesError) as caught:
        backend.evaluate(short)
    with pytest.raises(ClassnamesError) as of_the_baseline:
        backend.evaluate(own_names, baseline=short)
    with pytest.raises(ClassnamesError) as of_the_check:
        short.check_covers(backend.datasets["toys"])
    assert str(caught.value) == str(of_the_check.value)
    assert str(of_the_baseline.value) == f"baseline, {of_the_check.value}"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda report: report.images("some"),
            "kind: 'some' is not available here; use one of 'all', 'both right', 'only zero-shot', 'only probe', "
            "'both wrong'.",
        ),
        (lambda report: report.images(true=5), "true: 5 is not allowed; use a whole number from 0 to 4."),
        (lambda report: report.images(true=-1), "true: -1 is not allowed; use a whole number from 0 to 4."),
        (lambda report: report.images(true=True), "true: True is not allowed; use a whole number from 0 to 4."),
        (
            lambda report: report.images(predicted=2, coarse=True),
            "predicted: 2 is not allowed; use a whole number from 0 to 1.",
        ),
        (lambda report: report.confusion(by="x"), "by: 'x' is unknown; use one of 'zero-shot', 'probe'."),
        (lambda report: report.images(predicted=0, by="x"), "by: 'x' is unknown; use one of 'zero-shot', 'probe'."),
    ],
)
def test_the_message_for_a_wrong_argument(with_head, ask, message):
    with pytest.raises(OptionError) as caught:
        ask(with_head.evaluate())
    assert str(caught.value) == message


def test_the_message_for_a_dataset_that_is_not_on_disk(toy_encoder, tmp_path, stores):
    backend = Backend(ModelPool.of(toy_encoder), datasets={"cifar100": Cifar100(tmp_path)}, stores=stores)
    with pytest.raises(DatasetError, match="CIFAR-100 is not on disk. Fetch it with `python -m clip_demo download"):
        backend.evaluate()


# --- random numbers --------------------------------------------------------------------------------------------------


def test_accuracies_equal_those_of_a_loop(random_report, decisions):
    accuracy = random_report.accuracy
    assert accuracy.top1 == np.mean([each.true == each.zero_shot for each in decisions])
    assert accuracy.probe_top1 == np.mean([each.true == each.probe for each in decisions])
    gained = sum(each.true == each.zero_shot != each.baseline for each in decisions)
    lost = sum(each.true == each.baseline != each.zero_shot for each in decisions)
    assert (accuracy.difference.gained, accuracy.difference.lost) == (gained, lost) and gained and lost
    assert random_report.predictions.predicted.tolist() == [each.zero_shot for each in decisions]
    assert random_report.labelled_images.probe.predicted.tolist() == [each.probe for each in decisions]


def test_rows_of_classes_equal_those_of_a_loop(random_report, decisions):
    for c, row in enumerate(random_report.classes):
        members = [each for each in decisions if each.true == c]
        assert row.n == len(members) and row.zero_shot == np.mean([each.zero_shot == c for each in members])
        assert row.probe == np.mean([each.probe == c for each in members])
        assert row.baseline == np.mean([each.baseline == c for each in members])
        wrong = [each.zero_shot for each in members if each.zero_shot != c]
        ranked = sorted(set(wrong), key=lambda k: (-wrong.count(k), k))
        assert row.confused_with == tuple(("abcdefg"[k], wrong.count(k)) for k in ranked[:3])


@pytest.mark.parametrize("by", PREDICTORS)
def test_every_cell_of_a_confusion_matrix_selects_its_images(random_report, decisions, by):
    pairs = [(each.true, getattr(each, by.replace("-", "_"))) for each in decisions]
    coarse = random_report.confusion(by, coarse=True)
    for true in range(7):
        for predicted in range(7):
            expected = tuple(k for k, pair in enumerate(pairs) if pair == (true, predicted))
            assert random_report.images(true=true, predicted=predicted, by=by) == expected
    for i in range(3):
        for j in range(3):
            assert coarse.counts[i][j] == len(random_report.images(true=i, predicted=j, by=by, coarse=True))


def test_four_kinds_partition_the_images(random_report):
    kinds = ("both right", "only zero-shot", "only probe", "both wrong")
    assert sorted(sum((random_report.images(kind) for kind in kinds), ())) == list(range(400))
    right = len(random_report.images("both right")) + len(random_report.images("only zero-shot"))
    assert right == round(400 * random_report.accuracy.top1)
