"""torchvision's datasets, from small files in its own formats, beside torchvision's own objects."""

import hashlib
import inspect
import io
import json
import pickle
import re
import shutil
import signal
import tarfile
import zipfile
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torchvision.datasets
from helpers import Server
from PIL import Image
from scipy.io import savemat

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.datasets.catalog import NAMES, add_dataset, open_datasets
from clip_demo.datasets.torchvision_sets import TorchvisionDataset
from clip_demo.datasets.torchvision_table import TORCHVISION
from clip_demo.download import RemoteFile
from clip_demo.errors import DatasetError

EUROSAT = "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake"
EUROSAT_TEST = [4, 2, 4, 3, 3, 2, 3, 1, 0, 2]  # the number of the image of each class with the lowest SHA-256


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
SIZES = {
    "cifar10": (20, 20), "stl10": (20, 10), "pets": (37, 37), "food101": (101, 101), "dtd": (94, 47),
    "eurosat": (40, 10), "flowers102": (204, 102),
}  # fmt: skip


def make(name, root, monkeypatch):
    """Make a small dataset in torchvision's format, and give the row its sizes."""
    MAKERS[name](root, monkeypatch)
    monkeypatch.setitem(TORCHVISION, name, replace(TORCHVISION[name], sizes=SIZES[name]))
    return TORCHVISION[name]


@pytest.fixture(params=MAKERS)
def served(request, tmp_path, monkeypatch):
    """Serve what `make` makes, each file or archive by a server of its own: returns the name and the servers."""
    row, parts = make(request.param, tmp_path / "made", monkeypatch), {}
    for file in row.files:
        names = [file.name] if file.name in row.unpacked else [n for n in row.unpacked if not n.endswith(".mat")]
        if len(row.files) == 2:  # images and annotations
            names = [file.name.partition(".")[0]]
        parts[file.name] = archive(tmp_path / "made" / row.base, names, file.name)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(Server(data)) for name, data in parts.items()}
        files = tuple(
            RemoteFile(
                name, size=len(server.data), md5=hashlib.md5(server.data).hexdigest(),
                sources=(f"http://127.0.0.1:{server.server_port}/{name}",),
            )
            for name, server in servers.items()
        )  # fmt: skip
        monkeypatch.setitem(TORCHVISION, request.param, replace(row, files=files))
        yield request.param, list(servers.values())


def archive(folder, names, as_name):
    """Return a file of a folder, or an archive of some of what is in it, of the kind that `as_name` says."""
    if names == [as_name]:
        return (folder / as_name).read_bytes()
    buffer = io.BytesIO()
    if as_name.endswith(".zip"):
        with zipfile.ZipFile(buffer, "w") as pack:
            for path in sorted(path for name in names for path in (folder / name).rglob("*")):
                pack.write(path, path.relative_to(folder))
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as pack:
            for name in names:
                pack.add(folder / name, name)
    return buffer.getvalue()


def n_requests(servers):
    return sum(len(server.requests) for server in servers)


def reference(name, root, split):
    """Return torchvision's images and labels, of its splits one after the other."""
    row = TORCHVISION[name]
    kind = getattr(torchvision.datasets, row.kind)
    parts = [kind(root, **options) for options in (row.train if split == "train" else row.test)]
    return [part[i] for part in parts for i in range(len(part))]


def test_there_is_a_maker_for_each():
    assert set(MAKERS) == set(TORCHVISION) and set(NAMES) == {"cifar100", "shapes100", *TORCHVISION}


def test_addresses_and_sums_are_torchvisions():
    sets = torchvision.datasets
    theirs = {
        "pets": set(sets.OxfordIIITPet._RESOURCES),
        "flowers102": {
            (sets.Flowers102._download_url_prefix + name, md5) for name, md5 in sets.Flowers102._file_dict.values()
        },
        "eurosat": set(re.findall(r'"(https:.*)",.*\n.*\n *md5="(.*)"', inspect.getsource(sets.EuroSAT.download))),
    }
    theirs |= {name: {(kind.url, kind.tgz_md5)} for name, kind in (("cifar10", sets.CIFAR10), ("stl10", sets.STL10))}
    theirs |= {name: {(kind._URL, kind._MD5)} for name, kind in (("food101", sets.Food101), ("dtd", sets.DTD))}
    assert {name: {(f.sources[0], f.md5) for f in row.files} for name, row in TORCHVISION.items()} == theirs


