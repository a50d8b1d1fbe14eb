"""A photo set as a zip."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import ArtifactError
from clip_demo.numerics import softmax
from clip_demo.own_classes.archive import read_archive, write_archive
from clip_demo.own_classes.classifiers import fit
from clip_demo.own_classes.photo_set import OwnClass, Photo, PhotoSet, thumbnail_of
from clip_demo.paths import BUILT_IN_CHECKPOINT, EXAMPLES

TEXT = np.eye(2, 6, dtype=np.float32)


@pytest.fixture
def photo_set():
    rng = np.random.default_rng(0)
    photos = [
        Photo(f"{n}" * 64, thumbnail_of(Image.new("RGB", (64, 48), colour)), rng.normal(size=6).astype(np.float32))
        for n, colour in enumerate(("red", "tomato", "blue", "navy"))
    ]
    empty = PhotoSet((OwnClass("cup, red"), OwnClass("péñ 🖊")))
    return empty.with_photos(0, photos[:2], "toy", "70" * 32).with_photos(1, photos[2:], "toy", "70" * 32)


@pytest.fixture
def classifiers(photo_set):
    return [*fit(photo_set.examples(TEXT, 20.0)).items()][1:]


def files_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_of(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_set_is_opened_as_it_was_saved(photo_set, classifiers):
    opened = read_archive(write_archive(photo_set, classifiers))
    assert opened.classnames == photo_set.classnames
    assert (opened.model, opened.model_sha256) == ("toy", "70" * 32)
    assert opened.labels.tolist() == [0, 0, 1, 1]
    for before, after in zip(photo_set.photos, opened.photos, strict=True):
        assert before.key == after.key
        np.testing.assert_array_equal(before.features, after.features)
        colours = [Image.open(io.BytesIO(each.thumbnail)).convert("RGB").getpixel((20, 20)) for each in (before, after)]
        np.testing.assert_allclose(*colours, atol=12)


def test_the_features_alone_are_enough(photo_set, classifiers):
    content = write_archive(photo_set, classifiers, thumbnails=False)
    assert not [name for name in files_of(content) if name.startswith("thumbnails/")]
    opened = read_archive(content)
    assert opened.photos[0].thumbnail == b""
    np.testing.assert_array_equal(opened.photos[3].features, photo_set.photos[3].features)


def test_each_saved_classifier_predicts_as_before(photo_set, classifiers):
    files, image = files_of(write_archive(photo_set, classifiers)), np.array([1.0, 2, 3, 4, 5, 6])
    for name, classifier in classifiers:
        head = np.load(io.BytesIO(files[f"{name}.npz"]), allow_pickle=False)
        features = image / np.linalg.norm(image) if head["normalized"] else image
        logits = head["weights"] @ features + head["intercept"]
        np.testing.assert_allclose(softmax(logits), softmax(classifier.logits(image)), rtol=1e-4)
        assert tuple(head["classes"]) == photo_set.classnames
        assert str(head["model_sha256"]) == "70" * 32
        assert head["n_photos"].tolist() == [2, 2]


def test_the_saved_program_prints_the_same_probabilities(photo_set, classifiers, tmp_path):
    """With a stand-in of openai-clip whose features of an image are 1 to 6."""
    for name, content in files_of(write_archive(photo_set, classifiers)).items():
        if "/" not in name:
            (tmp_path / name).write_bytes(content)
    (tmp_path / "clip.py").write_text(
        "import torch\n"
        "class Model:\n"
        "    def encode_image(self, images):\n"
        "        return torch.arange(1, 7)[None].half()\n"
        "def load(name, device):\n"
        "    assert (name, device) == ('toy', 'cpu')\n"
        "    return Model(), lambda image: torch.zeros(3, *image.size)\n"
    )
    Image.new("RGB", (5, 5)).save(tmp_path / "image.png")
    command = [sys.executable, "use.py", "image.png"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=True,
                            env={"PYTHONIOENCODING": "utf-8"}).stdout  # fmt: skip
    probability = softmax(classifiers[0][1].logits(np.arange(1, 7, dtype=np.float32)))
    expected = [f"{photo_set.classnames[k]:>16s}: {100 * probability[k]:.2f} %" for k in np.argsort(-probability)]
    assert output.splitlines() == expected


def test_the_readme_names_the_model(photo_set, classifiers):
    text = files_of(write_archive(photo_set, classifiers))["README.txt"].decode()
    assert "the image encoder of toy" in text
    assert all(name in text for name, _ in classifiers)


def changed(photo_set, classifiers, **contents):
    files = files_of(write_archive(photo_set, classifiers))
    for name, content in contents.items():
        full = next(each for each in files if each.split("/")[-1].split(".")[0] == name)
        files[full] = content(files[full])
    return zip_of(files)


def with_json(**changes):
    return lambda content: json.dumps({**json.loads(content), **changes})


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return lambda content: file.getvalue()


def announced(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return lambda content: file.getvalue() + bytes(96)


def image_of(size, kind="WEBP"):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return lambda content: file.getvalue()


KEYS = [f"{n}" * 64 for n in range(4)]
FOUR_NAN = np.full((4, 6), np.nan, dtype=np.float32)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"classes": lambda content: b"[]"}, "TypeError"),
        ({"classes": lambda content: b"\xff"}, "UnicodeDecodeError"),
        ({"classes": lambda content: b"[" * 100_000}, "Error"),
        ({"classes": with_json(format="other")}, "its format is 'other'"),
        ({"classes": with_json(classes=[{"name": "cup", "photos": KEYS}])}, "got 1"),
        (
            {"classes": with_json(classes=[{"name": "a", "photos": KEYS[:1] * 4}, {"name": "b", "photos": []}])},
            "same key",
        ),
        ({"classes": with_json(classes=[{"name": "a", "photos": KEYS[:2]}, {"name": "b", "photos": []}])}, "shape"),
        ({"classes": with_json(classes=[{"name": "a", "photos": ['"]x', *KEYS[1:]]}])}, "no checksum"),
        ({"classes": with_json(classes=[{"name": "a", "photos": [f"{n:064}" for n in range(51)]}])}, "more classes"),
        ({"classes": with_json(model="\ud800")}, "UnicodeEncodeError"),
        ({"classes": with_json(classes=[{"name": f"{n}", "photos": []} for n in range(11)])}, "more classes"),
        ({"features": npy(np.array([[{}]] * 4), allow_pickle=True)}, "the type object"),
        ({"features": npy(np.ones((4, 6)))}, "the type float64"),
        ({"features": npy(np.ones((4, 6), dtype=np.float32, order="F"))}, "shape"),
        ({"features": npy(np.zeros((4, 6), dtype=np.float32))}, "small"),
        ({"features": npy(np.full((4, 6), 1e-30, dtype=np.float32))}, "small"),
        ({"features": npy(np.full((4, 6), 3e38, dtype=np.float32))}, "large"),
        ({"features": npy(FOUR_NAN)}, "no numbers"),
        ({"features": announced((4, 10**9))}, "shape"),
        ({"features": announced((4, 4000))}, "reshape"),
        ({"000": image_of((97, 20))}, "too large"),
        ({"000": image_of((20, 20), "PNG")}, "UnidentifiedImageError"),
        ({"000": lambda content: bytes(13_000_000)}, "larger"),
    ],
)
def test_a_foreign_or_damaged_zip_is_refused_with_its_reason(photo_set, classifiers, contents, reason):
    with pytest.raises(ArtifactError, match=reason) as raised:
        read_archive(changed(photo_set, classifiers, **contents))
    assert raised.value.page_message.startswith("This is not a set of classes that this page saved")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"not a zip", zip_of({}), zip_of({"classes.json": "{}"}), zip_of({f"{n}": "" for n in range(600)})],
    ids=["empty", "two bytes", "text", "no file", "no fields", "many files"],
)
def test_anything_else_is_refused(content):
    with pytest.raises(ArtifactError, match="give a zip that CLIP Explorer saved"):
        read_archive(content)


def test_a_part_that_was_cut_off_is_refused(photo_set, classifiers):
    content = write_archive(photo_set, classifiers)
    for length in (100, len(content) // 2, len(content) - 1):
        with pytest.raises(ArtifactError):
            read_archive(content[:length])


def test_the_saved_program_runs_with_openai_clip_and_the_file_of_the_built_in_model(tmp_path):
    """The probabilities are those of the page; openai-clip reads the image."""
    teacher = Backend.open("tiny").teacher
    saved = PhotoSet((OwnClass("cat"), OwnClass("flower")))
    for position, name in enumerate(saved.classnames):
        saved = teacher.add(saved, position, [EXAMPLES / f"{name}.jpg"])
    examples = teacher.examples(saved)
    (tmp_path / "use.zip").write_bytes(teacher.save(saved, examples))
    with zipfile.ZipFile(tmp_path / "use.zip") as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "use.py", str(EXAMPLES / "rocket.jpg"), str(BUILT_IN_CHECKPOINT)]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    answers = {each.classifier: each.classes for each in teacher.predict(examples, EXAMPLES / "rocket.jpg")}
    shown = {line.split(": ")[0].strip(): float(line.split(": ")[1][:-2]) for line in output.splitlines()}
    for name, probability in answers["text_and_photos"]:
        assert shown[name] == pytest.approx(100 * probability, abs=0.02)
