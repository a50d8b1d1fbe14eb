"""Commands on machines where something is missing, closed or wrong: found before anything long begins."""

import json
import os
import shutil

import pytest
from helpers import unprivileged
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.cli import commands
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.models import catalog


@pytest.fixture
def nothing_long(monkeypatch):
    """Fail where a model is downloaded or a backend is opened."""
    monkeypatch.setattr(commands, "_download_weights", lambda *_: pytest.fail("it downloaded weights"))
    monkeypatch.setattr(Backend, "open", lambda *_, **more: pytest.fail("it opened the backend"))


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ("fit-probe --C -1", "C, max_iter: got -1.0 and 1000; both must be positive"),
        ("fit-probe --C nan", "C, max_iter: got nan "),
        ("fit-probe --sweep --C 1", "C: got 1.0 together with a sweep"),
        ("fit-probe --curve --normalized", "curve: it is fitted by the default recipe"),
        ("fit-probe --curve /dev/null/x", "curve: nothing can be written in '/dev/null/x' (Not a directory)"),
        ("fit-probe --output /dev/null/x", "--output: nothing can be written in '/dev/null/x' (Not a directory)"),
        ("fit-probe --output=", "--output: nothing can be written in '' (the name is empty)"),
        ("store-features --output /dev/null/x", "--output: nothing can be written in '/dev/null/x'"),
        ("first-image --output /dev/null/x", "--output: nothing can be written in '/dev/null/x'"),
        ("evaluate --classes cat,dog", "classnames: got 2; the test set of Shapes-100 needs one for each"),
        ("evaluate --baseline-classes cat,dog", "baseline, classnames: got 2; the test set of Shapes-100 needs one"),
        ("predict --index 10000", "index: 10000 "),
        ("predict --index 0 --top-k 0", "top_k: 0 is not allowed"),
        ("predict --image nowhere.png", "image: 'nowhere.png' does not exist"),
        ("predict --image /dev", "image: '/dev' is a folder; give an image file."),
        (
            "predict --index 0 --classes /dev",
            "classes: '/dev' is a folder, and neither a file nor a list of two or more",
        ),
        ("predict --image /dev/null", "image: the image is not an image that can be read"),
        ("zero-shot --index -1 --device nope", "index: -1 "),
        ("search", "text, image, index: got none; give a sentence such as 'a red bicycle'"),
        ("search red --top 0", "--top: 0 is not allowed; use a whole number from 1 to 1,000."),
        ("search --index 10000", "index: 10000 "),
        ("search --image nowhere.png", "image: 'nowhere.png' does not exist"),
    ],
)
def test_arguments_are_checked_before_anything_long(run, nothing_long, arguments, start):
    command, *others = arguments.split()
    status, out, err = run(command, "--dataset", "shapes100", "--model", "ViT-B/32", *others)
    assert (status, out) == (2, "") and err.startswith(f"clip_demo: {start}") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ("reproduce --clip-png nowhere.png", "image: 'nowhere.png' does not exist"),
        ("bench --rounds 0", "--rounds: 0 is not allowed; use a number above 0."),
        ("bench --users 0", "--users: 0 is not allowed; use a number above 0."),
        ("bench --seconds nan", "--seconds: nan is not allowed; use a number above 0."),
    ],
)
def test_long_checks_begin_with_their_arguments(run, nothing_long, arguments, start):
    status, out, err = run(*arguments.split())
    assert (status, out) == (2, "") and err.startswith(f"clip_demo: {start}") and err.count("\n") == 1


@pytest.mark.parametrize("command", ["download ViT-B/32", "predict --index 0 --dataset shapes100 --model ViT-B/32"])
def test_the_folder_of_weights_is_tried_before_the_network(run, monkeypatch, command):
    monkeypatch.setattr(commands, "fetch_weights", lambda *_: pytest.fail("it asked the network"))
    status, out, err = run(*command.split(), "--weights-root", "/dev/null/x")
    assert (status, out) == (2, "") and err.startswith(
        "clip_demo: --weights-root: nothing can be written in '/dev/null/x'"
    )


def test_the_device_is_checked_before_weights_are_downloaded(run, nothing_long, tmp_path):
    arguments = ["--weights-root", str(tmp_path), "--dataset", "shapes100", "--device", "nope"]
    status, out, err = run("predict", "--index", "0", "--model", "ViT-B/32", *arguments)
    assert (status, out) == (2, "") and err.startswith("clip_demo: device: 'nope' is not available on this machine")


