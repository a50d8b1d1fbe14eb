"""CIFAR-100: the real files where they are on disk, and torchvision's download of a small archive over loopback."""

import hashlib
import pickle
import shutil
import signal

import numpy as np
import pytest
from helpers import Server, cifar100_archive, unprivileged
from torchvision.datasets import CIFAR100

from clip_demo.datasets import cifar100 as module
from clip_demo.datasets.cifar100 import Cifar100, data_roots
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF
from clip_demo.download import RemoteFile
from clip_demo.errors import DatasetError


def test_test_image_3637_is_a_snake(cifar100):
    # The example of openai/CLIP's README, section "Zero-Shot Prediction".
    assert cifar100.classnames[cifar100.label(3637)] == "snake"
    assert cifar100.image(3637).size == (32, 32)


def test_images_and_labels_are_torchvisions(cifar100):
    theirs = CIFAR100(cifar100.root, train=False)
    assert tuple(theirs.classes) == CIFAR100_CLASSNAMES
    np.testing.assert_array_equal(cifar100.labels(), theirs.targets)
    np.testing.assert_array_equal(cifar100.pixels(range(10_000)), theirs.data)
    assert [np.asarray(each).tolist() for each in cifar100.images([7, 3])] == theirs.data[[7, 3]].tolist()
    assert cifar100.labels("train").shape == (50_000,) and cifar100.labels("train").dtype == np.int64


def test_class_names_and_groups_are_those_of_the_files(cifar100):
    folder = cifar100.root / "cifar-100-python"
    meta, test = (pickle.loads((folder / name).read_bytes(), encoding="latin1") for name in ("meta", "test"))
    assert tuple(meta["fine_label_names"]) == CIFAR100_CLASSNAMES
    assert tuple(meta["coarse_label_names"]) == CIFAR100_COARSE_NAMES
    assert set(zip(test["fine_labels"], test["coarse_labels"], strict=True)) == set(enumerate(CIFAR100_COARSE_OF))


def test_a_given_folder_is_the_only_one_that_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_DEMO_DATA", str(tmp_path / "a"))
    assert data_roots() == (tmp_path / "a",) and data_roots(tmp_path / "b") == (tmp_path / "b",)
    monkeypatch.delenv("CLIP_DEMO_DATA")
    assert data_roots()[0].name == ".cache" and len(data_roots()) > 1


def test_the_message_without_files_says_how_to_get_them(tmp_path):
    with pytest.raises(DatasetError) as caught:
        Cifar100(tmp_path).image(0)
    for part in ("CIFAR-100 is not on disk", str(tmp_path / "cifar-100-python"), "--data-root", "Shapes-100"):
        assert part in str(caught.value)
    assert caught.value.page_message == (
        "CIFAR-100 is not on this machine yet. Download it on the Explore tab, or choose Shapes-100."
    )


def test_a_damaged_file_is_refused_before_it_is_unpickled(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, size in Cifar100.file_bytes.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(DatasetError, match="is damaged .* delete the folder") as caught:
        Cifar100(tmp_path).image(0)
    assert str(tmp_path) not in caught.value.public_message == caught.value.page_message
    assert caught.value.page_message == (
        "The files of CIFAR-100 are damaged. Download them again with “python -m clip_demo download cifar100”, or "
        "choose Shapes-100."
    )


@pytest.fixture
def server(monkeypatch):
    """Serve an archive like CIFAR-100's with 300 random images per split; ours and torchvision's checksums are its."""
    rng = np.random.default_rng(0)
    files = {
        name: pickle.dumps(
            {
                "data": rng.integers(0, 255, (300, 3072), dtype=np.uint8),
                "fine_labels": [78, 0, 1] * 100,
                "coarse_labels": [15, 4, 1] * 100,
            }
        )
        for name in ("train", "test")
    }
    files["meta"] = pickle.dumps({"fine_label_names": list(CIFAR100_CLASSNAMES), "coarse_label_names": []})
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    with Server(cifar100_archive(files)) as server:
        address = f"http://127.0.0.1:{server.server_port}/cifar-100-python.tar.gz"
        served = RemoteFile(
            "cifar-100-python.tar.gz", hashlib.sha256(server.data).hexdigest(), len(server.data), (address,)
        )
        monkeypatch.setattr(module, "ARCHIVE", served)
        monkeypatch.setattr(CIFAR100, "url", "http://127.0.0.1:1/")  # torchvision has nothing to download
        monkeypatch.setattr(CIFAR100, "tgz_md5", hashlib.md5(server.data).hexdigest())
        monkeypatch.setattr(CIFAR100, "train_list", [["train", md5["train"]]])
        monkeypatch.setattr(CIFAR100, "test_list", [["test", md5["test"]]])
        monkeypatch.setattr(CIFAR100, "meta", CIFAR100.meta | {"md5": md5["meta"]})
        monkeypatch.setattr(Cifar100, "download_bytes", len(server.data))
        monkeypatch.setattr(Cifar100, "file_bytes", {name: len(data) for name, data in files.items()})
        yield server


def test_download_reports_its_progress(server, tmp_path):
    server.gate.clear()
    dataset, calls = Cifar100(tmp_path), []

    def progress(*call):
        calls.append((*call, dataset.available()))
        server.gate.set()

    dataset.download(progress)
    title, done, total, available = calls[0]
    assert (title, total, available) == ("CIFAR-100", len(server.data), False) and 0 < done < total
    assert dataset.available() and dataset.classnames[dataset.label(0)] == "snake"


def test_images_that_were_read_stay_available_without_their_files(server, tmp_path):
    dataset = Cifar100(tmp_path)
    dataset.download()
    image = dataset.image(5)
    shutil.rmtree(tmp_path / "cifar-100-python")
    assert dataset.available() and dataset.image(5) == image
    assert not Cifar100(tmp_path).available()


def test_a_failed_download_can_be_repeated(server, tmp_path):
    complete, server.data = server.data, server.data[:100_000]
    dataset = Cifar100(tmp_path)
    with pytest.raises(DatasetError) as caught:
        dataset.download()
    for part in ("CIFAR-100 cannot be downloaded", str(tmp_path), "Shapes-100"):
        assert part in str(caught.value)
    assert str(tmp_path) not in caught.value.public_message == caught.value.page_message
    assert caught.value.page_message == (
        "CIFAR-100 could not be downloaded. Check the network and try again, or choose Shapes-100."
    )
    assert not dataset.available()
    server.data = complete
    dataset.download()
    assert dataset.available()


def test_a_full_disk_keeps_the_archive_and_not_half_of_the_images(server, tmp_path):
    (tmp_path / "cifar-100-python.tar.gz").write_bytes(server.data)
    resource = pytest.importorskip("resource", reason="Windows has no limit of a file's size")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))  # a split has more
    try:
        with pytest.raises(DatasetError) as caught:
            Cifar100(tmp_path).download()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.page_message == "There is no space left on the disk. Free some space and try again."
    assert not (tmp_path / "cifar-100-python").exists()
    Cifar100(tmp_path).download()
    assert Cifar100(tmp_path).available() and server.requests == []


