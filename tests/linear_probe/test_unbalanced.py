"""Heads and few-shot curves of datasets with unbalanced classes, or few images."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import SmallDataset

from clip_demo.backend import Backend
from clip_demo.errors import DatasetError, OptionError
from clip_demo.features.balanced_order import balanced_order
from clip_demo.linear_probe.few_shot_curve import draws_of, new_curve, with_draw
from clip_demo.linear_probe.pipeline import Stores, early_sizes
from clip_demo.serving.model_pool import ModelPool


def dataset_of(train, test=None):
    return SmallDataset({"train": train, "test": test or dict.fromkeys(train, 2)})


def backend_of(encoder, dataset, folder):
    return Backend(ModelPool.of(encoder), datasets={"small": dataset}, stores=Stores.open(folder))


UNBALANCED = dataset_of({"red": 30, "green": 5, "blue": 0, "white": 2})


def test_a_point_has_at_most_its_number_of_images_of_each_class():
    labels = UNBALANCED.labels("train")
    order, draws = balanced_order(labels), draws_of(UNBALANCED)
    for draw in draws:
        counts = np.bincount(labels[order[draw.start : draw.stop]], minlength=4)
        assert counts.tolist() == [min(draw.per_class, n) for n in (30, 5, 0, 2)], draw
    assert [(draw.per_class, draw.number) for draw in draws] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (4, 0),
        (8, 0),
        (16, 0),
        (30, 0),
    ]
    assert (draws[-1].start, draws[-1].stop) == (0, 37)


@pytest.mark.parametrize(
    ("train", "points"),
    [
        ({"a": 5, "b": 5}, [(1, 2), (2, 4), (4, 8), (5, 10)]),
        ({"a": 1, "b": 1}, [(1, 2)]),
        ({"a": 3, "b": 1}, [(1, 2), (2, 3), (3, 4)]),
        ({"a": 4, "b": 4}, [(1, 2), (2, 4), (4, 8)]),
    ],
)
def test_the_curve_of_a_small_dataset_has_the_points_that_there_are(toy_encoder, train, points):
    dataset = dataset_of(train)
    curve = new_curve(toy_encoder, dataset, 0.5, ["a {}"])
    for draw in draws_of(dataset):
        assert not curve.complete
        curve = with_draw(dataset, curve, draw, 0.5)
    assert curve.complete and [(each.per_class, each.n_train) for each in curve.points] == points
    assert curve.balanced == (len(set(train.values())) == 1)
    assert replace(curve, points=()).balanced


def test_the_early_head_has_at_most_twenty_images_of_each_class():
    assert early_sizes(UNBALANCED) == {"train": 20 + 5 + 2, "test": 8}


def test_a_head_and_its_curve_lack_the_class_without_training_images(toy_encoder, tmp_path):
    backend = backend_of(toy_encoder, UNBALANCED, tmp_path)
    _, head = backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    assert head.classes_ == ("red", "green", "white") and head.provenance.test_accuracy <= 0.75
    curve = backend.few_shot_curve()
    assert curve.complete and not curve.balanced and curve.points[-1].n_train == 37
    assert {each.label for each in backend.predict(index=0, top_k=9).linear_probe.top} == set(head.classes_)


def test_the_sweep_holds_out_a_fifth_of_each_class(toy_encoder, tmp_path):
    _, head = backend_of(toy_encoder, UNBALANCED, tmp_path).fit_probe(folder=tmp_path, sweep=True)
    assert head.provenance.note == "C swept on 7 held-out training images"  # 6 of 30, 1 of 5, 0 of 2
    few = backend_of(toy_encoder, dataset_of({"red": 4, "blue": 4}), tmp_path / "few")
    with pytest.raises(OptionError, match="^sweep: it holds out one training image in 5 of each class, and no class"):
        few.fit_probe(folder=tmp_path, sweep=True)


def test_images_of_one_class_are_not_enough(toy_encoder, tmp_path):
    backend = backend_of(toy_encoder, dataset_of({"red": 4, "blue": 0}), tmp_path)
    with pytest.raises(
        DatasetError, match="all training images of small are of one class, 'red'; a linear probe needs"
    ):
        backend.fit_probe(folder=tmp_path)
