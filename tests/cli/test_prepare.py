"""The command that makes all that the page can show of a model and a dataset."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.cli import prepare as module
from clip_demo.cli.prepare import CURVE, FIRST_IMAGE, HEAD, TEST_FEATURES, prepare
from clip_demo.evaluation.published import Comparison
from clip_demo.features.feature_store import is_compact
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.paths import ASSETS
from clip_demo.serving.model_pool import ModelPool

FILES = ["curves/toy-toys.json", "features/toy-toys.npz", "heads/toy-toys.first-image.json", "heads/toy-toys.npz"]


@pytest.fixture
def fits(monkeypatch):
    """The arguments of all fits."""
    fits, fit = [], ProbeFitter.fit
    monkeypatch.setattr(ProbeFitter, "fit", lambda self, *args, **more: fits.append(args) or fit(self, *args, **more))
    return fits


@pytest.fixture
def make(toy_encoder, toy_dataset, cache):
    """Prepare the toys as a new process would; return what happened to each part."""

    def make(folder):
        stores = Stores.open(*filter(None, (folder, ASSETS, cache)))
        backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=stores)
        return {part.what: part.state for part in prepare(backend, stores, folder)}

    return make


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_page_finds_everything_that_was_made(make, toy_encoder, toy_dataset, tmp_path):
    out = tmp_path / "out"
    assert set(make(out).values()) == {"made"} and files(out) == FILES
    assert is_compact(out / "features/toy-toys.npz")
    encoded = toy_encoder.encoded_images
    page = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(out))
    head, curve = page.head(), page.few_shot_curve()
    assert (head.provenance.n_train, head.provenance.n_test, head.provenance.C) == (50, 20, 0.316)
    assert curve.complete and curve.points[-1].draws == (head.provenance.test_accuracy,)
    assert page.has_test_features() and page.first_image().truth == "blue"
    assert page.status().head == head.provenance
    assert page.evaluate().accuracy.probe_top1 == head.provenance.test_accuracy
    assert toy_encoder.encoded_images == encoded


def test_a_second_run_finds_that_nothing_is_missing(make, toy_encoder, tmp_path, fits):
    make(tmp_path / "out")
    done = len(fits), toy_encoder.encoded_images
    assert set(make(tmp_path / "out").values()) == {"was there"}
    assert (len(fits), toy_encoder.encoded_images) == done


def test_only_what_is_missing_is_made(make, toy_encoder, tmp_path, fits):
    out = tmp_path / "out"
    make(out)
    encoded = toy_encoder.encoded_images
    # The last of the curve's ten fits is the head, which is there.
    for file, part, n_fits in zip(FILES, (CURVE, TEST_FEATURES, FIRST_IMAGE, HEAD), (9, 0, 0, 1), strict=True):
        before = len(fits)
        (out / file).unlink()
        assert {what for what, state in make(out).items() if state == "made"} == {part}
        assert len(fits) - before == n_fits and toy_encoder.encoded_images == encoded
        assert files(out) == FILES


def test_what_the_cache_has_is_copied(make, tmp_path, cache, fits):
    make(None)
    assert [name for name in files(cache) if "shards" not in name and "lock" not in name] == FILES
    before = len(fits)
    states = make(tmp_path / "out")
    assert (states[HEAD], states[CURVE], len(fits)) == ("copied", "copied", before)
    for file in FILES:
        assert (tmp_path / "out" / file).read_bytes() == (cache / file).read_bytes() or file.endswith("npz")


def test_a_head_by_another_recipe_or_on_fewer_images_is_not_enough(make, toy_encoder, toy_dataset, tmp_path, fits):
    out = tmp_path / "out"
    make(out)
    stores = Stores.open(out)
    head = stores.heads.get(toy_encoder.sha256, "toys")
    for changed in ({"C": 1.0}, {"normalized": True}, {"n_train": 5}):
        stores.heads.put(replace(head, provenance=replace(head.provenance, **changed)))
        before = len(fits)
        assert make(out)[HEAD] == "made" and len(fits) == before + 1
        fitted = Stores.open(out).heads.get(toy_encoder.sha256, "toys")
        assert np.array_equal(fitted.coef, head.coef) and fitted.provenance == head.provenance


KILLED_AT = ("test features 20", "fits of the curve 3", "train features 50", "fits of the curve 7", "nothing")
KILLED = f"""
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from conftest import ToyDataset, ToyEncoder
from clip_demo.backend import Backend
from clip_demo.cli.prepare import prepare
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
import sklearn.linear_model

def run(stop):
    out, n_fits, fit = Path(sys.argv[1]), [], ProbeFitter.fit
    ProbeFitter.fit = lambda self, *args: n_fits.append(1) or fit(self, *args)
    encoder, stores = ToyEncoder(), Stores.open(out, sys.argv[2])
    backend = Backend(ModelPool.of(encoder), datasets={{"toys": ToyDataset()}}, stores=stores)
    def progress(what, done, total):
        if stop == f"{{what}} {{done}}":
            os.kill(os.getpid(), signal.SIGKILL)
    states = [part.state for part in prepare(backend, stores, out, progress)]
    print(json.dumps([len(n_fits), encoder.encoded_images, states]), flush=True)