def test_an_archive_with_a_wrong_checksum_is_not_unpacked(server, tmp_path):
    server.data = server.data[:-1] + b"?"
    with pytest.raises(DatasetError, match="cannot be downloaded.*SHA-256 is .* instead of"):
        Cifar100(tmp_path).download()
    assert not (tmp_path / "cifar-100-python").exists()


def test_it_is_taken_from_a_folder_without_a_network(server, tmp_path):
    (tmp_path / "stick" / "old").mkdir(parents=True)
    with pytest.raises(DatasetError, match="has no file with the SHA-256"):
        Cifar100(tmp_path / "root").download(given=tmp_path / "stick")
    (tmp_path / "stick" / "old" / "renamed.bin").write_bytes(server.data)
    dataset = Cifar100(tmp_path / "root")
    dataset.download(given=tmp_path / "stick")
    assert dataset.available() and server.requests == []


def test_torchvisions_usual_places_are_looked_at(server, tmp_path, monkeypatch):
    Cifar100(tmp_path / "data").download()
    monkeypatch.delenv("CLIP_DEMO_DATA", raising=False)
    monkeypatch.setattr(module, "USUAL_ROOTS", (str(tmp_path / "empty"), str(tmp_path / "data")))
    assert Cifar100().root == tmp_path / "data" and Cifar100().available()
    assert not Cifar100(tmp_path / "empty").available()


def test_the_folder_of_the_files_itself_is_taken(server, tmp_path, monkeypatch):
    folder = tmp_path / "cifar-100-python"
    Cifar100(tmp_path).download()
    monkeypatch.chdir(folder)
    for root in (folder, ".", "../cifar-100-python"):
        dataset = Cifar100(root)
        assert dataset.available() and dataset.label(0) == 78 and dataset.folder.samefile(folder)
    renamed = folder.rename(tmp_path / "my data")
    assert Cifar100(renamed).label(0) == 78 and not Cifar100(tmp_path).available()


def test_the_dataset_is_not_downloaded_into_itself(server, tmp_path):
    folder = tmp_path / "cifar-100-python"
    for root in (folder, folder):  # absent, then incomplete
        dataset = Cifar100(root)
        assert not dataset.available() and dataset.folder == folder
        dataset.download()
        assert dataset.available() and Cifar100(tmp_path).available()
        assert {path.name for path in folder.iterdir()} == {"train", "test", "meta"}
        (folder / "train").unlink()
        (folder / "meta").write_bytes(b"")


def test_a_folder_that_may_not_be_read_counts_as_absent(server, tmp_path):
    Cifar100(tmp_path).download()
    for path in (tmp_path / "cifar-100-python" / "test", tmp_path / "cifar-100-python", tmp_path):
        path.chmod(0)
        try:
            assert not unprivileged(lambda: Cifar100(tmp_path).available())
        finally:
            path.chmod(0o700)
    assert Cifar100(tmp_path).available()


def test_damaged_files_of_full_size_are_replaced_from_our_sources(server, tmp_path):
    dataset = Cifar100(tmp_path)
    dataset.download()
    test = tmp_path / "cifar-100-python" / "test"
    test.write_bytes(bytes(test.stat().st_size))
    (tmp_path / "cifar-100-python.tar.gz").rename(tmp_path / "archive (1).tar.gz")
    Cifar100(tmp_path).download(given=tmp_path / "archive (1).tar.gz")  # torchvision's own address does not answer
    assert Cifar100(tmp_path).label(0) == dataset.label(0) == 78
