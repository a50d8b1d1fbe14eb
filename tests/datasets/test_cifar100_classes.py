"""The class names of CIFAR-100; test_cifar100.py compares them with the real files."""

from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF


def test_there_are_100_classes_in_20_coarse_classes_of_five():
    assert len(set(CIFAR100_CLASSNAMES)) == len(CIFAR100_COARSE_OF) == 100 and len(set(CIFAR100_COARSE_NAMES)) == 20
    assert [CIFAR100_COARSE_OF.count(i) for i in range(20)] == [5] * 20
    assert CIFAR100_COARSE_NAMES[CIFAR100_COARSE_OF[CIFAR100_CLASSNAMES.index("snake")]] == "reptiles"


def test_nine_class_names_have_underscores():
    assert sum("_" in name for name in CIFAR100_CLASSNAMES) == 9
