"""The class-balanced order of images."""

import numpy as np

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.features.balanced_order import balanced_order


def test_every_run_of_one_image_per_class_has_each_class_once():
    labels = Shapes100().labels("train")
    order = balanced_order(labels)
    assert sorted(order) == list(range(len(labels)))
    assert all(sorted(run) == list(range(100)) for run in labels[order].reshape(-1, 100))


def test_classes_of_different_sizes_are_balanced_as_long_as_they_last():
    labels = np.array([0] * 6 + [1] * 2 + [2] * 3)
    ordered = labels[balanced_order(labels)]
    assert [sorted(ordered[:3]), sorted(ordered[3:6]), sorted(ordered[6:8])] == [[0, 1, 2], [0, 1, 2], [0, 2]]
    assert set(ordered[8:]) == {0}


def test_the_order_is_the_same_on_every_machine_and_depends_on_the_seed():
    labels = np.arange(50) % 5
    first = [25, 1, 47, 18, 4, 35, 31, 27, 43, 39]
    assert balanced_order(labels)[:10].tolist() == first
    assert balanced_order(labels, seed=1)[:10].tolist() != first
