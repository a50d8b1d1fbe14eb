"""Folders and zips of images as datasets."""

import hashlib
import os
import shutil
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import unprivileged
from PIL import Image
from torchvision.datasets import ImageFolder

from clip_demo.backend import Backend
from clip_demo.datasets.catalog import add_dataset, open_chosen, open_datasets
from clip_demo.datasets.file_record import FileRecord
from clip_demo.datasets.folder import FolderDataset
from clip_demo.datasets.image_files import MAX_FILES, File, ImageFiles
from clip_demo.datasets.listing import list_images
from clip_demo.errors import DatasetError, ImageError
from clip_demo.features.extract import encode_directly, encode_split
from clip_demo.features.shards import Shards
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet
from clip_demo.zero_shot.prompts import join_classnames

COUNTS = {"Äpfel": 10, "red": 6, "wide ones": 1, "1": 3}


def save(path, level=0, size=(3, 2)):
    """Save an image of one grey level; the size of the file does not depend on the level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level,) * 3).save(path, "PNG", compress_level=0)


@pytest.fixture
def folder(tmp_path):
    """Four classes of different size, one of them with images in a folder below, and nothing else."""
    for number, (name, count) in enumerate(COUNTS.items()):
        for i in range(count):
            save(tmp_path / "fruit" / name / ("below" if i % 2 else "") / f"{i}.png", 10 * number + i)
    return tmp_path / "fruit"


def levels(dataset, split):
    return [image.getpixel((0, 0))[0] for image in dataset.images(range(dataset.sizes[split]), split)]


def test_classes_and_images_are_those_of_torchvision(folder):
    dataset, reference = FolderDataset(folder), ImageFolder(str(folder))
    assert dataset.classnames == tuple(reference.classes) == ("1", "red", "wide ones", "Äpfel")
    assert (dataset.name, dataset.title, dataset.coarse_names, dataset.notes) == ("fruit", "fruit", (), ())
    assert dataset.available() and not FolderDataset(folder).download()
    found = {split: list(zip(levels(dataset, split), dataset.labels(split), strict=True)) for split in dataset.sizes}
    images = [(reference.loader(path).getpixel((0, 0))[0], label) for path, label in reference.samples]
    assert sorted(found["train"] + found["test"]) == sorted(images)
    assert dataset.labels().dtype == np.int64


def test_the_split_is_a_hash_of_the_relative_path(folder, tmp_path):
    dataset = FolderDataset(folder)
    # A fifth of each class, at least one; a class of one image has it for training.
    assert np.bincount(dataset.labels("test"), minlength=4).tolist() == [1, 1, 0, 2]
    test = {dataset.path_of(i) for i in range(4)}

    def rank(path):
        return hashlib.sha256(b"clip_demo split 0" + path.encode()).digest()

    apples = [each.relative_to(folder).as_posix() for each in (folder / "Äpfel").rglob("*.png")]
    assert set(sorted(apples, key=rank)[:2]) <= test
    # The same elsewhere, below another folder, and where macOS has written the umlaut as two characters.
    other = tmp_path / "x/other"
    shutil.copytree(folder, other / "top" / "top")
    (other / "top/top/Äpfel").rename(other / "top/top" / unicodedata.normalize("NFD", "Äpfel"))
    again = FolderDataset(other)
    assert again.key.removeprefix("other") == dataset.key.removeprefix("fruit")
    assert levels(again, "test") == levels(dataset, "test")


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_splits_may_be_folders(tmp_path, test):
    for level, path in enumerate([f"train/{name}/{i}.jpg" for name in "ab" for i in range(3)] + [f"{test}/b/0.JPG"]):
        save(tmp_path / "set" / path, level)
    save(tmp_path / "set/more/a/0.png")
    dataset = FolderDataset(tmp_path / "set")
    assert (dataset.sizes, dataset.classnames) == ({"train": 6, "test": 1}, ("a", "b"))
    assert (levels(dataset, "train"), levels(dataset, "test")) == ([0, 1, 2, 3, 4, 5], [6])
    assert dataset.notes == ("Left out: images outside the folders of classes: 1.",)


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train", "bus"):
        for i in range(5):
            save(tmp_path / name / f"{i}.png", i)
    dataset = FolderDataset(tmp_path)
    assert (dataset.classnames, dataset.sizes) == (("bus", "train"), {"train": 8, "test": 2})


def test_a_table_of_labels(folder):
    table = folder / "labels.csv"
    table.write_text("﻿label,file,split\nlow,red/0.png,train\nlow,Äpfel/0.png,test\nhigh,1/0.png,val\n", "utf-8")
    for path in (folder, table):
        dataset = FolderDataset(path)
        assert (dataset.classnames, dataset.sizes) == (("high", "low"), {"train": 1, "test": 2})
        assert (levels(dataset, "test"), dataset.labels().tolist()) == ([30, 0], [0, 1])
    table.write_text("file,label\n" + "".join(f"red/{name},x\n1/{name},y\n" for name in ("0.png", "2.png")))
    assert FolderDataset(folder).sizes == {"train": 2, "test": 2}


def test_class_names_have_no_line_breaks_or_needless_spaces(tmp_path):
    for number, name in enumerate(("a\nb", " c  d\t", "c d", " ", "e")):
        for i in range(5):
            save(tmp_path / "set" / name / f"{number}{i}.png")
    dataset = FolderDataset(tmp_path / "set")
    assert (dataset.classnames, sum(dataset.sizes.values())) == (("a b", "c d", "e"), 20)
    assert dataset.notes == ("Left out: images outside the folders of classes: 5.",)
    assert PromptSet.parse("{}", join_classnames(dataset.classnames)).classnames == dataset.classnames
    (tmp_path / "set/labels.csv").write_text('file,label\ne/40.png,"x\ny"\ne/41.png,z\0\ne/42.png,z\n')
    assert FolderDataset(tmp_path / "set").classnames == ("x y", "z")


def test_class_names_and_groups_may_come_from_a_file(folder):
    (folder / "classes.txt").write_text(
        '1, "one, alone", numbers\nÄpfel, apple, fruit\nred,,fruit\nwide ones,,x\n', "utf-8"
    )
    dataset = FolderDataset(folder)
    assert dataset.classnames == ("one, alone", "red", "wide ones", "apple")
    assert (dataset.coarse_names, dataset.coarse_of) == (("numbers", "fruit", "x"), (0, 1, 2, 1))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.csv", "path,label\n", "the columns of labels.csv are path, label; it needs file and label"),
        ("labels.csv", "file,label\nred/0.png,a\nred/9.png,b\n", "line 3 of labels.csv: there is no image 'red/9.png'"),
        ("labels.csv", "file,label\n../secret.png,a\n", "line 2 of labels.csv: there is no image '../secret.png'"),
        ("labels.csv", "file,label\nred/0.png,\n", "line 2 of labels.csv: 'red/0.png' has no label"),
        ("labels.csv", "file,label\nred/0.png,a\nred/0.png,b\n", "line 3 of labels.csv: 'red/0.png' is named twice"),
        ("labels.csv", "file,label,split\nred/0.png,a,dev\n", "the split is 'dev'; use train or test"),
        ("labels.csv", "file,label\nred/0.png,a\n", "has 1 class of images; give a folder with one folder of images"),
        ("classes.txt", "blue\n", "line 1 of classes.txt: no class is named 'blue'"),
        (
            "classes.txt",
            "red, a, b, c\n",
            "line 1 of classes.txt: no class is named 'red'; each line is: folder, name,",
        ),
        ("classes.txt", "red, 1\n", "are named '1' and '1', which CLIP reads alike; give each a name"),
        ("classes.txt", "red,,colours\n", "classes.txt has no group for '1'; give one for each class, or for none"),
        ("classes.txt", b"\xff", "classes.txt cannot be read"),
        ("classes.txt", 'red, "x\n1\n', "line 1 of classes.txt: unexpected end of data"),
        ("labels.csv", 'file,label\nred/0.png,"a\n1/0.png,b\n', "line 2 of labels.csv: unexpected end of data"),
        (
            "labels.csv",
            f"file,label\nred/0.png,{'a' * 200_000}\n",
            "line 2 of labels.csv: field larger than field limit",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_named(folder, name, text, message):
    save(folder.parent / "secret.png")
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=message):
        FolderDataset(folder)


def test_a_table_may_have_semicolons_as_excel_writes_where_the_decimal_mark_is_a_comma(folder):
    text = "file;label\r\nred/0.png;rot\r\nred/below/1.png;rot\r\n1/0.png;blau, hell\r\n"
    (folder / "labels.csv").write_text(text, encoding="utf-8-sig")
    assert FolderDataset(folder).classnames == ("blau, hell", "rot")


def test_names_that_clip_reads_alike_are_refused_until_one_is_another(folder):
    (folder / "labels.csv").write_text("file,label\nred/0.png,Cat\nred/below/1.png,Cat\n1/0.png,cat\n")
    with pytest.raises(DatasetError, match="are named 'Cat' and 'cat', which CLIP reads alike.* in classes.txt"):
        FolderDataset(folder)
    (folder / "classes.txt").write_text("Cat, lion\n")
    assert FolderDataset(folder).classnames == ("lion", "cat")


def test_what_was_left_out_is_said_where_nothing_is_left(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", i)
        (tmp_path / "cat").mkdir(exist_ok=True)
        (tmp_path / f"cat/{i}.HEIC").write_bytes(b"x")
    (tmp_path / "cat/Thumbs.db").write_bytes(b"x")
    with pytest.raises(DatasetError, match="has 0 classes") as caught:
        FolderDataset(tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "    left out: .heic, not read here: 3, such as cat/0.HEIC",
        "    left out: images outside the folders of classes: 3",
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere does not exist; give a folder with one folder of images for each class"),
        ("fruit/red", "has 1 class of images"),
        ("empty", "has 0 classes of images"),
        ("text.zip", "text.zip is not a zip that can be read"),
    ],
)
def test_what_is_no_dataset_is_refused(folder, path, message):
    (folder.parent / "empty").mkdir()
    (folder.parent / "text.zip").write_text("no zip")
    with pytest.raises(DatasetError, match=message):
        FolderDataset(folder.parent / path)


def test_more_than_a_thousand_classes_or_a_million_files_are_refused(monkeypatch):
    class Many(ImageFiles):
        def __init__(self, n, n_classes):
            super().__init__(Path("many"))
            self.n, self.n_classes = n, n_classes

        def _walk(self):
            return (File(f"{i % self.n_classes:04}/{i:07}.jpg", 1, 1) for i in range(self.n))

        def read(self, path):
            raise OSError

    with pytest.raises(DatasetError, match="many has 1,001 classes of images"):
        list_images(Many(1_001, 1_001))
    assert MAX_FILES == 1_000_000
    monkeypatch.setattr("clip_demo.datasets.image_files.MAX_FILES", 100_000)
    with pytest.raises(DatasetError, match="many has more than 100,000 images"):
        list_images(Many(100_001, 2))
    tracemalloc.start()
    listing = list_images(Many(20_000, 1_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(listing.paths) == 20_000 and held < 200 * 20_000  # bytes; a kilobyte a file would be allowed


def test_a_zip_of_a_program_for_windows_opens(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder)).replace("/", "\\")), path.read_bytes())
    assert FolderDataset(tmp_path / "set.zip").classnames == FolderDataset(folder).classnames


def test_links_out_and_hidden_files_are_not_followed(folder):
    outside = folder.parent / "outside"
    save(outside / "0.png", 99)
    (folder / "red/linked").symlink_to(outside)
    (folder / "red/linked.png").symlink_to(outside / "0.png")
    (folder / "red/again.png").symlink_to(folder / "red/0.png")  # it stays inside
    (folder / "red/loop").symlink_to(folder)
    (folder / "itself").symlink_to("itself")
    save(folder / "red/.hidden.png", 99)
    (folder / "notes.txt").write_text("")
    (folder / "blue").mkdir()
    dataset = FolderDataset(folder)
    assert sum(dataset.sizes.values()) == 21 and 99 not in levels(dataset, "train") + levels(dataset, "test")
    assert dataset.notes == (
        "Left out: .txt, not read here: 1, such as notes.txt.",
        "Left out: empty folders: 1, such as blue.",
        "Left out: files that cannot be read: 1, such as itself.",
        f"Left out: links to folders, or out of this one: 3, such as {dataset.notes[3].split()[-1]}",
    )
    # A file that becomes a link afterwards is not followed either.
    chosen = folder / dataset.path_of(0)
    chosen.unlink()
    chosen.symlink_to(outside / "0.png")
    # Nor is a folder that does.
    shutil.move(folder / "Äpfel", outside)
    (folder / "Äpfel").symlink_to(outside / "Äpfel")
    last = dataset.sizes["test"] - 1
    assert dataset.path_of(last).startswith("Äpfel/")
    for index in (0, last):
        with pytest.raises(ImageError, match="cannot be read .it leads out of the folder.; restore the file"):
            dataset.image(index)


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, Path("top") / file.relative_to(folder))
    return path


def test_a_zip_is_as_good_as_a_folder_and_nothing_outside_is_read(folder, tmp_path):
    save(tmp_path / "evil.png", 99)
    with zipfile.ZipFile(zipped(folder, tmp_path / "fruit.zip"), "a") as archive:
        archive.writestr("__MACOSX/red/._0.png", "x")
    dataset, plain = FolderDataset(tmp_path / "fruit.zip"), FolderDataset(folder)
    assert (dataset.classnames, dataset.sizes, dataset.title) == (plain.classnames, plain.sizes, "fruit")
    assert all(levels(dataset, split) == levels(plain, split) for split in dataset.sizes)
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name in ("a/0.png", "a/1.png", "b/../../evil.png", "b/1.png"):
            archive.write(folder / "red/0.png", name)
        link = zipfile.ZipInfo("a/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    dataset = FolderDataset(tmp_path / "evil.zip")
    assert set(levels(dataset, "train") + levels(dataset, "test")) == {10}  # what is in the zip under this name
    assert dataset.notes == ("Left out: links: 1, such as a/link.png.",)


@pytest.mark.parametrize("name", ["/{}", "./{}", "top//{}"])
def test_names_in_a_zip_may_be_absolute_or_have_empty_parts(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in ("a/0.png", "a/1.png", "b/0.png"):
            archive.writestr(name.format(path), "x")
        archive.writestr(name.replace("//", "/").removeprefix("/").format("b/1.png"), "x")
    dataset = FolderDataset(tmp_path / "set.zip")
    assert (dataset.classnames, dataset.sizes) == (("a", "b"), {"train": 2, "test": 2})


def test_the_common_folder_may_be_written_in_two_forms_of_unicode(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for number, form in enumerate(("NFC", "NFD", "NFC")):
            for name in "ab":
                archive.writestr(unicodedata.normalize(form, f"é/{name}/{number}.png"), "x")
    with pytest.raises(DatasetError, match="has 1 class of images"):
        FolderDataset(tmp_path / "set.zip")


def test_names_in_a_zip_that_are_utf_8_without_saying_so(folder, tmp_path):
    data = bytearray(zipped(folder, tmp_path / "fruit.zip").read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # as Info-ZIP writes them
        at = -1
        while (at := data.find(header, at + 1)) >= 0:
            data[at + flags + 1] &= ~0x08
    (tmp_path / "fruit.zip").write_bytes(data)
    dataset, plain = FolderDataset(tmp_path / "fruit.zip"), FolderDataset(folder)
    assert dataset.classnames == plain.classnames and levels(dataset, "test") == levels(plain, "test")


def test_a_file_in_a_zip_has_a_bounded_size(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("clip_demo.datasets.image_files.MAX_BYTES", 1_000)
    with zipfile.ZipFile(zipped(folder, tmp_path / "bomb.zip"), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top/red/zeros.png", bytes(100_000))
    dataset = FolderDataset(tmp_path / "bomb.zip")
    ids = np.concatenate([dataset.ids("train"), dataset.ids("test")])
    assert [image is None for image in dataset.readable_images(ids)].count(True) == 1


def test_a_zip_that_announces_more_than_any_file_can_have_is_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
            archive.writestr(name, "x")
        archive.filelist[0].file_size = 2**64 - 1
    assert FolderDataset(tmp_path / "set.zip").sizes == {"train": 2, "test": 2}


def damage(folder, *paths):
    for path in paths:
        save(folder / path, size=(40, 40))
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: len(content) // 2])


def test_damaged_images_are_named_and_left_out(folder, toy_encoder, tmp_path, caplog):
    whole = FolderDataset(shutil.copytree(folder, tmp_path / "whole"))
    extra = [f"Äpfel/a{i}.png" for i in range(5)]
    damage(folder, *extra)
    dataset = FolderDataset(folder)
    damaged = int(sum(dataset.path_of(i).startswith("Äpfel/a") for i in range(dataset.sizes["test"])))
    before, key = dict(dataset.sizes), dataset.key
    features = encode_split(encode_directly(toy_encoder), dataset, "test")
    assert 0 < damaged < 5 and len(features) == dataset.sizes["test"] == before["test"] - damaged
    expected = [2 * toy_encoder.preprocess(image) for image in dataset.images(range(len(features)))]
    np.testing.assert_array_equal(features, expected)
    shards = {rows: Shards(tmp_path / str(rows), toy_encoder, dataset, "train", encode_directly(toy_encoder), rows)
              for rows in (4, 100)}  # fmt: skip
    for each in shards.values():
        each.encode()
        expected = [
            2 * toy_encoder.preprocess(image) for image in dataset.images(range(dataset.sizes["train"]), "train")
        ]
        np.testing.assert_array_equal(each.features, expected)
        np.testing.assert_array_equal(each.labels, dataset.labels("train"))
        assert each.done == len(each.order) == before["train"] - (5 - damaged)
    assert sum(dataset.sizes.values()) == sum(whole.sizes.values()) and dataset.key == key
    # Known from now on: what was stored is used, and the notes name the files.
    n, again = toy_encoder.encoded_images, FolderDataset(folder)
    Shards(tmp_path / "4", toy_encoder, again, "train", encode_directly(toy_encoder), 4).encode()
    assert toy_encoder.encoded_images == n and again.sizes == dataset.sizes
    assert again.notes == (f"Left out: 5 damaged images: {', '.join(extra)}.",) and again.notes[0] in caplog.text


def test_the_first_test_image_can_be_read(folder):
    first, second = (FolderDataset(folder).path_of(i) for i in (0, 1))
    (folder / first).write_bytes(b"x")
    dataset = FolderDataset(folder)
    assert dataset.path_of(0) == second and dataset.sizes["test"] == 3
    assert dataset.notes == (f"Left out: 1 damaged image: {first}.",)
    assert dataset.visitor_note == "Left out: 1 damaged image." and FolderDataset(folder).available()
    (folder / dataset.path_of(1)).write_bytes(b"x")
    with pytest.raises(ImageError, match="is not an image that can be read") as caught:
        dataset.image(1)
    assert caught.value.page_message == "This image of fruit is damaged. Choose another one."


def test_a_split_of_damaged_images_only_is_an_error(folder, toy_encoder):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"x")
    with pytest.raises(DatasetError, match="none of the test images of fruit can be read; save them again"):
        encode_split(encode_directly(toy_encoder), FolderDataset(folder), "test")


def test_without_a_cache_that_can_be_written_the_record_is_in_memory(folder, toy_encoder, monkeypatch):
    monkeypatch.setenv("CLIP_DEMO_CACHE", "/dev/null/x")
    damage(folder, "red/x1.png", "red/x2.png", "red/x3.png")
    dataset = FolderDataset(folder)
    for split in dataset.sizes:
        encode_split(encode_directly(toy_encoder), dataset, split)
    assert sum(dataset.sizes.values()) == 20


def test_a_file_that_could_not_be_read_for_a_while_is_back_after_a_restart(folder, toy_encoder):
    dataset = FolderDataset(folder)
    path, away, sizes = folder / dataset.path_of(2), folder.parent / "away", dict(dataset.sizes)
    path.rename(away)  # such as with a network drive
    encode_split(encode_directly(toy_encoder), dataset, "test")
    assert dataset.sizes["test"] == sizes["test"] - 1
    away.rename(path)
    again = FolderDataset(folder)
    assert (again.sizes, again.notes, again.key) == (sizes, (), dataset.key)


@pytest.mark.parametrize("left", [(), ("an empty folder",)])
def test_while_the_folder_is_away_nothing_is_left_out(folder, toy_encoder, tmp_path, left):
    dataset = FolderDataset(folder)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"fruit": dataset}, stores=Stores.open(tmp_path / "stores"))
    folder.rename(tmp_path / "away")
    if left:
        folder.mkdir()
    for _ in range(2):
        with pytest.raises(DatasetError, match="fruit cannot be read any more; restore it, then try again"):
            backend.evaluate()
    assert not dataset.available()
    (tmp_path / "away").replace(folder)
    assert backend.evaluate().accuracy.n == 4 and dataset.notes == ()


def test_features_belong_to_the_files_that_there_are_at_the_end(folder, toy_encoder):
    dataset = FolderDataset(folder)
    changed, removed = folder / dataset.path_of(0), folder / dataset.path_of(1)
    expected = toy_encoder.encode_images(
        [
            toy_encoder.preprocess(Image.new("RGB", (1, 1), (level,) * 3))
            for level in (200, *levels(dataset, "test")[2:])
        ]
    )
    calls = []

    def change(what, done, total):
        """Be what a visitor and another model do, after these images have been encoded."""
        if done and len(calls) == 1:
            save(changed, 200)
            dataset.image(0)
            removed.unlink()
            dataset.leave_out(dataset.ids()[1:2])
        calls.append((done, total))

    features = encode_split(encode_directly(toy_encoder), dataset, "test", change)
    np.testing.assert_allclose(features, expected)
    assert calls == [(0, 4), (4, 4), (0, 3), (3, 3)] and dataset.sizes["test"] == 3


def test_a_file_that_changes_all_the_time_is_no_endless_work(folder, toy_encoder):
    dataset, calls = FolderDataset(folder), []
    path = folder / dataset.path_of(0)

    def change(what, done, total):
        calls.append(done)
        if done:
            save(path, 200 + len(calls))
            dataset.image(0)

    with pytest.raises(
        DatasetError, match="files of fruit change while they are encoded; try again when they are complete"
    ):
        encode_split(encode_directly(toy_encoder), dataset, "test", change)
    assert calls == 3 * [0, 4]


def test_a_record_that_cannot_be_written_is_read(folder, toy_encoder, cache):
    encode_split(encode_directly(toy_encoder), FolderDataset(folder), "test")
    record = next((cache / "datasets").iterdir())
    before = record.read_bytes()
    record.chmod(0o400)
    dataset = FolderDataset(folder)
    save(folder / dataset.path_of(0), 200)
    key = unprivileged(lambda: FolderDataset(folder).key)
    assert key.startswith(f"{dataset.key}-") and record.read_bytes() == before


def test_a_head_of_files_that_change_meanwhile_is_not_kept(folder, toy_encoder, tmp_path):
    dataset = FolderDataset(folder)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"fruit": dataset}, stores=Stores.open(tmp_path / "stores"))
    path = folder / dataset.path_of(0)

    def change(what, done, total):
        if (what, done) == ("test features", total):
            save(path, 200)
            dataset.image(0)

    with pytest.raises(DatasetError, match="files of fruit have changed since this began; start it again"):
        backend.fit_probe(folder=tmp_path / "heads", progress=change)
    assert not backend.has_test_features() and not list((tmp_path / "heads").iterdir())
    backend.fit_probe(folder=tmp_path / "heads")
    np.testing.assert_allclose(backend.evaluate().labelled_images.features[0], np.full(3, 3**-0.5), rtol=1e-6)


def test_a_record_has_its_place_on_the_disk(tmp_path):
    FileRecord(tmp_path, SimpleNamespace(sha256="00" * 32, paths=["x"] * 1_000), tmp_path)
    status = next(tmp_path.iterdir()).stat()
    assert status.st_blocks * 512 >= status.st_size > 0  # or a full disk would end the process


@pytest.mark.parametrize("found", ["at the start", "when it is read"])
def test_what_was_computed_from_a_changed_file_is_not_used(folder, toy_encoder, tmp_path, found, caplog):
    stores = Stores.open(tmp_path / "stores")

    def backend(dataset):
        return Backend(ModelPool.of(toy_encoder), datasets={"fruit": dataset}, stores=stores)

    dataset = FolderDataset(folder)
    before = backend(dataset)
    before.fit_probe(folder=tmp_path / "stores/heads")
    key, path = dataset.key, folder / dataset.path_of(1)
    assert before.head() is not None and before.has_test_features() and FolderDataset(folder).key == key
    content, size = path.read_bytes(), path.stat().st_size
    save(path, 200)
    assert path.stat().st_size == size
    if found == "at the start":
        dataset = FolderDataset(folder)
    else:
        os.utime(path, ns=(0, dataset._listing.mtimes_ns[dataset.ids()[1]]))
        dataset = FolderDataset(folder)
        assert dataset.key == key  # nobody can know it yet
        dataset.image(1)
    assert "has changed: what was computed from it is not used." in caplog.text
    assert dataset.key.startswith(f"{key}-") and FolderDataset(folder).key == dataset.key
    after = backend(dataset)
    assert after.head() is None and not after.has_test_features()
    truth = after.evaluate().labelled_images.features[1]
    np.testing.assert_allclose(truth, np.full(3, 3**-0.5), rtol=1e-6)
    changed = dataset.key
    path.write_bytes(content)
    os.utime(path, (1, 1))
    assert FolderDataset(folder).key not in (key, changed)


def test_a_copied_folder_is_the_same_dataset(folder, toy_encoder, tmp_path):
    encode_split(encode_directly(toy_encoder), FolderDataset(folder), "test")
    copy = shutil.copytree(folder, tmp_path / "copy/fruit", copy_function=shutil.copyfile)
    assert FolderDataset(copy).key == FolderDataset(folder).key


def test_other_images_with_the_same_names_and_sizes_are_another_dataset(tmp_path, toy_encoder):
    for place in "xy":
        for i in range(12):
            save(tmp_path / place / "set" / "ab"[i % 2] / f"{i}.png", 10 * i + (place == "y"))
    paths = [str(tmp_path / place / "set") for place in "xy"]
    for given in (paths, paths[::-1], paths[:1], paths[1:], paths):
        datasets, _ = open_chosen(None, given)
        chosen = {name: datasets[name] for name in list(datasets)[-len(given) :]}
        backend = Backend(ModelPool.of(toy_encoder), datasets=chosen, stores=Stores.open(tmp_path / "stores"))
        for name, dataset in 2 * [*chosen.items()]:
            backend.evaluate(dataset=name)
            features = backend._evaluator.test_features(backend._ready(None), dataset)
            expected = [toy_encoder.preprocess(image) for image in dataset.images(range(dataset.sizes["test"]))]
            np.testing.assert_allclose(features, 2 * np.array(expected), err_msg=f"{given}: {dataset.folder}")


def test_the_host_names_folders_and_visitors_choose_among_them(folder, tmp_path, toy_encoder):
    other = shutil.copytree(folder, tmp_path / "other/fruit")
    backend = Backend.open("tiny", dataset=[str(folder), str(other), "shapes100"])
    assert list(backend.datasets) == ["cifar100", "shapes100", "fruit", "fruit-2"]
    assert backend.default_dataset == "fruit" and backend.status().default_dataset == "fruit"
    for name in (str(folder), "../fruit", "other"):
        with pytest.raises(DatasetError, match="is unknown; use one of 'cifar100', 'shapes100', 'fruit', 'fruit-2'"):
            backend.predict(index=0, dataset=name)
    with pytest.raises(DatasetError, match="'mnist' is unknown; use one of .*, or the path of a folder or zip"):
        add_dataset(open_datasets(), "mnist")


def test_predictions_of_a_folder(folder):
    backend = Backend.open("tiny", dataset=str(folder))
    report = backend.evaluate()
    assert report.accuracy.n == 4 and backend.predict(index=3).truth == "Äpfel"
    backend.fit_probe(folder=os.environ["CLIP_DEMO_CACHE"] + "/heads")
    assert backend.predict(index=3).linear_probe.head.dataset == backend.datasets["fruit"].key
