"""Evaluations of datasets with few classes, unbalanced ones, and classes without images or groups."""

import numpy as np
import pytest
from helpers import SmallDataset

from clip_demo.backend import Backend
from clip_demo.errors import OptionError
from clip_demo.evaluation import tables
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

COUNTS = {"train": {"red": 9, "green": 3, "blue": 0, "white": 4}, "test": {"red": 6, "green": 2, "blue": 1, "white": 0}}


@pytest.fixture
def small():
    return SmallDataset(COUNTS, image_sizes=((32, 32), (300, 20)))


@pytest.fixture
def on_small(toy_encoder, small, tmp_path):
    return Backend(ModelPool.of(toy_encoder), datasets={"small": small}, stores=Stores.open(tmp_path))


def test_every_number_of_unbalanced_classes_agrees_with_the_images(on_small, small):
    prompts = PromptSet(("red", "blue", "green", "white"))
    on_small.fit_probe(folder=on_small._stores.heads.folders[-1])
    report = on_small.evaluate(prompts, baseline=PromptSet.for_dataset(small))
    accuracy, predicted = report.accuracy, report.predictions.predicted
    shares = [np.mean(predicted[small.labels() == i] == i) for i in range(3)]
    assert accuracy.per_class == (*shares, None) and accuracy.mean_per_class == pytest.approx(np.mean(shares))
    assert accuracy.top1 == pytest.approx((6 * shares[0] + 2 * shares[1] + shares[2]) / 9) != accuracy.mean_per_class
    white = report.classes[3]
    assert (white.coarse, white.n, white.zero_shot, white.probe, white.baseline) == (None, 0, None, None, None)
    assert report.images(true=3) == () and report.labelled_images.probe.head.classes_ == ("red", "green", "white")
    # The interval is of the difference of top-1, in which each image counts the same.
    difference = accuracy.difference
    assert difference.top1 == pytest.approx((difference.gained - difference.lost) / 9)


def test_without_groups_there_is_one_matrix(on_small):
    report = on_small.evaluate()
    matrix = report.confusion()
    assert (matrix.groups, matrix.classes, sum(map(sum, matrix.counts))) == ((), (0, 1, 2, 3), 9)
    for ask in (lambda: report.confusion(coarse=True), lambda: report.images(true=0, coarse=True)):
        with pytest.raises(OptionError) as caught:
            ask()
        assert str(caught.value) == (
            "coarse: True is not allowed, because the classes of Small have no groups; use False."
        )


def test_the_tables_leave_missing_values_empty(on_small):
    report = on_small.evaluate()
    assert tables.to_csv(tables.per_class(report)).splitlines()[4] == "white,,0,,,,,,,,,"
    summary = dict(zip(*(tables.summary(report)[i] for i in (0,)), tables.summary(report).rows[0], strict=True))
    assert summary["mean_per_class"] == report.accuracy.mean_per_class and summary["probe_mean_per_class"] is None


def test_another_name_of_a_class_without_images_is_measured_over_all(on_small):
    [row] = on_small.compare_names("white", ["red."])
    assert row.accuracy is None and 0 <= row.top1 <= 1


def test_a_class_without_test_images_is_not_hidden_and_has_no_threshold(on_small):
    for seed in range(8):
        [hidden] = on_small.hide_classes(hidden=1, seed=seed).hidden
        assert hidden != "white"
    with pytest.raises(OptionError, match="^hidden: 2 is not allowed; use a whole number from 1 to 1.$"):
        on_small.hide_classes(hidden=2)
    none = on_small.predict(index=0, prompts=PromptSet(("red", "white")), none_of_these=True).none_of_these
    assert none.note == "Small has no test images of “white”, and a threshold needs some."


def test_of_two_classes_none_can_be_hidden(toy_encoder, tmp_path):
    two = SmallDataset({"train": {"red": 6, "blue": 4}, "test": {"red": 3, "blue": 1}})
    backend = Backend(ModelPool.of(toy_encoder), datasets={"small": two}, stores=Stores.open(tmp_path))
    assert backend.evaluate().accuracy.top5 == 1 and len(backend.predict(index=3).zero_shot) == 2
    with pytest.raises(OptionError) as caught:
        backend.hide_classes(hidden=1)
    assert str(caught.value) == (
        "hidden: 2 classes have test images; at least 3 are needed, one to hide and two to keep."
    )


def test_the_first_image_needs_no_groups(on_small):
    on_small.fit_probe(folder=on_small._stores.heads.folders[-1])
    first = on_small.find_first_image(folder=on_small._stores.heads.folders[-1])
    assert first is None or first.flip != first.truth
