"""From images to a head: order, shards, curve, sweep and the job, against references and interruptions."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from clip_demo.backend import Backend
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import HeadError, OptionError
from clip_demo.features.balanced_order import balanced_order
from clip_demo.features.extract import encode_directly
from clip_demo.features.shards import Shards
from clip_demo.linear_probe.c_sweep import peak
from clip_demo.linear_probe.few_shot_curve import CurvePoint, CurveStore, crossing, curve_to_csv, save_curve
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.head import load_head, save_head
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


# --- order -----------------------------------------------------------------------------------------------------------


def test_every_run_of_100_images_has_one_of_each_class():
    labels = Shapes100().labels("train")
    order = balanced_order(labels)
    assert sorted(order) == list(range(50_000))
    assert all(sorted(run) == list(range(100)) for run in labels[order].reshape(-1, 100))


def test_the_order_is_the_same_on_every_machine_and_another_for_another_seed():
    labels = np.arange(50) % 5
    assert balanced_order(labels)[:10].tolist() == FIRST_OF_SEED_0
    assert balanced_order(labels, seed=1)[:10].tolist() != FIRST_OF_SEED_0


FIRST_OF_SEED_0 = [25, 1, 47, 18, 4, 35, 31, 27, 43, 39]


# --- shards ----------------------------------------------------------------------------------------------------------


def shards(encoder, dataset, folder, encode=None, rows=20):
    return Shards(folder, encoder, dataset, "train", encode or encode_directly(encoder), rows)


def test_features_lie_at_their_index_and_are_encoded_once(toy_encoder, toy_images, tmp_path):
    made = shards(toy_encoder, toy_images, tmp_path)
    made.up_to(30)
    assert (made.done, toy_encoder.encoded_images) == (40, 40)
    made.up_to(50)
    expected = 2 * toy_images.pixels(range(50), "train").mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(made.features, expected, atol=1e-6)
    again = shards(toy_encoder, toy_images, tmp_path)
    again.up_to(50)
    assert toy_encoder.encoded_images == 50
    np.testing.assert_array_equal(again.features, made.features)


@pytest.mark.parametrize("harm", ["cut", "flip", "foreign", "order"])
def test_a_damaged_or_foreign_shard_is_made_again(toy_encoder, toy_images, tmp_path, harm):
    shards(toy_encoder, toy_images, tmp_path).up_to(50)
    (path,) = tmp_path.rglob("train-0001.npz")
    data = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "flip":
        data[200] ^= 255  # within the features: the zip's own sum does not fit any more
        path.write_bytes(data)
    else:
        with np.load(path) as stored:
            arrays = dict(stored)
        changed = {"foreign": {"model_sha256": np.array("ab" * 32)}, "order": {"indices": arrays["indices"][::-1]}}
        np.savez(path, **(arrays | changed[harm]))
    before = toy_encoder.encoded_images
    shards(toy_encoder, toy_images, tmp_path).up_to(50)
    assert toy_encoder.encoded_images - before == 20


def test_two_at_once_share_the_work_and_get_the_same(toy_encoder, toy_images, tmp_path):
    both = [shards(toy_encoder, toy_images, tmp_path, rows=5) for _ in range(2)]
    threads = [threading.Thread(target=each.up_to, args=(50,)) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert toy_encoder.encoded_images == 50
    np.testing.assert_array_equal(both[0].features, both[1].features)


KILLED = """
import sys
from clip_demo.images import Shapes100
from clip_demo.model import load_model
from clip_demo.probe_builder import Shards, encode_directly
encoder = load_model("tiny", device="cpu")
shards = Shards(sys.argv[1], encoder, Shapes100(), "train", encode_directly(encoder), 32)
shards.up_to(128, lambda done: print(done, flush=True))
"""


def test_killed_and_gone_on_with_is_the_same_to_the_last_bit(tmp_path, repository):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def start(folder):
        command = [sys.executable, "-c", KILLED, str(folder)]
        return subprocess.Popen(command, cwd=repository, env=environment, stdout=subprocess.PIPE, text=True)

    with start(tmp_path / "whole") as process:
        assert process.stdout.read().split() == ["32", "64", "96", "128"]
    with start(tmp_path / "cut") as process:
        assert [process.stdout.readline() for _ in range(3)][-1] == "96\n"
        process.send_signal(signal.SIGKILL)
        left = [int(each) for each in process.stdout.read().split()]
    assert left in ([], [128])  # the third batch was on its way to disk, or just there
    (folder,) = (tmp_path / "cut").iterdir()
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert {"train-0000.npz", "train-0001.npz"} <= set(stamps)
    (folder / "tmpold.train.part").write_bytes(b"what a killed process leaves")
    with start(tmp_path / "cut") as process:
        reported = process.stdout.read().split()
    assert reported[0] == str(32 * len(stamps))
    assert not list(folder.glob("*.part"))
    for name, stamp in stamps.items():
        assert (folder / name).stat().st_mtime_ns == stamp
    (whole,) = (tmp_path / "whole").iterdir()
    for path in whole.glob("*.npz"):
        with np.load(path) as one, np.load(folder / path.name) as other:
            np.testing.assert_array_equal(one["features"], other["features"])


# --- the article's script --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shapes100", "cifar100"])
def test_it_is_the_articles_script(name, request, tmp_path):
    import torch
    from torch.utils.data import DataLoader, Dataset

    dataset = Shapes100() if name == "shapes100" else request.getfixturevalue("cifar100")
    subset = type("Subset", (type(dataset),), {"sizes": {"train": 500, "test": 300}})
    few = subset() if name == "shapes100" else subset(dataset.root)
    all_labels = {split: dataset.labels(split) for split in few.sizes}
    few.labels = lambda split="test": all_labels[split][: few.sizes[split]]

    # The article's script, written out, on a folder of images that torch reads.
    clip = import_clip()
    model = clip.model.build_model(torch.load(BUILT_IN_CHECKPOINT, weights_only=True)).float().eval()
    preprocess = clip.clip._transform(model.visual.input_resolution)

    class Images(Dataset):
        def __init__(self, split):
            self.split = split

        def __len__(self):
            return few.sizes[self.split]

        def __getitem__(self, index):
            return preprocess(dataset.image(index, self.split)), dataset.label(index, self.split)

    def get_features(dataset):
        all_features, all_labels = [], []
        with torch.no_grad():
            for images, labels in DataLoader(dataset, batch_size=100):
                all_features.append(model.encode_image(images))
                all_labels.append(labels)
        return torch.cat(all_features).cpu().numpy(), torch.cat(all_labels).cpu().numpy()

    train_features, train_labels = get_features(Images("train"))
    test_features, test_labels = get_features(Images("test"))
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000, verbose=0)
    classifier.fit(train_features, train_labels)
    accuracy = np.mean((test_labels == classifier.predict(test_features)).astype(float)) * 100.0

    builder = ProbeFitter(load_model("tiny", device="cpu"), few, tmp_path)
    builder.encode()
    # MicroBatcher of another size are summed in another order, so the bound is on the features as the length of a row is 1.
    for ours, theirs in ((builder.train.features, train_features), (builder.test.features, test_features)):
        length = np.linalg.norm(theirs, axis=1, keepdims=True)
        np.testing.assert_allclose(ours / length, theirs / length, rtol=0, atol=1e-5)
    own = builder.fit().provenance.test_accuracy
    # The last digits of the features decide where the solver stops: an image on the border may fall to either side.
    assert abs(100 * own - accuracy) <= 100 / few.sizes["test"] + 1e-9
    # On the very same features the number is the very same.
    builder.train.features, builder.test.features = train_features, test_features
    assert 100 * builder.fit().provenance.test_accuracy == accuracy


# --- the curve -------------------------------------------------------------------------------------------------------


def points(*means):
    return [CurvePoint(2**i, 5 * 2**i, mean, 0.0, (mean,)) for i, mean in enumerate(means)]


@pytest.mark.parametrize(
    ("means", "zero_shot", "expected"),
    [
        ((0.2, 0.4, 0.6), 0.5, 2 * 2**0.5),  # halfway between 2 and 4 on a logarithmic axis
        ((0.2, 0.4, 0.6), 0.4, 2.0),
        ((0.6, 0.7), 0.5, 1.0),
        ((0.1, 0.2), 0.5, None),
        ((), 0.5, None),
    ],
)
def test_the_crossing_is_read_off_a_logarithmic_axis(means, zero_shot, expected):
    assert crossing(points(*means), zero_shot) == (expected if expected is None else pytest.approx(expected))


def test_draws_share_no_image_and_come_when_their_images_are_there(tmp_path):
    builder = ProbeFitter(load_model("tiny", device="cpu"), Shapes100(), tmp_path)
    draws = builder.draws
    assert [draw.stop for draw in draws] == sorted(draw.stop for draw in draws)
    counts = {each: sum(draw.per_class == each for draw in draws) for each in (1, 64, 128, 256, 500)}
    assert counts == {1: 3, 64: 3, 128: 1, 256: 1, 500: 1}
    assert (draws[-1].per_class, draws[-1].start, draws[-1].stop) == (500, 0, 50_000)
    for each in (1, 64):
        places = [set(range(draw.start, draw.stop)) for draw in draws if draw.per_class == each]
        assert not set.intersection(*places) and all(len(part) == 100 * each for part in places)


@pytest.fixture
def curved(toy_backend, tmp_path):
    _, head = toy_backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    return toy_backend, head


def test_the_curve_ends_in_the_head_and_holds_the_zero_shot_accuracy(curved):
    backend, head = curved
    curve = backend.curve()
    # Ten images of each of five classes: three draws of 1 and 2, two of 4, one of 8, and all.
    assert [(each.per_class, each.n_train, len(each.draws)) for each in curve.points] == [
        (1, 5, 3), (2, 10, 3), (4, 20, 2), (8, 40, 1), (10, 50, 1),
    ]  # fmt: skip
    assert curve.complete and curve.points[-1].draws == (head.provenance.test_accuracy,)
    assert curve.zero_shot == backend.evaluate().top1 and curve.zero_shot_templates == ("a photo of a {}",)
    assert (head.provenance.n_train, head.provenance.note) == (50, "")


def test_a_curve_is_stored_and_found_by_checksum(curved, tmp_path):
    curve = curved[0].curve()
    assert CurveStore([tmp_path / "curves"]).get(curve.model_sha256, "toys") == curve
    assert CurveStore([tmp_path / "curves"]).get("ab" * 32, "toys") is None
    assert [path.name for path in (tmp_path / "curves").iterdir()] == ["toy-toys.json"]


def test_a_curve_that_was_cut_off_goes_on(curved, tmp_path, monkeypatch):
    backend, _ = curved
    whole, fits = backend.curve(), []
    part = replace(whole, points=whole.points[:1], complete=False)
    backend._curves.put(part, tmp_path / "curves")
    fit = ProbeFitter.fit
    monkeypatch.setattr(ProbeFitter, "fit", lambda self, *args: fits.append(args) or fit(self, *args))
    backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    assert len(fits) == 7 and backend.curve().points == whole.points


def test_a_damaged_curve_is_passed_over(curved, tmp_path, caplog):
    curve = curved[0].curve()
    (tmp_path / "curves" / "a-toys.json").write_text('{"points": 3}')
    assert CurveStore([tmp_path / "curves"]).get(curve.model_sha256, "toys") == curve
    assert "a-toys.json' is not a few-shot curve" in caplog.text


def test_the_table_has_every_draw(curved):
    rows = [line.split(",") for line in curve_to_csv(curved[0].curve()).splitlines()]
    assert rows[0] == [
        "model",
        "dataset",
        "method",
        "per_class",
        "n_train",
        "mean",
        "std",
        "draw_1",
        "draw_2",
        "draw_3",
    ]
    assert rows[1][2:5] == ["zero-shot", "0", "0"] and len(rows) == 7 and {len(row) for row in rows} == {10}
    assert [float(each) for each in rows[2][7:]] == list(curved[0].curve().points[0].draws)


# --- the sweep -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [0, 1, 37, 48, 63, 96])
def test_the_binary_search_finds_the_peak(best):
    tried = []
    assert peak(lambda step: tried.append(step) or -abs(step - best)) == best
    assert tried[:7] == [0, 16, 32, 48, 64, 80, 96] and len(tried) == len(set(tried)) <= 15


def test_a_swept_head_says_so_and_knows_all_images(toy_backend, tmp_path):
    _, head = toy_backend.fit_probe(folder=tmp_path, swept=True, normalized=True)
    made = head.provenance
    assert (made.n_train, made.note, made.normalized) == (50, "C swept on 10 held-out training images", True)
    assert np.log10(made.C) * 8 == pytest.approx(round(np.log10(made.C) * 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"swept": True, "C": 1.0}, "C: 1.0 came together with a sweep"),
        ({"curve_folder": "x", "C": 1.0}, "curve: it is fitted by the article's recipe"),
        ({"curve_folder": "x", "swept": True}, "curve: it is fitted by the article's recipe"),
    ],
)
def test_options_that_contradict_each_other_are_refused(toy_backend, tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        toy_backend.fit_probe(folder=tmp_path, **options)


# --- the job ---------------------------------------------------------------------------------------------------------


class ManyToys:
    """Makes the toy dataset large enough for an early head: 30 of each class."""

    sizes = {"train": 150, "test": 20}


@pytest.fixture
def backend(toy_encoder, toy_images, tmp_path):
    toy_images.sizes = ManyToys.sizes
    return make(toy_encoder, toy_images, tmp_path)


def make(encoder, dataset, folder):
    return Backend(
        encoder,
        datasets={"toys": dataset},
        head_folders=[folder / "assets", folder / "heads"],
        feature_folders=[folder / "features"],
        curve_folders=[folder / "curves"],
        shard_folder=folder / "shards",
    )


def finished(backend):
    return backend.build_status().state in ("done", "failed", "stopped")


def test_the_job_makes_ever_better_heads_and_the_curve(backend, monkeypatch):
    heads = []
    put = type(backend._heads).put
    monkeypatch.setattr(
        type(backend._heads), "put", lambda self, head, folder: heads.append(head) or put(self, head, folder)
    )
    assert backend.build_status() is None and backend.curve() is None
    backend.build()
    wait_for(lambda: finished(backend))
    status = backend.build_status()
    assert (status.state, status.done, status.total) == ("done", 170, 170)
    known = [(each.provenance.n_train, each.provenance.n_test, each.provenance.note) for each in heads]
    assert known[0] == (100, 20, "20 images per class") and known[-1] == (150, 20, "")
    assert [each[0] for each in known] == sorted({each[0] for each in known})
    assert backend.head().provenance.n_train == 150
    assert backend.curve().complete and backend.curve().points[-1].n_train == 150


def test_a_stopped_job_goes_on_where_it_was(toy_encoder, toy_images, tmp_path, backend):
    gate, reached = threading.Event(), threading.Event()
    encode = toy_encoder.encode_pixels

    def slow(batch):
        if toy_encoder.encoded_images >= 150:  # all of the training images
            reached.set()
            gate.wait(10)
        return encode(batch)

    toy_encoder.encode_pixels = slow
    backend.build()
    assert reached.wait(10)
    backend.cancel_build()
    gate.set()
    wait_for(lambda: finished(backend))
    assert backend.build_status().state == "stopped"
    toy_encoder.encode_pixels = encode
    again = make(toy_encoder, toy_images, tmp_path)
    before = toy_encoder.encoded_images
    again.build()
    wait_for(lambda: finished(again))
    assert again.build_status().state == "done"
    assert toy_encoder.encoded_images - before <= 20  # the training images are one shard, and on disk


def test_only_one_job_runs(toy_images, tmp_path):
    gate = threading.Event()

    def load(name, progress):
        gate.wait(10)
        raise HeadError("model: gone.")

    other = type("Other", (type(toy_images),), {"name": "others", "title": "Others-5"})()
    backend = Backend(load, model="slow", datasets={"toys": toy_images, "others": other}, head_folders=[tmp_path])
    backend.build("toys")
    backend.build("toys")
    assert backend.build_status("toys").state == "waiting" and backend.build_status("others") is None
    with pytest.raises(OptionError, match="build: a job for slow on Toys-5 runs; wait until it is done, or stop it."):
        backend.build("others")
    gate.set()
    wait_for(lambda: backend.build_status("toys").state == "failed")
    assert backend.build_status("toys").message == "model: gone."


def test_a_better_head_is_never_replaced(toy_encoder, toy_images, tmp_path, backend):
    backend.build()
    wait_for(lambda: finished(backend))
    full = backend.head()
    early = replace(full, provenance=replace(full.provenance, n_train=100))
    assert backend._heads.improve(early, tmp_path / "heads") is full
    # Nor one that another process has made meanwhile.
    fresh = make(toy_encoder, toy_images, tmp_path / "other")
    fresh._heads.remember(early, full.provenance.model_sha256, "toys")
    path = save_head(full, tmp_path / "other" / "assets")
    middle = replace(full, provenance=replace(full.provenance, n_train=120))
    assert fresh._heads.improve(middle, tmp_path / "other" / "heads").provenance.n_train == 150
    assert not (tmp_path / "other" / "heads").exists() and load_head(path).provenance.n_train == 150


def test_a_full_head_is_not_made_again(toy_encoder, toy_images, tmp_path, backend):
    backend.build()
    wait_for(lambda: finished(backend))
    again = make(toy_encoder, toy_images, tmp_path)
    before = toy_encoder.encoded_images
    again.build(if_missing=True)
    wait_for(lambda: finished(again))
    assert again.build_status().state == "done" and toy_encoder.encoded_images == before


def test_a_visitor_comes_before_the_jobs_next_batch(toy_encoder, toy_images, tmp_path):
    toy_images.sizes = ManyToys.sizes
    encode, seen = toy_encoder.encode_pixels, []
    gate, busy = threading.Event(), threading.Event()

    def watched(batch):
        seen.append(bool(np.isclose(batch[0], 0.2, atol=0.01).all()))  # grey: no image of the set is
        if len(seen) == 3:
            busy.set()
            gate.wait(30)
        return encode(batch)

    toy_encoder.encode_pixels = watched
    backend = make(toy_encoder, toy_images, tmp_path)
    backend.build()
    assert busy.wait(30)
    image_features = backend._shelf.get().features.image_features
    visitor = threading.Thread(target=image_features, args=("grey", lambda: Image.new("RGB", (8, 8), (51, 51, 51))))
    visitor.start()
    wait_for(lambda: backend._shelf._turns._waiting)
    gate.set()
    visitor.join(30)
    wait_for(lambda: finished(backend))
    assert seen.index(True) == 3 and seen.count(True) == 1


def test_the_status_is_plain(backend):
    backend.build()
    wait_for(lambda: finished(backend))
    assert json.dumps(backend.build_status().__dict__)


def test_saving_leaves_nothing_unfinished(curved, tmp_path, monkeypatch):
    curve = curved[0].curve()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_curve(curve, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
