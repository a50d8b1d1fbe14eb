"""torchvision's datasets, from small files in its own formats, beside torchvision's own objects."""

import hashlib
import io
import json
import pickle
import tarfile

import numpy as np
import pytest
import torchvision.datasets
from helpers import Server
from PIL import Image
from scipy.io import savemat

from clip_demo.backend import Backend
from clip_demo.datasets.catalog import NAMES, add_dataset, open_datasets
from clip_demo.datasets.torchvision_sets import TORCHVISION, TorchvisionDataset
from clip_demo.errors import DatasetError, OptionError

EUROSAT = "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake"


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (level % 256, level // 256, 7)).save(path, "PNG")  # exact, whatever its name says


def cifar10(root, monkeypatch):
    folder, kind = root / "cifar-10-batches-py", torchvision.datasets.CIFAR10
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("data_batch_1", "test_batch"):
        data = {"data": rng.integers(0, 255, (20, 3072), dtype=np.uint8), "labels": list(range(10)) * 2}
        (folder / name).write_bytes(pickle.dumps(data))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(TORCHVISION["cifar10"].classnames)}))
    monkeypatch.setattr(kind, "train_list", [["data_batch_1", md5(folder / "data_batch_1")]])
    monkeypatch.setattr(kind, "test_list", [["test_batch", md5(folder / "test_batch")]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(folder / "batches.meta")})


def stl10(root, monkeypatch):
    folder, kind, rng = root / "stl10_binary", torchvision.datasets.STL10, np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, n in (("train", 20), ("test", 10), ("unlabeled", 1)):
        rng.integers(0, 255, n * 3 * 96 * 96, dtype=np.uint8).tofile(folder / f"{name}_X.bin")
        (np.arange(n, dtype=np.uint8) % 10 + 1).tofile(folder / f"{name}_y.bin")
    (folder / "class_names.txt").write_text("\n".join(TORCHVISION["stl10"].classnames))
    for which, names in (("train_list", ("train_X", "train_y", "unlabeled_X")), ("test_list", ("test_X", "test_y"))):
        monkeypatch.setattr(kind, which, [[f"{name}.bin", md5(folder / f"{name}.bin")] for name in names])


def pets(root, monkeypatch):
    folder, breeds = root / "oxford-iiit-pet", [each.replace(" ", "_") for each in TORCHVISION["pets"].classnames]
    (folder / "annotations").mkdir(parents=True)
    for split, first in (("trainval", 1), ("test", 5)):
        lines = [f"{breed}_{first} {label} 1 1" for label, breed in enumerate(breeds, 1)]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(lines))
        for level, breed in enumerate(breeds):
            save(folder / "images" / f"{breed}_{first}.jpg", 100 * first + level)


def food101(root, monkeypatch):
    folder, keys = root / "food-101", [each.replace(" ", "_") for each in TORCHVISION["food101"].classnames]
    (folder / "meta").mkdir(parents=True)
    for split, number in (("train", 1), ("test", 2)):
        (folder / f"meta/{split}.json").write_text(json.dumps({key: [f"{key}/{number}"] for key in keys}))
        for level, key in enumerate(keys):
            save(folder / f"images/{key}/{number}.jpg", 200 * number + level)


def dtd(root, monkeypatch):
    folder, textures = root / "dtd/dtd", TORCHVISION["dtd"].classnames
    (folder / "labels").mkdir(parents=True)
    for number, split in enumerate(("train", "val", "test")):
        lines = [f"{texture}/{number}.jpg" for texture in textures]
        (folder / f"labels/{split}1.txt").write_text("\n".join(lines))
        for level, line in enumerate(lines):
            save(folder / "images" / line, 100 * number + level)


def eurosat(root, monkeypatch):
    for c, name in enumerate(EUROSAT.split()):
        for i in range(5):
            save(root / f"eurosat/2750/{name}/{name}_{i}.jpg", 10 * c + i)


def flowers102(root, monkeypatch):
    folder, kind, n = root / "flowers-102", torchvision.datasets.Flowers102, 306
    for number in range(1, n + 1):
        save(folder / f"jpg/image_{number:05d}.jpg", number)
    savemat(folder / "imagelabels.mat", {"labels": np.arange(n) % 102 + 1})
    parts = np.arange(n).reshape(3, 102)[:, np.random.default_rng(0).permutation(102)].ravel() + 1
    savemat(folder / "setid.mat", {"trnid": parts[:102], "valid": parts[102:204], "tstid": parts[204:]})
    sums = {key: (name, md5(folder / name)) for key, name in (("label", "imagelabels.mat"), ("setid", "setid.mat"))}
    monkeypatch.setattr(kind, "_file_dict", {**kind._file_dict, **sums})


MAKERS = {each.__name__: each for each in (cifar10, stl10, pets, food101, dtd, eurosat, flowers102)}


def reference(name, root, split):
    """Return torchvision's images and labels, of its splits one after the other."""
    row = TORCHVISION[name]
    kind = getattr(torchvision.datasets, row.kind)
    parts = [kind(root, **options) for options in (row.train if split == "train" else row.test)]
    return [part[i] for part in parts for i in range(len(part))]


def test_there_is_a_maker_for_each():
    assert set(MAKERS) == set(TORCHVISION) and set(NAMES) == {"cifar100", "shapes100", *TORCHVISION}