def test_three_flowers_have_better_names_than_torchvisions():
    ours, theirs = TORCHVISION["flowers102"].classnames, torchvision.datasets.Flowers102.classes
    assert {pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]} == {
        ("globe flower", "globe-flower"), ("pink and yellow dahlia", "pink-yellow dahlia?"), ("air plant", "ball moss")
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "eurosat"])
def test_images_and_labels_are_torchvisions(name, tmp_path, monkeypatch):
    make(name, tmp_path, monkeypatch)
    dataset = TorchvisionDataset(name, tmp_path)
    for split in ("train", "test"):
        expected = reference(name, tmp_path, split)
        assert dataset.labels(split).tolist() == [label for _, label in expected]
        images = dataset.images(range(len(expected)), split)
        assert [np.asarray(image).tolist() for image in images] == [np.asarray(image).tolist() for image, _ in expected]
        assert dataset.sizes[split] == len(expected) and set(dataset.labels(split)) == set(
            range(len(dataset.classnames))
        )


def test_eurosat_has_a_split_of_its_own(tmp_path, monkeypatch):
    make("eurosat", tmp_path, monkeypatch)
    dataset = TorchvisionDataset("eurosat", tmp_path)
    levels = {
        split: [image.getpixel((0, 0))[0] for image in dataset.images(range(size), split)]
        for split, size in dataset.sizes.items()
    }
    assert sorted(levels["train"] + levels["test"]) == [10 * c + i for c in range(10) for i in range(5)]
    assert sorted(dataset.labels("test")) == list(range(10)) and sorted(dataset.labels("train"))[::4] == list(range(10))
    assert dataset.labels("test").tolist() == [level // 10 for level in levels["test"]]
    # The same on every machine.
    assert [level % 10 for level in levels["test"]] == EUROSAT_TEST
    assert dataset.classnames[9] == "lake or sea" and dataset.classnames[2] == "brushland or shrubland"


def test_sizes_and_names_are_known_before_the_download(tmp_path):
    dataset = TorchvisionDataset("food101", tmp_path)
    assert not dataset.available() and dataset.sizes == {"train": 75_750, "test": 25_250}
    assert dataset.download_bytes == 4_996_278_331 and dataset.folder == tmp_path / "food-101"
    with pytest.raises(DatasetError, match="is not on disk. Fetch it with `python -m clip_demo download food101`"):
        dataset.labels()


def test_a_download_is_checked_unpacked_and_not_repeated(served, tmp_path, monkeypatch):
    (name, servers), calls = served, []
    dataset, good = TorchvisionDataset(name, tmp_path / "root"), servers[-1].data
    servers[-1].data = good[:-1] + b"?"
    with pytest.raises(DatasetError, match="cannot be downloaded .*its MD5 is .* instead of"):
        dataset.download()
    assert not dataset.available()
    servers[-1].data = good
    (dataset._base / f".{name}-unpacking" / "images").mkdir(parents=True)  # of a process that was killed
    dataset.download(lambda *call: calls.append((*call, dataset.available())))
    n = n_requests(servers)
    assert dataset.available() and calls[-1] == (dataset.title, dataset.download_bytes, dataset.download_bytes, False)
    assert [done for _, done, *_ in calls] == sorted(done for _, done, *_ in calls)
    for split in dataset.sizes:
        other = TorchvisionDataset(name, tmp_path / "made")
        assert dataset.labels(split).tolist() == other.labels(split).tolist()
        assert [each.tobytes() for each in dataset.images([0, 9, 3], split)] == [
            each.tobytes() for each in other.images([0, 9, 3], split)
        ]
    dataset.download()
    monkeypatch.setenv("CLIP_DEMO_OFFLINE", "1")
    for part in dataset._row.unpacked[:1]:  # the archive is still there
        shutil.rmtree(tmp_path / "root" / dataset._row.base / part)
    assert not dataset.available()
    TorchvisionDataset(name, tmp_path / "root").download()
    assert dataset.available() and n_requests(servers) == n
    assert not list((tmp_path / "root").rglob("*-unpacking"))
    with pytest.raises(DatasetError, match="nothing is downloaded, because of --offline") as caught:
        TorchvisionDataset(name, tmp_path / "other").download()
    assert caught.value.page_message == f"{dataset.title} is not on this machine, and downloads are switched off."


def test_it_is_taken_from_a_folder_without_a_network(served, tmp_path):
    name, servers = served
    stick, dataset = tmp_path / "stick", TorchvisionDataset(name, tmp_path / "root")
    stick.mkdir()
    with pytest.raises(DatasetError, match="cannot be taken from there .*has no file with the MD5"):
        dataset.download(given=stick)
    for i, server in enumerate(servers):
        (stick / f"{i}.bin").write_bytes(server.data)
    dataset.download(given=stick)
    assert len(dataset.labels()) == dataset.sizes["test"] and n_requests(servers) == 0


@pytest.mark.parametrize("served", ["pets", "eurosat"], indirect=True)
def test_a_missing_image_is_noticed_and_restored(served, tmp_path):
    name, _ = served
    dataset = TorchvisionDataset(name, tmp_path)
    dataset.download()
    next(tmp_path.glob(f"{dataset._row.base}/**/{'Bengal_5' if name == 'pets' else 'River_0'}.jpg")).unlink()
    broken = TorchvisionDataset(name, tmp_path)
    with pytest.raises(DatasetError, match="is damaged or incomplete .*(is missing|images instead of)") as caught:
        broken.labels("test" if name == "pets" else "train")
    assert caught.value.page_message == (
        f"The files of {dataset.title} are damaged. Download them again with “python -m clip_demo download {name}”, "
        "or choose another dataset."
    )
    broken.download()
    assert len(broken.labels("train")) == SIZES[name][0]


@pytest.mark.parametrize("served", ["cifar10"], indirect=True)
def test_a_full_disk_keeps_the_archive_and_no_half(served, tmp_path):
    _, (server,) = served
    (tmp_path / TORCHVISION["cifar10"].files[0].name).write_bytes(server.data)
    resource = pytest.importorskip("resource", reason="Windows has no limit of a file's size")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # a split has more
    try:
        with pytest.raises(DatasetError) as caught:
            TorchvisionDataset("cifar10", tmp_path).download()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.page_message == "There is no space left on the disk. Free some space and try again."
    assert not list(tmp_path.glob("cifar-10-batches-py")) and not list(tmp_path.glob("*-unpacking"))
    TorchvisionDataset("cifar10", tmp_path).download()
    assert TorchvisionDataset("cifar10", tmp_path).available() and server.requests == []


@pytest.mark.parametrize("served", ["pets"], indirect=True)
def test_the_command_downloads_and_says_where(served, tmp_path, capsys):
    assert main(["download", "pets", "--data-root", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Oxford-IIIT Pets is ready.\n"
    assert main(["download", "pets", "--where", "--data-root", str(tmp_path)]) == 0
    where = capsys.readouterr().out
    assert f"on disk    {tmp_path / 'oxford-iiit-pet'}\n" in where and "annotations.tar.gz" in where


@pytest.mark.parametrize("fault", ["names", "classes", "image"])
def test_files_that_are_not_the_dataset_are_refused(tmp_path, monkeypatch, fault):
    make("pets", tmp_path, monkeypatch)
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
    make("pets", tmp_path, monkeypatch)
    backend = Backend.open("tiny", dataset=["pets", "cifar10"], data_root=tmp_path)
    assert list(backend.datasets) == ["cifar100", "shapes100", "pets", "cifar10"] and backend.default_dataset == "pets"
    report = backend.evaluate()
    assert report.accuracy.n == 37 and report.accuracy.mean_per_class == pytest.approx(report.accuracy.top1)
    dataset = backend.datasets["pets"]
    assert dataset.templates == ("a photo of a {}, a type of pet.",)
    assert dataset.coarse_names == ("cat", "dog") and dataset.coarse_of.count(0) == 12
    assert np.sum(report.confusion(coarse=True).counts) == 37
    assert add_dataset(open_datasets(tmp_path), "pets", tmp_path).root == tmp_path
