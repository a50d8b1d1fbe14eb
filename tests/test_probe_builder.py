"""From pictures to heads: the order, the shards that outlive a kill, the curve, the sweep, the job."""

import csv
import io
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clip_demo.backend import Backend
from clip_demo.curve import CurvePoint, CurveStore, FewShotCurve, curve_to_csv, load_curve, save_curve
from clip_demo.errors import Cancelled, HeadError, OptionError
from clip_demo.images import SHAPES100, Cifar100, Shapes100
from clip_demo.model import import_clip, load_model
from clip_demo.probe import fit_head
from clip_demo.probe_builder import ProbeBuilder, Shards, balanced_order, sweep
from clip_demo.probe_builder import shards as shards_module

# The order


def test_the_order_takes_one_of_every_class_then_a_second():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    order = balanced_order(labels)
    assert sorted(order) == list(range(10))
    assert [sorted(labels[order[i : i + 3]]) for i in (0, 3, 6)] == [[0, 1, 2]] * 3
    assert labels[order[9]] == 2  # what one class has more comes last
    np.testing.assert_array_equal(order, balanced_order(labels))
    assert (balanced_order(labels, seed=1) != order).any()


# Shards


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards_module, "SIZE", 8)
    monkeypatch.setattr(shards_module, "BATCH", 3)


def make_shards(folder, images, sha256="ab" * 32):
    return Shards(folder, sha256, images, "train")


def test_shards_hold_what_the_encoder_gives_in_both_orders(toy_encoder, toy_images, tmp_path, small_shards):
    shards = make_shards(tmp_path, toy_images)
    shards.fill(toy_encoder.encode_images)
    everything = toy_encoder.encode_images([toy_images.picture(i, "train") for i in range(50)])
    np.testing.assert_array_equal(shards.all(), everything)
    np.testing.assert_array_equal(shards.first(11), everything[shards.order[:11]])
    assert len(list(tmp_path.rglob("*.npz"))) == 7  # 50 pictures, 8 a shard


def test_only_what_is_asked_for_is_made_and_nothing_twice(toy_encoder, toy_images, tmp_path, small_shards):
    make_shards(tmp_path, toy_images).fill(toy_encoder.encode_images, 10)
    assert toy_encoder.encoded_pictures == 16  # two whole shards
    calls = []
    make_shards(tmp_path, toy_images).fill(toy_encoder.encode_images, progress=lambda *call: calls.append(call))
    assert toy_encoder.encoded_pictures == 50
    assert calls[0] == ("train features", 16, 50) and calls[-1] == ("train features", 50, 50)
    assert [done for _, done, _ in calls] == sorted(done for _, done, _ in calls)


def test_a_shard_that_is_damaged_or_anothers_is_made_again(toy_encoder, toy_images, tmp_path, small_shards):
    make_shards(tmp_path, toy_images).fill(toy_encoder.encode_images)
    first, second, *_ = sorted(tmp_path.rglob("*.npz"))
    first.write_bytes(first.read_bytes()[:100])
    # The same folder, as its name is only the checksum's beginning; what is inside decides.
    other = make_shards(tmp_path, toy_images, "ab" * 31 + "cd")
    before = toy_encoder.encoded_pictures
    other.fill(toy_encoder.encode_images, 16)
    assert toy_encoder.encoded_pictures == before + 16
    make_shards(tmp_path, toy_images).fill(toy_encoder.encode_images)
    assert toy_encoder.encoded_pictures == before + 32


KILLED = """
import os, sys, time
sys.path.insert(0, "tests")
from conftest import ToyEncoder, ToyImages
from clip_demo.probe_builder import Shards, shards
shards.SIZE, shards.BATCH = 8, 3
def progress(what, done, total):
    print(done, flush=True)
    if done >= 28:
        time.sleep(60)
Shards(sys.argv[1], "ab" * 32, ToyImages(), "train").fill(ToyEncoder().encode_images, progress=progress)
"""