@pytest.mark.parametrize("name", MAKERS)
def test_images_and_labels_are_torchvisions(name, tmp_path, monkeypatch):
    dataset = TorchvisionDataset(name, tmp_path)
    assert not dataset.available() and dataset.sizes == dict(
        zip(("train", "test"), TORCHVISION[name].sizes, strict=True)
    )
    with pytest.raises(DatasetError, match=f"is not on disk. Fetch it with `python -m clip_demo download {name}`"):
        dataset.labels()
    MAKERS[name](tmp_path, monkeypatch)
    assert dataset.available() and TorchvisionDataset(name, tmp_path).available()
    for split in ("train", "test"):
        expected = reference(name, tmp_path, split)
        if name == "eurosat":
            continue
        assert dataset.labels(split).tolist() == [label for _, label in expected]
        images = dataset.images(range(len(expected)), split)
        assert [np.asarray(image).tolist() for image in images] == [np.asarray(image).tolist() for image, _ in expected]
        assert dataset.sizes[split] == len(expected) and len(set(dataset.labels(split))) == len(dataset.classnames)


def test_eurosat_has_a_split_of_its_own(tmp_path, monkeypatch):
    eurosat(tmp_path, monkeypatch)
    dataset = TorchvisionDataset("eurosat", tmp_path)
    levels = {
        split: [image.getpixel((0, 0))[0] for image in dataset.images(range(len(dataset.labels(split))), split)]
        for split in ("train", "test")
    }
    assert sorted(levels["train"] + levels["test"]) == [10 * c + i for c in range(10) for i in range(5)]
    assert (
        np.bincount(dataset.labels("test")).tolist() == [1] * 10
        and np.bincount(dataset.labels("train")).tolist() == [4] * 10
    )
    assert dataset.labels("test").tolist() == [level // 10 for level in levels["test"]]
    assert dataset.classnames[9] == "lake or sea" and dataset.classnames[2] == "brushland or shrubland"


@pytest.mark.parametrize(("name", "url", "checksum"), [("dtd", "_URL", "_MD5"), ("food101", "_URL", "_MD5")])
def test_torchvision_downloads_and_checks(name, url, checksum, tmp_path, monkeypatch):
    MAKERS[name](tmp_path / "made", monkeypatch)
    kind, archive = getattr(torchvision.datasets, TORCHVISION[name].kind), io.BytesIO()
    top = tmp_path / "made" / ("dtd" if name == "dtd" else "")
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(next(top.iterdir()), next(top.iterdir()).name)
    with Server(archive.getvalue()) as server:
        monkeypatch.setattr(kind, url, f"http://127.0.0.1:{server.server_port}/{name}.tar.gz")
        monkeypatch.setattr(kind, checksum, "0" * 32)
        dataset = TorchvisionDataset(name, tmp_path / "root")
        with pytest.raises(DatasetError, match="cannot be downloaded .File not found or corrupted"):
            dataset.download()
        assert not dataset.available()
        monkeypatch.setattr(kind, checksum, hashlib.md5(archive.getvalue()).hexdigest())
        dataset.download()
        n = len(server.requests)
        assert dataset.available() and len(dataset.labels()) == len(dataset.classnames)
        dataset.download()
        assert len(server.requests) == n
        monkeypatch.setenv("CLIP_DEMO_OFFLINE", "1")
        with pytest.raises(DatasetError, match="downloads are switched off"):
            TorchvisionDataset(name, tmp_path / "other").download()
        assert len(server.requests) == n
    with pytest.raises(DatasetError, match="unpack your copy to"):
        dataset.download(given=tmp_path)


@pytest.mark.parametrize("fault", ["names", "classes", "image"])
def test_files_that_are_not_the_dataset_are_refused(tmp_path, monkeypatch, fault):
    pets(tmp_path, monkeypatch)
    lines = (tmp_path / "oxford-iiit-pet/annotations/test.txt").read_text().splitlines()
    if fault == "names":
        lines[0] = lines[0].replace("Abyssinian", "Tiger")
    elif fault == "classes":
        lines = lines[1:]
    else:
        (tmp_path / "oxford-iiit-pet/images/Bengal_5.jpg").write_bytes(b"no image")
    (tmp_path / "oxford-iiit-pet/annotations/test.txt").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match="Pets in .* is damaged or incomplete .*; delete .*oxford-iiit-pet"):
        TorchvisionDataset("pets", tmp_path).images(range(30))


def test_the_host_offers_them_by_name(tmp_path, monkeypatch):
    pets(tmp_path, monkeypatch)
    backend = Backend.open("tiny", dataset=["pets", "cifar10"], data_root=tmp_path)
    assert list(backend.datasets) == ["cifar100", "shapes100", "pets", "cifar10"] and backend.default_dataset == "pets"
    backend.datasets["pets"].labels("train")
    report = backend.evaluate()
    assert report.accuracy.n == 37 and report.accuracy.mean_per_class == pytest.approx(report.accuracy.top1)
    assert backend.datasets["pets"].templates == ("a photo of a {}, a type of pet.",)
    with pytest.raises(OptionError, match="the classes of Oxford-IIIT Pets have no groups"):
        report.confusion(coarse=True)
    assert add_dataset(open_datasets(tmp_path), "pets", tmp_path).root == tmp_path
