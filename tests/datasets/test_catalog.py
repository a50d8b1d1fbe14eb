"""The datasets by name."""

import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.catalog import CIFAR100, DATASETS, SHAPES100, missing_note, open_datasets, resolve_dataset
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
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("nowhere", "file", "loop", "x" * 300, "~no-user"):
        with pytest.raises(DatasetError, match=f"data_root: '.*{name}' is not a folder that can be read; create it"):
            open_datasets(tmp_path / name)


def test_a_given_folder_without_the_dataset_is_named(tmp_path, monkeypatch, caplog, cifar100):
    end = (
        f" does not hold CIFAR-100, which was looked for in {tmp_path / 'cifar-100-python'}; give the folder that "
        "holds cifar-100-python, or choose the dataset shapes100, which needs no files."
    )
    assert missing_note(open_datasets(tmp_path), tmp_path) == f"data_root: {str(tmp_path)!r}{end}"
    assert missing_note({CIFAR100: cifar100}, tmp_path) == ""
    Backend.open("tiny", data_root=tmp_path, dataset=SHAPES100)
    assert caplog.messages == []
    monkeypatch.setenv("CLIP_DEMO_DATA", str(tmp_path))
    Backend.open("tiny")
    assert caplog.messages == [f"$CLIP_DEMO_DATA: {str(tmp_path)!r}{end}"]
    monkeypatch.delenv("CLIP_DEMO_DATA")
    monkeypatch.setattr("clip_demo.datasets.cifar100.USUAL_ROOTS", (str(tmp_path),))
    assert missing_note(open_datasets()) == ""
