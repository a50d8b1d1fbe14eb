"""The background job that fits heads and the few-shot curve."""

import errno
import json
import threading
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import wait_for
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import ArtifactError, ModelError, OptionError
from clip_demo.linear_probe.head import HeadStore, load_head, save_head
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.downloads import Downloads
from clip_demo.serving.encoder_queue import EncoderQueue
from clip_demo.serving.evaluator import Evaluator
from clip_demo.serving.model_handle import ModelHandle
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.probe_job import WHOLE, Plan, ProbeJob, ProbeJobs


@pytest.fixture
def toy_dataset(toy_dataset):
    """Enough images for an early head: 30 of each class."""
    toy_dataset.sizes = {"train": 150, "test": 20}
    return toy_dataset


def make(encoder, dataset, folder):
    return Backend(
        ModelPool.of(encoder), datasets={dataset.name: dataset}, stores=Stores.open(folder / "assets", folder)
    )


@pytest.fixture
def backend(toy_encoder, toy_dataset, tmp_path):
    return make(toy_encoder, toy_dataset, tmp_path)


def job(backend):
    return backend.status().job


def run(backend, **options):
    backend.start_probe_job(**options)
    wait_for(lambda: not job(backend).running)


def test_the_job_fits_better_and_better_heads_and_the_curve(backend, monkeypatch):
    heads, put = [], HeadStore.put
    monkeypatch.setattr(HeadStore, "put", lambda self, head, *folder: heads.append(head) or put(self, head, *folder))
    assert job(backend) is None and backend.few_shot_curve() is None
    run(backend)
    assert (job(backend).state, job(backend).done, job(backend).total) == ("done", 170, 170)
    known = [(each.provenance.n_train, each.provenance.n_test, each.provenance.note) for each in heads]
    assert known[0] == (100, 20, "20 images per class") and known[-1] == (150, 20, "")
    assert [each[0] for each in known] == sorted({each[0] for each in known})
    assert backend.head().provenance.n_train == 150
    assert backend.few_shot_curve().complete and backend.few_shot_curve().points[-1].n_train == 150
    assert backend.first_image().truth == "blue"


def test_the_job_and_the_command_give_the_same_curve_and_head(toy_encoder, toy_dataset, tmp_path):
    background, command = (make(toy_encoder, toy_dataset, tmp_path / name) for name in ("job", "command"))
    run(background)
    folder = tmp_path / "command"
    command.fit_probe(folder=folder / "heads", curve_folder=folder / "curves")
    assert background.few_shot_curve() == command.few_shot_curve()
    assert background.head().provenance == command.head().provenance
    np.testing.assert_array_equal(background.head().coef, command.head().coef)


def test_a_job_runs_where_priorities_cannot_be_changed(backend, monkeypatch):
    def forbidden(*args):
        raise PermissionError

    monkeypatch.setattr("os.setpriority", forbidden, raising=False)
    run(backend)
    assert job(backend).state == "done"


def test_a_stopped_job_continues_where_it_was(toy_encoder, toy_dataset, tmp_path):
    gate, reached, encode = threading.Event(), threading.Event(), toy_encoder.encode_images

    def slow(inputs):
        if toy_encoder.encoded_images >= 150:  # all training images
            reached.set()
            gate.wait(10)
        return encode(inputs)

    toy_encoder.encode_images = slow
    backend = make(toy_encoder, toy_dataset, tmp_path)
    backend.start_probe_job()
    assert reached.wait(10)
    assert job(backend).running and backend.status().running_job == job(backend).message
    backend.stop_probe_job()
    # At once, although a batch or a fit, which may take minutes, goes on.
    assert job(backend).state == "stopped" and backend.status().running_job == ""
    assert job(backend).message == "toy on Toys-5: stopped; what was done is kept."
    gate.set()
    wait_for(lambda: "probe-job-toy" not in [each.name for each in threading.enumerate()])
    assert job(backend).state == "stopped"
    toy_encoder.encode_images = encode
    again, before = make(toy_encoder, toy_dataset, tmp_path), toy_encoder.encoded_images
    run(again)
    assert job(again).state == "done"
    assert toy_encoder.encoded_images - before <= 20  # the training images are one shard, which is on disk


def test_a_job_begins_after_the_stopped_one_has_ended(toy_encoder, toy_dataset, tmp_path):
    gate, reached, encode, batches = threading.Event(), threading.Event(), toy_encoder.encode_images, []

    def slow(inputs):
        batches.append(len(inputs))
        reached.set()
        gate.wait(10)
        return encode(inputs)

    toy_encoder.encode_images = slow
    backend = make(toy_encoder, toy_dataset, tmp_path)
    backend.start_probe_job()
    assert reached.wait(10)
    backend.stop_probe_job()
    backend.start_probe_job()
    backend.stop_probe_job()  # before it began
    assert job(backend).state == "stopped"
    backend.start_probe_job()
    assert (job(backend).state, job(backend).step) == ("waiting", 0) and len(batches) == 1
    gate.set()
    wait_for(lambda: not job(backend).running)
    assert job(backend).state == "done" and backend.few_shot_curve().complete