@pytest.mark.parametrize(
    "command", ["evaluate", "predict --index 0", "fit-probe", "first-image", "store-features --output x"]
)
def test_a_folder_without_the_dataset_does_not_change_the_dataset(run, nothing_long, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    status, out, err = run(*command.split(), "--data-root", "empty")
    assert (status, out) == (2, "") and err.startswith("clip_demo: data_root: 'empty' does not hold CIFAR-100, which ")
    status, out, err = run(*command.split(), "--data-root", "nowhere")
    assert (status, out) == (2, "") and err.startswith("clip_demo: data_root: 'nowhere' is not a folder")


@pytest.mark.parametrize(
    "command", ["predict --index 3637 --json", "evaluate --json", "first-image", "zero-shot --index 3637"]
)
def test_without_the_images_the_stored_features_answer(run, tmp_path, monkeypatch, command):
    monkeypatch.setattr(Cifar100, "download", lambda *_, **more: pytest.fail("it downloaded the images"))
    arguments = ["--dataset", "cifar100", "--data-root", str(tmp_path)]
    status, out, err = run(*command.split(), *arguments)
    assert status == 0 and "downloaded" not in err
    python = Backend.open("tiny", dataset="cifar100", data_root=tmp_path)
    if command.startswith("predict"):
        assert json.loads(out) == python.predict(index=3637).to_dict() and json.loads(out)["truth"] == "snake"
    if command.startswith("evaluate"):
        assert json.loads(out) == python.evaluate().accuracy.to_dict()


def test_a_download_says_where_the_images_are_missing_and_go(run, toy_backend, toy_dataset, tmp_path, monkeypatch):
    events = []
    toy_dataset.folder, toy_dataset.available = tmp_path / "toys", lambda: bool(events)
    monkeypatch.setattr(toy_dataset, "download", lambda progress: events.append("download"), raising=False)
    monkeypatch.setattr(Backend, "open", lambda *_, **more: toy_backend)
    status, _, err = run("store-features", "--output", str(tmp_path / "out"))
    assert (status, events) == (0, ["download"])
    assert f"Toys-5 is not in {tmp_path / 'toys'} and is downloaded now.\n" in err


def test_a_tilde_in_options_and_variables(run, toy_backend, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLIP_DEMO_CACHE", "~/cache")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    (tmp_path / "x.txt").write_text("cat\ndog\n")
    files = ["--image=~/a.png", "--classes=~/x.txt", "--dataset", "shapes100", "--weights-root=~/w"]
    assert run("predict", *files)[0] == 0
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    assert run("fit-probe", "--output=~/heads", "--curve=~/curves")[0] == 0
    assert run("store-features", "--output=~/features")[0] == 0 and run("fit-probe")[0] == 0
    found = {path.name: sorted(each.suffix for each in path.iterdir()) for path in tmp_path.iterdir() if path.is_dir()}
    assert found["heads"] == [".json", ".npz"] and found["curves"] == [".json"] and found["features"] == [".npz"]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"heads"} and not os.path.exists("~")


def test_folders_that_may_not_be_read_are_named_in_one_line(run, tmp_path, monkeypatch, caplog):
    home = tmp_path / "home"
    home.mkdir(mode=0)
    monkeypatch.setenv("HOME", str(home))
    for name in ("CLIP_DEMO_DATA", "CLIP_DEMO_CACHE", "CLIP_DEMO_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    status, out, _ = unprivileged(run, "predict", "--index", "3", "--json")
    assert status == 0 and json.loads(out)["dataset"] == "shapes100"
    assert caplog.messages == [f"{home} may not be read by this user and counts as absent."]
    assert not unprivileged(catalog.is_downloaded, "ViT-B/32")
    status, out, err = unprivileged(run, "fit-probe", "--dataset", "shapes100")
    assert (status, out) == (2, "") and err.startswith("clip_demo: --output: nothing can be written in ")


def test_names_with_commas_on_the_command_line(run, tmp_path):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    file = tmp_path / "a, b" / "classes.txt"
    file.parent.mkdir()
    file.write_text("corn, on the cob\nstove\n")
    arguments = ["predict", "--image", str(tmp_path / "a.png"), "--dataset", "shapes100", "--json", "--classes"]
    for given in ([str(file), "--one-class-per-line"], ['"corn, on the cob", stove'], ["“corn, on the cob”、stove"]):
        status, out, _ = run(*arguments, *given)
        assert status == 0 and {each["label"] for each in json.loads(out)["zero_shot"]} == {"corn, on the cob", "stove"}
    status, _, err = run(*arguments, str(file))
    assert status == 2 and err.startswith(
        f"clip_demo: classes: line 1 of {str(file)!r} ('corn, on the cob') has a comma"
    )
    for comma in ",，、":
        assert run(*arguments, f"cat{comma}")[2].startswith(
            "clip_demo: classnames: got 1 ('cat'); a prediction needs 2"
        )


def test_a_working_directory_that_is_gone(run, tmp_path, monkeypatch):
    gone, before = tmp_path / "gone", os.getcwd()
    gone.mkdir()
    os.chdir(gone)
    try:
        shutil.rmtree(gone)
        assert run("predict", "--index", "3", "--dataset", "shapes100")[0] == 0
    finally:
        os.chdir(before)