for stop in {KILLED_AT}:
    child = os.fork()
    if not child:
        try:
            run(stop)
        finally:
            os._exit(0)
    print(json.dumps(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_after_a_kill_at_any_stage_the_next_run_goes_on(make, toy_encoder, repository, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *killed, (n_fits, encoded, states), ended = map(json.loads, done.stdout.splitlines())
    assert killed == [9, 9, 9, 9] and ended == 0
    # The curve was complete, and of the head only the file was missing; its features were on disk.
    assert (n_fits, encoded, states) == (1, 0, ["was there", "made", "was there", "made", "made"])
    make(tmp_path / "whole")
    for folder in ("whole", "killed"):
        assert files(tmp_path / folder) == FILES
    whole, resumed = (Stores.open(tmp_path / folder) for folder in ("whole", "killed"))
    key = (toy_encoder.sha256, "toys")
    assert np.array_equal(whole.heads.get(*key).coef, resumed.heads.get(*key).coef)
    assert whole.curves.get(*key).points == resumed.curves.get(*key).points


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_report_of_the_built_in_model(run, tmp_path, cache):
    out = tmp_path / "out"
    status, text, _ = run("prepare", "--model", "tiny", "--dataset", "shapes100", "--output", str(out))
    sizes = [f"{(out / name).stat().st_size / 1e3:.1f} kB" for name in ("heads/tiny-shapes100.npz",)]
    lines = text.splitlines()
    assert status == 0 and lines[0] == "tiny on Shapes-100"
    assert lines[2].split() == ["weights", "was", "there", "20.6", "MB", str(ASSETS / "tiny.pt")]
    assert [" ".join(line.split()) for line in lines[3:6]] == [
        "images drawn by code",
        "features not needed",
        f"linear probe copied {sizes[0]} {out}/heads/tiny-shapes100.npz",
    ]
    assert lines[10].startswith("Missing until now: linear probe, few-shot curve, test features, first image. The page")
    assert lines[10].endswith(f"looks in {ASSETS} and {cache}: copy heads, features and curves there.")
    assert lines[12:] == [
        "zero-shot     99.93 % of 10,000 test images",
        "linear probe  99.95 %",
        "",
        "No numbers of tiny on Shapes-100 are published, so there are none to compare these with.",
    ]
    committed = (ASSETS / "features/tiny-shapes100.npz").read_bytes()
    assert (out / "features/tiny-shapes100.npz").stat().st_size == len(committed)


def test_without_a_folder_what_the_repository_has_is_not_made_again(run, cache):
    status, text, _ = run("prepare", "--model", "tiny", "--dataset", "shapes100")
    assert status == 0 and "\nNothing was missing. The page finds all of it.\n" in text
    assert f"{ASSETS}/heads/tiny-shapes100.npz" in text and files(cache) == []


def test_the_default_is_vit_b_32_with_cifar100_beside_the_published_numbers(
    run, toy_encoder, toy_dataset, tmp_path, monkeypatch
):
    asked = []

    def open_backend(options, stores):
        asked.append((options.model, options.dataset.name))
        toy_encoder.name, toy_dataset.name = options.model, options.dataset.name
        return Backend(ModelPool.of(toy_encoder), datasets={"cifar100": toy_dataset}, stores=stores)

    rows = [Comparison("linear probe", "the article", 78.31, 78.4, 0.5)]
    monkeypatch.setattr(module, "open_backend", open_backend)
    monkeypatch.setattr(module, "reproduce", lambda backend, progress: rows)
    status, text, _ = run("prepare", "--output", str(tmp_path / "out"))
    assert status == 0 and asked == [("ViT-B/32", "cifar100")] and text.endswith(f"\n{module.table(rows)}\n")
    assert (tmp_path / "out/heads/ViT-B-32-cifar100.npz").is_file()
    rows[0] = replace(rows[0], got=60.0)
    status, text, _ = run("prepare", "--output", str(tmp_path / "out"))
    assert status == 1 and "MISSED" in text


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--output", "/dev/null/x"], "--output: nothing can be written in '/dev/null/x'"),
        (["--model", "nope"], "model: 'nope' is neither a known model nor a file"),
        (["--data-root", "/nonexistent/x"], "data_root: '/nonexistent/x' is not a folder"),
    ],
)
def test_an_error_of_the_user_comes_before_any_work(run, arguments, start, monkeypatch):
    monkeypatch.setattr("clip_demo.cli.commands._download_weights", lambda *_: pytest.fail("a download was started"))
    status, _, err = run("prepare", *arguments)
    assert status == 2 and err.startswith(f"clip_demo: {start}")