def test_a_kill_costs_one_shard_at_most(toy_encoder, toy_images, tmp_path, small_shards, repository):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=repository
    )
    for line in process.stdout:
        if int(line) >= 28:  # in the middle of the fourth shard
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    whole = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(whole) == 3
    shards = make_shards(tmp_path, toy_images)
    shards.fill(toy_encoder.encode_images)
    assert toy_encoder.encoded_pictures == 50 - 24
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    unbroken = make_shards(tmp_path / "other", toy_images)
    unbroken.fill(toy_encoder.encode_images)
    np.testing.assert_array_equal(shards.all(), unbroken.all())


def test_shards_of_another_size_are_not_mixed_up(toy_encoder, toy_images, tmp_path, monkeypatch):
    for size in (8, 16):
        monkeypatch.setattr(shards_module, "SIZE", size)
        shards = make_shards(tmp_path, toy_images)
        shards.fill(toy_encoder.encode_images)
        everything = toy_encoder.encode_images([toy_images.picture(i, "train") for i in shards.order])
        np.testing.assert_array_equal(shards.first(50), everything)


# Heads


class NoisyImages(Shapes100):
    """Shapes-100 with ten pictures of each class to learn from and four to test, so that a probe is not perfect."""

    sizes = {"train": 1000, "test": 400}

    def _own(self, split):
        labels = Shapes100().labels(split)
        return np.sort(np.argsort(labels, kind="stable").reshape(100, -1)[:, : self.sizes[split] // 100].ravel())

    def labels(self, split="test"):
        return Shapes100().labels(split)[self._own(split)]

    def pixels(self, indices, split="test"):
        return super().pixels(self._own(split)[np.asarray(indices)], split)


class NoisyEncoder:
    """Eight numbers of a picture: colours and their spread in the middle and all over it."""

    name, note, sha256, logit_scale = "noisy", "a toy", "71" * 32, 10.0

    def preprocess(self, picture):
        pixels = np.asarray(picture, dtype=np.float32) / 255
        return 5 * np.concatenate([pixels[8:24, 8:24].mean((0, 1)), pixels.mean((0, 1)), pixels.std((0, 1))[:2]])

    def encode_pixels(self, batch):
        return np.stack(batch).astype(np.float32)

    def encode_images(self, pictures):
        return self.encode_pixels([self.preprocess(each) for each in pictures])

    def encode_texts(self, prompts):
        rng = np.random.default_rng(len(prompts))
        return rng.normal(size=(len(prompts), 8)).astype(np.float32)


@pytest.fixture
def builder(tmp_path):
    return ProbeBuilder(NoisyEncoder(), NoisyImages(), tmp_path / "shards")


def test_the_full_head_is_the_recipes_on_features_in_their_own_order(builder):
    encoder, images = NoisyEncoder(), NoisyImages()
    features = {
        split: encoder.encode_images([images.picture(i, split) for i in range(size)])
        for split, size in images.sizes.items()
    }
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    classifier.fit(features["train"], images.labels("train"))
    head = builder.fit()
    np.testing.assert_array_equal(head.coef, classifier.coef_.astype(np.float32))
    assert head.provenance.test_accuracy == np.mean(classifier.predict(features["test"]) == images.labels())
    assert 0.1 < head.provenance.test_accuracy < 0.99


def test_draws_have_no_picture_in_common_and_the_right_labels(builder, monkeypatch):
    seen = []

    def spy(train, labels, test, test_labels, **options):
        seen.append((train, labels, test_labels))
        return fit_head(train, labels, test, test_labels, **options)

    monkeypatch.setattr("clip_demo.probe_builder.builder.fit_head", spy)
    for draw in range(3):
        builder.fit_few(2, draw)
    everything, labels = builder.features("train"), builder.image_set.labels("train")
    chosen = [np.array([np.flatnonzero((everything == row).all(axis=1))[0] for row in train]) for train, *_ in seen]
    for (_, given, _), indices in zip(seen, chosen, strict=True):
        np.testing.assert_array_equal(given, labels[indices])
        assert (np.bincount(given) == 2).all()
    assert len(set(np.concatenate(chosen))) == 600


def test_the_curve_grows_point_by_point_and_ends_with_the_full_head(builder):
    full = builder.fit().provenance.test_accuracy
    curves = list(builder.curve(0.25, ["a {}"]))
    assert [each.per_class for each in curves[-1].points] == [1, 2, 4, 8, 10]
    assert [len(each.draws) for each in curves[-1].points] == [3, 3, 1, 1, 1]  # ten of each class: 3 × 4 are too many
    assert [each.complete for each in curves] == [False] * 4 + [True]
    assert curves[2].points == curves[-1].points[:3]
    assert curves[-1].points[-1].draws == (full,)
    assert curves[-1].points[0].draws[0] == builder.fit_few(1).provenance.test_accuracy


def test_what_an_earlier_run_measured_is_not_fitted_again(builder, tmp_path, monkeypatch):
    *_, before, whole = builder.curve(0.25, ["a {}"])
    fitted = []

    def spy(train, *data, **options):
        fitted.append(len(train))
        return fit_head(train, *data, **options)

    monkeypatch.setattr("clip_demo.probe_builder.builder.fit_head", spy)
    again = ProbeBuilder(NoisyEncoder(), NoisyImages(), tmp_path / "shards", known=before)
    assert list(again.curve(0.25, ["a {}"]))[-1] == whole and fitted == [1000]


def test_a_head_can_be_tested_on_a_part(builder):
    provenance = builder.fit_few(3, n_test=100).provenance
    assert (provenance.n_train, provenance.n_test) == (300, 100)


# The curve


def a_curve(zero_shot, *means):
    points = tuple(CurvePoint(2**i, 100 * 2**i, (mean - 0.01, mean + 0.01)) for i, mean in enumerate(means))
    return FewShotCurve("toy", "ab" * 32, "toys", zero_shot, ("a {}",), points, True, {"numpy": "2"}, "2026-01-31")


@pytest.mark.parametrize(
    ("zero_shot", "crossing"), [(0.2, 2.0), (0.3, 2 * 2**0.5), (0.1, 1.0), (0.05, 1.0), (0.4, 4.0), (0.41, None)]
)
def test_the_crossing_is_found_on_the_logarithm(zero_shot, crossing):
    assert a_curve(zero_shot, 0.1, 0.2, 0.4).crossing == pytest.approx(crossing)


def test_a_point_has_mean_and_spread():
    point = CurvePoint(1, 100, (0.1, 0.2, 0.3))
    assert point.mean == pytest.approx(0.2) and point.std == pytest.approx((0.02 / 3) ** 0.5)
    assert CurvePoint(1, 100, (0.5,)).std == 0


def test_a_curve_comes_back_and_only_for_its_own_model(tmp_path):
    curve = a_curve(0.3, 0.1, 0.2)
    assert load_curve(save_curve(curve, tmp_path)) == curve
    assert CurveStore([tmp_path]).get("ab" * 32, "toys") == curve
    assert CurveStore([tmp_path]).get("cd" * 32, "toys") is None
    (tmp_path / "bad-toys.npz").write_bytes(b"nonsense")
    with pytest.raises(HeadError, match="is not a few-shot curve"):
        load_curve(tmp_path / "bad-toys.npz")


def test_csv_has_every_probe():
    rows = list(csv.DictReader(io.StringIO(curve_to_csv(a_curve(0.3, 0.1, 0.2)))))
    assert [row["method"] for row in rows] == ["zero-shot"] + 4 * ["linear probe"]
    assert rows[0]["test_accuracy"] == "0.3" and rows[3]["images_per_class"] == "2" and rows[3]["draw"] == "0"


# The sweep


@pytest.mark.parametrize("peak", [-6, -3.25, -0.5, 0, 2.125, 6])
def test_the_sweep_finds_a_peak_in_few_steps(peak):
    best, tried = sweep(lambda C: -abs(np.log10(C) - peak))
    assert np.log10(best) == pytest.approx(peak)
    assert len(tried) <= 15 and list(tried) == sorted(tried)
    assert min(tried) >= 1e-6 and max(tried) <= 1e6 + 1


def test_among_equals_the_sweep_takes_the_most_regularised():
    assert sweep(lambda C: 1.0)[0] == pytest.approx(1e-6)


def test_the_sweep_never_sees_the_test_pictures(builder, monkeypatch):
    sizes = []

    def spy(train, labels, held_out, held_labels, **options):
        sizes.append((len(train), len(held_out), options["C"]))
        return fit_head(train, labels, held_out, held_labels, **options)

    monkeypatch.setattr("clip_demo.probe_builder.builder.fit_head", spy)
    C = builder.sweep()
    assert {size[:2] for size in sizes} == {(800, 200)} and C in {size[2] for size in sizes}


# The article's script


@pytest.mark.parametrize("images", [Shapes100(), Cifar100()], ids=["shapes100", "cifar100"])
def test_the_articles_script_gets_the_same_features_and_accuracy(images, tmp_path):
    import torch
    from torch.utils.data import DataLoader

    if not images.on_disk():
        pytest.skip(f"{images.title} is not on disk; set CLIP_DEMO_DATA")
    encoder = load_model("tiny", device="cpu")
    model, clip = encoder.model, import_clip()
    preprocess = clip.clip._transform(model.visual.input_resolution)
    sizes = {"train": 500, "test": 300}

    def get_features(split):  # as openai/CLIP's README and the article write it
        data = [(preprocess(images.picture(i, split)), images.label(i, split)) for i in range(sizes[split])]
        all_features, all_labels = [], []
        with torch.no_grad():
            for pixels, labels in DataLoader(data, batch_size=100):
                all_features.append(model.encode_image(pixels))
                all_labels.append(labels)
        return torch.cat(all_features).cpu().numpy(), torch.cat(all_labels).cpu().numpy()

    (train_features, train_labels), (test_features, test_labels) = get_features("train"), get_features("test")
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    classifier.fit(train_features, train_labels)
    accuracy = np.mean((test_labels == classifier.predict(test_features)).astype(float)) * 100.0

    class Some(type(images)):
        def labels(self, split="test"):
            return images.labels(split)[: sizes[split]]

        def pixels(self, indices, split="test"):
            return images.pixels(indices, split)

    some = Some() if isinstance(images, Shapes100) else Some(images.root)
    builder = ProbeBuilder(encoder, some, tmp_path / "shards")
    np.testing.assert_allclose(builder.features("train"), train_features, atol=1e-5)
    np.testing.assert_allclose(builder.features("test"), test_features, atol=1e-5)
    head = builder.fit()
    assert f"{100 * head.provenance.test_accuracy:.3f}" == f"{accuracy:.3f}"
    assert accuracy > 10


# The job


class Slow(NoisyEncoder):
    """Waits at a gate before each batch; the gate closes when `stop_at` pictures are encoded."""

    stop_at = None

    def __init__(self):
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.gate.set()
        self.encoded = 0

    def encode_pixels(self, batch):
        if self.stop_at is not None and self.encoded >= self.stop_at:
            self.stop_at = None
            self.gate.clear()
        if not self.gate.is_set():
            self.waiting.set()
        assert self.gate.wait(20)
        self.encoded += len(batch)
        return super().encode_pixels(batch)


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def backend(slow, tmp_path, monkeypatch):
    monkeypatch.setattr("clip_demo.builds.EARLY", 3)
    monkeypatch.setattr("clip_demo.builds.EARLY_TEST", 100)
    monkeypatch.setattr(shards_module, "SIZE", 100)
    cache = tmp_path / "cache"
    return Backend(slow, image_sets={SHAPES100: NoisyImages()}, head_folders=[cache / "heads"], feature_folders=[])


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def test_a_job_makes_an_early_head_then_better_ones_and_the_curve(backend, slow, monkeypatch):
    heads = []
    put = backend._heads.put
    monkeypatch.setattr(backend._heads, "put", lambda head, folder: heads.append(head) or put(head, folder))
    assert backend.build_status() is None and backend.head() is None and backend.curve() is None
    backend.build()
    until(lambda: backend.build_status().state == "done")
    assert [each.provenance.n_train for each in heads] == [300, 400, 800, 1000]  # never a smaller one
    assert [each.provenance.n_test for each in heads] == [100, 400, 400, 400]
    assert backend.head() is heads[-1] and backend.curve().complete
    assert backend.curve().points[-1].draws == (heads[-1].provenance.test_accuracy,)
    status = backend.build_status()
    assert (status.done, status.total) == (1400, 1400) and slow.encoded == 1400  # nothing was encoded twice
    fresh = Backend(Slow(), image_sets=backend.image_sets, head_folders=backend._heads.folders)
    assert fresh.curve() == backend.curve() and fresh.head().provenance == heads[-1].provenance


def test_a_job_that_is_stopped_goes_on_where_it_was(backend, slow):
    slow.stop_at = 250
    backend.build()
    assert slow.waiting.wait(20)
    backend.cancel_build()
    slow.gate.set()
    until(lambda: backend.build_status().state == "stopped")
    before = slow.encoded
    assert 250 <= before < 1400 and "goes on from it" in backend.build_status().message
    backend.build()
    until(lambda: backend.build_status().state == "done")
    assert slow.encoded <= 1400 + before - 200  # two shards of a hundred were whole


def test_one_job_at_a_time_and_a_second_call_changes_nothing(slow, toy_images, tmp_path):
    sets = {SHAPES100: NoisyImages(), "toys": toy_images}
    backend = Backend(slow, image_sets=sets, head_folders=[tmp_path / "heads"], default_images=SHAPES100)
    slow.gate.clear()
    backend.build()
    job = backend._builds._jobs[slow.name, SHAPES100]
    backend.build()
    assert backend._builds._jobs[slow.name, SHAPES100] is job
    with pytest.raises(OptionError, match="The probe of noisy on Shapes-100 is under way; wait for it, or stop it"):
        backend.build("toys")
    backend.cancel_build()
    slow.gate.set()
    until(lambda: not job.running)


def test_a_job_that_fails_says_why(backend, monkeypatch):
    monkeypatch.setattr(NoisyImages, "pixels", lambda *_: 1 / 0)
    backend.build()
    until(lambda: backend.build_status().state == "failed")
    assert "ZeroDivisionError" in backend.build_status().message


def test_a_visitor_is_answered_while_a_job_runs(backend, slow):
    backend.predict(index=0, classnames=["red circle", "blue star"])
    slow.gate.clear()
    backend.build()
    assert slow.waiting.wait(20)
    # What is remembered needs no encoder at all.
    assert backend.predict(index=0, classnames=["red circle", "blue star"]).truth
    slow.gate.set()
    assert backend.predict(index=1, classnames=["red circle", "blue star"]).truth
    backend.cancel_build()
    until(lambda: not backend._builds._jobs[slow.name, SHAPES100].running)


def test_the_pace_is_that_of_the_encoder_and_not_of_the_disk():
    from clip_demo.probe_builder import Job

    def work(report):
        time.sleep(0.1)
        report("train features", 300, 1000)  # those came from the disk
        for done in (350, 400):
            time.sleep(0.1)
            report("train features", done, 1000)
        raise Cancelled("stop")

    job = Job("A head", work, {"train": 1000, "test": 0})
    until(lambda: not job.running)
    assert 200 < job._rate < 520
    assert replace(job.status, message="").state == "stopped"
