"""The datasets by name."""

import pytest

from clip_demo.datasets.catalog import CIFAR100, DATASETS, SHAPES100, open_datasets, resolve_dataset
from clip_demo.errors import DatasetError


def test_the_default_is_cifar100_if_available_or_else_shapes100(tmp_path, cifar100):
    absent = open_datasets(tmp_path)
    assert tuple(absent) == DATASETS == (CIFAR100, SHAPES100)
    assert resolve_dataset(absent, None).name == SHAPES100
    assert resolve_dataset(absent | {CIFAR100: cifar100}, None).name == CIFAR100


@pytest.mark.parametrize("name", ["imagenet", 7])
def test_an_unknown_name_is_refused(tmp_path, name):
    with pytest.raises(DatasetError, match=f"dataset: {name!r} is unknown; use one of 'cifar100', 'shapes100'"):
        resolve_dataset(open_datasets(tmp_path), name)


def test_a_root_that_is_not_a_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="data_root: '.*nowhere' is not a folder"):
        open_datasets(tmp_path / "nowhere")
