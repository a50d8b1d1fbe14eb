"""Features of whole datasets by Ray Data: those of the single process, also when parts of it die."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from served_encoder import ROOT, psutil

from clip_demo.cluster.extract import RayExtract
from clip_demo.cluster.loading import load
from clip_demo.cluster.session import ray_session
from clip_demo.datasets.catalog import add_dataset
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import DatasetError, ModelError
from clip_demo.features.extract import encode_directly, joined
from clip_demo.features.shards import Shards


@pytest.fixture(scope="module")
def ray():
    with ray_session() as ray:
        yield ray


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


@pytest.fixture
def extract(ray, tiny):
    return RayExtract(ray, partial(load, "tiny"), tiny)


def make_folder(folder):
    """Write a dataset of 60 small images in two classes, of which one is damaged."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 20), ("test", 10)):
        for name, colour in (("dark", 60), ("light", 250)):
            (folder / split / name).mkdir(parents=True)
            for index in range(n):
                pixels = rng.integers(colour - 50, colour, (40, 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{index}.png")
    damaged = folder / "train" / "dark" / "7.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    return folder


def content(folder):
    found = {}
    for path in sorted(Path(folder).rglob("*.npz")):
        with np.load(path) as stored:
            found[path.name] = {name: stored[name] for name in stored.files}
    return found


def test_the_shards_are_those_of_one_process_also_after_an_actor_was_killed(ray, extract, tiny, tmp_path):
    dataset, killed = Shapes100(), []

    def kill_an_actor(done):
        if not killed:
            below = psutil.Process().children(recursive=True)
            (actor,) = (each for each in below if "".join(each.cmdline()).startswith("ray::MapWorker"))
            killed.append(actor.pid)
            actor.kill()

    made = Shards(tmp_path / "ray", tiny, dataset, "train", extract)
    made.encode(1500, kill_an_actor)
    single = Shards(tmp_path / "single", tiny, dataset, "train", encode_directly(tiny))
    single.encode(1500)
    assert killed and (made.done, single.done) == (1536, 1536)
    ours, theirs = content(tmp_path / "ray"), content(tmp_path / "single")
    assert list(ours) == list(theirs) == ["train-0000.npz", "train-0001.npz", "train-0002.npz"]
    for name in ours:
        np.testing.assert_array_equal(ours[name]["indices"], theirs[name]["indices"])
        np.testing.assert_allclose(ours[name]["features"], theirs[name]["features"], rtol=1e-5, atol=1e-5)


def test_a_folder_is_read_where_it_lies_and_damaged_images_come_back_as_such(extract, tiny, tmp_path):
    dataset = add_dataset({}, str(make_folder(tmp_path / "set")))
    ids = dataset.ids("train")
    rows, expected = (joined([*each(dataset, "train", ids)]) for each in (extract, encode_directly(tiny)))
    assert np.isnan(rows).any(axis=1).sum() == 1
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-5)


def test_a_machine_with_another_model_or_other_files_is_refused(ray, tiny, tmp_path):
    other = SimpleNamespace(sha256="ab" * 32)
    said = f"^model: on the machine 127.0.0.1 it has the SHA-256 {tiny.sha256}, and here abab"
    with pytest.raises(ModelError, match=said):
        next(RayExtract(ray, partial(load, "tiny"), other)(Shapes100(), "test", np.arange(3)))
    dataset = add_dataset({}, str(make_folder(tmp_path / "set")))
    assert dataset.key  # as it was listed here
    (tmp_path / "set" / "test" / "dark" / "0.png").unlink()
    with pytest.raises(DatasetError, match="on the machine 127.0.0.1 is not there or has other files than here"):
        next(RayExtract(ray, partial(load, "tiny"), tiny)(dataset, "test", dataset.ids("test")))


def test_an_image_that_only_a_machine_of_the_cluster_cannot_read_is_not_left_out(extract, tmp_path, monkeypatch):
    """The folder of a machine may be away for a moment. Here the file is away while the actor looks for it."""
    dataset = add_dataset({}, str(make_folder(tmp_path / "set")))
    ids = dataset.ids("test")
    monkeypatch.setattr("clip_demo.cluster.extract.damaged_rows", lambda rows: np.arange(len(rows)) == 3)
    with pytest.raises(
        DatasetError, match=f"^dataset: image {ids[3]} of the test split of set can be read here, and not"
    ):
        next(extract(dataset, "test", ids))


def test_files_that_changed_here_before_are_no_other_files(extract, tmp_path):
    dataset = add_dataset({}, str(make_folder(tmp_path / "set")))
    path = tmp_path / "set" / "test" / "dark" / "0.png"
    [*dataset.readable_images(dataset.ids("test"), "test")]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)  # of the same size
    [*dataset.readable_images(dataset.ids("test"), "test")]
    assert dataset.key != dataset.files_key
    assert len(joined([*extract(dataset, "test", dataset.ids("test"))])) == 20


def run_command(*arguments, code=None, **environment):
    start = ["-c", code] if code else ["-m", "clip_demo"]
    return subprocess.run(
        [sys.executable, *start, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=180,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_the_command_fits_the_same_head(tmp_path):
    folder, printed = make_folder(tmp_path / "set"), []
    for name in ("single", "ray"):
        arguments = ["fit-probe", "--dataset", str(folder), "--output", str(tmp_path / name / "heads")]
        done = run_command(*arguments, *(["--ray"] if name == "ray" else []), CLIP_DEMO_CACHE=str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
        assert "Left out: 1 damaged image: train/dark/7.png" in done.stderr and "Traceback" not in done.stderr
    assert printed[0] == printed[1] and printed[0].startswith("Accuracy = ")
    single, ray = (content(tmp_path / name / "heads") for name in ("single", "ray"))
    assert list(single) == list(ray)
    for name in single:
        np.testing.assert_allclose(single[name]["coef"], ray[name]["coef"], atol=1e-3)


@pytest.mark.parametrize("command", ["fit-probe", "prepare"])
def test_without_ray_the_command_says_what_to_install(command):
    code = "import sys; sys.modules['ray'] = None; from clip_demo.__main__ import main; sys.exit(main())"
    done = run_command(command, "--ray", "--model", "tiny", "--dataset", "shapes100", code=code)
    assert done.returncode == 2
    assert "ray: it is not installed" in done.stderr and "pip install -r requirements-ray.txt" in done.stderr
    assert done.stderr.count("\n") == 1