def test_stored_images_do_not_count_for_the_speed_of_encoding(toy_encoder, toy_dataset, tmp_path, monkeypatch):
    model = ModelHandle("toy", lambda name, progress: toy_encoder, EncoderQueue())
    stores = Stores.open(tmp_path)
    evaluator = Evaluator(stores.features, stores.heads)
    job = ProbeJob(model, toy_dataset, stores, Downloads(), evaluator, WHOLE)
    wait_for(lambda: job.status.state == "done")
    clock = iter([0.0, 0.25, 1.25, 2.25])
    monkeypatch.setattr("clip_demo.serving.probe_job.time", SimpleNamespace(monotonic=lambda: next(clock)))
    job._done = dict.fromkeys(job._done, 0)
    job._note("test features", 20, 20)  # both splits begin with what is on disk
    job._note("train features", 100, 150)
    assert (job.status.images_per_second, job.status.seconds_left) == (None, None)
    job._note("train features", 108, 150)
    assert (job.status.images_per_second, job.status.seconds_left) == (8.0, 42 / 8)
    job._note("heads", 3, 9)
    assert job.status.images_per_second is None
    job._note("train features", 150, 150)
    assert job.status.images_per_second is None  # a new start


def test_only_one_job_runs_at_a_time(toy_dataset, tmp_path):
    gate = threading.Event()

    def load(name, progress):
        gate.wait(10)
        raise ModelError("model: gone.")

    other = type("Other", (type(toy_dataset),), {"name": "others", "title": "Others-5"})()
    datasets = {"toys": toy_dataset, "others": other}
    backend = Backend(ModelPool(load, ["slow"]), datasets=datasets, stores=Stores.open(tmp_path))
    backend.start_probe_job("toys")
    backend.start_probe_job("toys")
    assert backend.status(dataset="toys").job.state == "waiting" and backend.status(dataset="others").job is None
    with pytest.raises(OptionError) as caught:
        backend.start_probe_job("others")
    assert str(caught.value) == "job: one for slow on Toys-5 is running; wait until it is done, or stop it."
    assert caught.value.page_message == ("slow on Toys-5 is being prepared. Wait until that is done, or stop it.")
    gate.set()
    wait_for(lambda: backend.status(dataset="toys").job.state == "failed")
    assert backend.status(dataset="toys").job.message == "Gone."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("/srv/x"), "The linear probe of toy on Toys-5 could not be fitted. Try again."),
        (OSError(errno.ENOSPC, "/srv/x"), "There is no space left on the disk. Free some space and try again."),
        (OSError(errno.EACCES, "/srv/x"), "This program is not allowed to use a folder that it needs. Ask the person "
         "who runs it."),
        (ArtifactError("features: /srv/x", page="A file is damaged."), "A file is damaged."),
    ],
)  # fmt: skip
def test_a_failure_is_one_plain_sentence_and_its_details_are_logged(backend, monkeypatch, caplog, error, message):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(ProbeJob, "_fit", fail)
    run(backend)
    assert (job(backend).state, job(backend).message) == ("failed", message)
    (record,) = caplog.records
    assert record.message == f"The linear probe of toy on Toys-5 failed: {error}"


def test_a_better_head_is_never_replaced(toy_encoder, toy_dataset, tmp_path, backend):
    run(backend)
    full, heads = backend.head(), Stores.open(tmp_path / "assets", tmp_path).heads
    early = replace(full, provenance=replace(full.provenance, n_train=100))
    assert heads.improve(early).provenance == full.provenance
    # Nor one that another process has saved meanwhile.
    fresh = HeadStore([tmp_path / "theirs", tmp_path / "ours"])
    fresh.remember(early, full.provenance.model_sha256, "toys")
    path = save_head(full, tmp_path / "theirs")
    middle = replace(full, provenance=replace(full.provenance, n_train=120))
    assert fresh.improve(middle).provenance.n_train == 150
    assert not (tmp_path / "ours").exists() and load_head(path).provenance.n_train == 150


def test_a_full_head_is_not_fitted_again(toy_encoder, toy_dataset, tmp_path, backend):
    run(backend)
    again, before = make(toy_encoder, toy_dataset, tmp_path), toy_encoder.encoded_images
    run(again, plan=Plan(head_only=True))
    assert job(again).state == "done" and toy_encoder.encoded_images == before


def test_a_full_head_without_a_curve_is_enough_only_where_a_head_is_all_that_is_missing(backend, tmp_path):
    backend.fit_probe(folder=tmp_path / "heads")
    run(backend, plan=Plan(head_only=True))
    assert backend.few_shot_curve() is None
    run(backend)
    assert backend.few_shot_curve().complete


def test_a_visitor_comes_before_the_next_batch_of_a_job(toy_encoder, toy_dataset, tmp_path):
    encode, seen, queue = toy_encoder.encode_images, [], EncoderQueue()
    gate, busy = threading.Event(), threading.Event()

    def recorded(inputs):
        seen.append(bool(np.isclose(inputs[0], 0.2, atol=0.01).all()))  # grey: no image of the dataset is
        if len(seen) == 3:
            busy.set()
            gate.wait(30)
        return encode(inputs)

    toy_encoder.encode_images = recorded
    model = ModelHandle("toy", lambda name, progress: toy_encoder, queue)
    stores = Stores.open(tmp_path)
    jobs = ProbeJobs(stores, Downloads(), Evaluator(stores.features, stores.heads))
    jobs.start(model, toy_dataset)
    assert busy.wait(30)
    grey = Image.new("RGB", (8, 8), (51, 51, 51))
    visitor = threading.Thread(target=model.features.encode_image, args=("grey", lambda: grey))
    visitor.start()
    wait_for(lambda: len(queue) == 1)
    gate.set()
    visitor.join(30)
    wait_for(lambda: not jobs.status("toy", "toys").running)
    assert jobs.status("toy", "toys").state == "done"
    assert seen.count(True) == 1 and seen.index(True) == 3  # right after the batch that was running


def test_the_status_is_plain(backend):
    run(backend)
    assert json.dumps(asdict(job(backend)))
