"""What is made ready without a click, from an empty home to a head on all images, from servers that may fail."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mission
import numpy as np
import pytest
from helpers import Server, wait_for

from clip_demo import download
from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip, write_archive
from clip_demo.features.balanced_order import balanced_order
from clip_demo.linear_probe.estimate import FitSpeed
from clip_demo.linear_probe.few_shot_curve import CurveStore
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.preparation import News, summary
from clip_demo.serving.probe_job import WHOLE, Plan, ProbeJobStatus
from clip_demo.ui.permalink import start

ALL = Plan(head_only=True)
pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # see mission.apply


def ended(backend, seconds=300):
    wait_for(lambda: not backend.preparation.status.running, seconds)
    return backend.preparation.status


# --- on the small encoder ------------------------------------------------------------------------------------------


@pytest.fixture
def toys(toy_encoder, toy_dataset, tmp_path):
    """Enough images for an early curve that is tested on a part: 20 of each class, and 1,000 of 1,100."""
    toy_dataset.sizes = {"train": 150, "test": 1_100}

    def make():
        stores = Stores.open(tmp_path)
        return Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=stores)

    return make


def test_it_pauses_after_the_early_head_and_curve_where_the_rest_takes_long_and_goes_on_when_asked(toys, toy_dataset):
    backend = toys()
    assert backend.preparation.status is backend.status().preparation is None
    backend.preparation.start(Plan(head_only=True, patience=0.0))
    paused, curve = ended(backend), backend.few_shot_curve()
    assert (paused.state, paused.step, backend.status().preparation) == ("paused", 4, paused)
    assert paused.seconds_left > 0 and paused.message.startswith(
        "A first linear probe of toy on Toys-5 is ready. Training it on all 150 images would take "
    )
    assert backend.head().provenance.n_train == 100 and backend.head().provenance.n_test == 1_000
    assert [(each.per_class, len(each.draws)) for each in curve.points] == [
        *((1, 3), (2, 3), (4, 3), (8, 2), (16, 1), (20, 1)),
    ]
    assert (curve.n_test, curve.complete) == (1_000, False)
    backend.preparation.finish()
    assert ended(backend).state == "done"
    curve = backend.few_shot_curve()
    assert (curve.n_test, curve.complete, curve.points[-1].n_train) == (None, True, 150)
    assert backend.has_test_features() and backend.head().provenance.n_train == 150


def test_it_goes_on_by_itself_where_the_rest_is_short(toys):
    backend = toys()
    backend.preparation.start(Plan(head_only=True, patience=3600.0))
    assert ended(backend).state == "done" and backend.head().provenance.n_train == 150


def test_the_early_curve_is_tested_on_the_test_images_of_the_early_head(toys, toy_encoder, toy_dataset, tmp_path):
    backend = toys()
    backend.preparation.start(Plan(head_only=True, patience=0.0))
    ended(backend)
    curve = backend.few_shot_curve()
    rows = np.sort(balanced_order(toy_dataset.labels())[:1_000])
    report = backend.evaluate()
    assert curve.zero_shot == report.predictions.correct[rows].mean()
    fitter = ProbeFitter(toy_encoder, toy_dataset, tmp_path / "other")
    fitter.encode("train")
    fitter.encode("test")
    for point in curve.points:
        draws = [fitter.fit(i * point.n_train, (i + 1) * point.n_train, 1_000) for i in range(len(point.draws))]
        assert point.draws == tuple(head.provenance.test_accuracy for head in draws)


def test_a_second_start_makes_no_early_head_and_curve_again(toys, monkeypatch):
    plan, fits, fit = Plan(head_only=True, patience=0.0), [], ProbeFitter.fit
    backend = toys()
    backend.preparation.start(plan)
    ended(backend)
    monkeypatch.setattr(ProbeFitter, "fit", lambda self, *args: fits.append(args) or fit(self, *args))
    again = toys()
    again.preparation.start(plan)
    assert ended(again).state == "paused" and again.few_shot_curve() == backend.few_shot_curve()
    assert fits == [(0, 100, 1_000)]  # the one that is measured


def test_a_killed_early_curve_is_continued(toys, tmp_path):
    backend = toys()
    backend.preparation.start(Plan(head_only=True, patience=0.0))
    ended(backend)
    whole, stores = backend.few_shot_curve(), CurveStore([tmp_path / "curves"])
    (file,) = (tmp_path / "curves").iterdir()
    part = json.loads(file.read_text())
    part["points"] = part["points"][:2]
    file.write_text(json.dumps(part))
    assert len(stores.get(whole.model_sha256, "toys").points) == 2
    again = toys()
    again.preparation.start(Plan(head_only=True, patience=0.0))
    ended(again)
    assert {each.per_class: each.draws for each in again.few_shot_curve().points} == {
        each.per_class: each.draws for each in whole.points if each.per_class != 20
    }


def test_a_probe_that_is_asked_for_while_model_and_dataset_are_downloaded_is_fitted(toy_encoder, toy_dataset, tmp_path):
    gate = threading.Event()
    pool = ModelPool(lambda name, progress: gate.wait(10) and toy_encoder, ["toy"])
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    backend.preparation.start(Plan(fit=False, head_only=True, patience=0.0))
    assert (backend.preparation.status.steps, backend.preparation.is_running("toy", "toys")) == (1, False)
    backend.start_probe_job("toys", "toy")
    assert (backend.preparation.status.steps, backend.preparation.is_running("toy", "toys")) == (4, True)
    gate.set()
    assert ended(backend).state == "done" and backend.few_shot_curve().complete


def test_two_plans_together_go_as_far_as_both():
    downloads = Plan(fit=False, patience=0.0)
    for plan in (ALL, WHOLE, Plan(head_only=True, patience=0.0)):
        assert downloads | plan == plan | downloads == plan and plan | WHOLE == WHOLE
    assert ALL | Plan(patience=0.0) == WHOLE


def test_the_curve_of_another_process_is_not_replaced_by_a_shorter_one(toys, tmp_path):
    backend = toys()
    backend.preparation.start(ALL)
    ended(backend)
    whole = backend.few_shot_curve()
    ours = CurveStore([tmp_path / "curves"])
    shorter = CurveStore([tmp_path / "other"])
    part = type(whole)(**{**vars(whole), "points": whole.points[:3], "complete": False})
    shorter.put(part)
    ours.improve(part)
    assert ours.get(whole.model_sha256, "toys") == CurveStore([tmp_path / "curves"]).get(whole.model_sha256, "toys")
    assert ours.get(whole.model_sha256, "toys").complete


def test_a_folder_that_cannot_be_written_is_one_sentence(toys, toy_encoder, tmp_path):
    (tmp_path / "heads").write_text("not a folder")
    backend = toys()
    backend.preparation.start(ALL)
    assert (ended(backend).state, backend.preparation.status.message) == (
        "failed",
        "No linear probe can be stored on this computer. Ask the person who runs this program to make room, or to "
        "choose another folder.",
    )
    assert toy_encoder.encoded_images == 0


def test_more_images_take_longer_by_more_iterations_up_to_those_that_are_allowed():
    speed = FitSpeed(n_train=2_000, n_iter=100, elapsed=4.0)
    assert speed.seconds(2_000) == 4.0 and speed.seconds(1_000) == pytest.approx(4.0 / 2**1.75)
    assert speed.seconds(200_000) == 4.0 * 100 * 10  # a hundred times the images, 1,000 iterations


# --- in words ------------------------------------------------------------------------------------------------------


def status(state="encoding", step=2, share=0.41, left=360.0, **more):
    return ProbeJobStatus(state, "It says why.", 0, 0, None, left, "ViT-B/32 on CIFAR-100", step, share=share, **more)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (status(), "step 2 of 4, a first linear probe (encoding images, 41\N{NO-BREAK SPACE}%, about 6 min left)."),
        (status("fitting", 2, None, None), "step 2 of 4, a first linear probe (fitting)."),
        (status("fitting", 3, 0.5, None), "step 3 of 4, its few-shot curve (fitting, 50\N{NO-BREAK SPACE}%)."),
        (status("waiting", 1, 0.0, None), "step 1 of 4, downloading, 0\N{NO-BREAK SPACE}%."),
        (status("waiting", 1, None, None), "step 1 of 4, loading."),
        (status("waiting", 1, 0.5, 20.0, steps=1),
         "step 1 of 1, downloading, 50\N{NO-BREAK SPACE}%, less than a minute left."),
        (status("waiting", 0, None, None), "starting."),
    ],
)  # fmt: skip
def test_one_line_says_step_share_and_time(job, words):
    assert summary(job) == f"Getting ready for ViT-B/32 on CIFAR-100: {words}"


def test_the_terminal_gets_a_line_for_each_step_and_now_and_then():
    lines = []
    news = News(lines.append)
    news.tell(None, 0.0)
    for second in range(400):
        news.tell(status(share=second / 400), float(second))
    news.tell(status("fitting", 3, 0.0, None), 401.0)
    for state in ("paused", "paused", "failed"):
        news.tell(status(state, 4, None, None), 402.0)
    assert [line.partition(": ")[2] or line for line in lines] == [
        "step 2 of 4, a first linear probe (encoding images, 0 %, about 6 min left). Stop it on the page; --offline "
        "and --no-build switch it off.",
        "step 2 of 4, a first linear probe (encoding images, 75 %, about 6 min left).",
        "step 3 of 4, its few-shot curve (fitting, 0 %).",
        "* It says why. Start it on the page, or with `python -m clip_demo prepare` before you upload a Space.",
        "* It says why. The page works with what is there; try again on the page.",
    ]


# --- from an empty home, with servers on loopback -------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory):
    """A small network in the place of ViT-B/32, in the form of OpenAI's archives."""
    return write_archive(random_clip(SMALL_VIT), tmp_path_factory.mktemp("small") / "ViT-B-32.pt")


@pytest.fixture(scope="module")
def images(cifar100):
    return mission.small_cifar100(cifar100)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Empty folders for weights, images and all that is made of them."""
    folders = {"CLIP_DEMO_WEIGHTS": "weights", "CLIP_DEMO_DATA": "data", "CLIP_DEMO_CACHE": "cache"}
    for name, folder in folders.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name in ("CLIP_DEMO_OFFLINE", "CLIP_DEMO_NO_BUILD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def servers(home, small_archive, images):
    with Server(small_archive.read_bytes()) as weights, Server(images[0]) as archive:
        yield weights, archive


@pytest.fixture
def mended(servers, images, monkeypatch):
    """Let this process use the servers, without waiting between attempts."""
    mission.apply(mission.settings_of(*servers, images[1]), monkeypatch.setattr)
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    return servers


def check_all_is_there(backend):
    head, curve = backend.head("cifar100", "ViT-B/32"), backend.few_shot_curve("cifar100", "ViT-B/32")
    assert (head.provenance.n_train, head.provenance.n_test, head.provenance.C) == (300, 40, 0.316)
    assert curve.complete and curve.n_test is None and backend.has_test_features("cifar100", "ViT-B/32")
    first = start(backend)  # what a new visitor sees
    assert (first.source, first.dataset, first.model) == ("set", "cifar100", "ViT-B/32")


def test_from_an_empty_home_to_a_head_on_all_images(home, vit_b_32_archive, images, monkeypatch):
    with Server(vit_b_32_archive.read_bytes()) as weights, Server(images[0]) as archive:
        mission.apply(mission.settings_of(weights, archive, images[1]), monkeypatch.setattr)
        backend, seen = Backend.open("auto"), []
        assert start(backend).model == backend.default_model == "tiny"
        backend.preparation.start(ALL)
        while (job := backend.preparation.status).running:
            seen.append(job.step)
            time.sleep(0.01)
        assert job.state == "done", job.message
        assert seen == sorted(seen) and {1, 2, 3, 4} == set(seen) - {0}
        check_all_is_there(backend)
        assert len(weights.requests) == len(archive.requests) == 1


@pytest.mark.parametrize("which", [0, 1], ids=["weights", "images"])
@pytest.mark.parametrize("fault", ["gone", "lying", "cut"])
def test_a_server_that_fails_is_one_sentence_and_a_second_attempt_goes_on(mended, which, fault, caplog):
    server, whole = mended[which], mended[which].data
    if fault == "gone":
        server.error = 503
    elif fault == "lying":
        server.data = whole[:-1] + bytes([whole[-1] ^ 1])
    else:
        server.cut_after = len(whole) // 2
    backend = Backend.open("auto")
    backend.preparation.start(ALL)
    failed, title = ended(backend), ("ViT-B/32", "CIFAR-100")[which]
    assert failed.state == "failed" and failed.message.startswith(
        f"{title} could not be downloaded. Check the network and try again"
    )
    assert len(server.requests) <= 2 and backend.default_model == ("tiny", "ViT-B/32")[which]
    assert not [record for record in caplog.records if "The linear probe" in record.message]  # said once
    server.error, server.data = None, whole
    backend.preparation.start()
    assert ended(backend).state == "done"
    if fault == "cut":
        assert server.requests[-1].startswith("bytes=")
    check_all_is_there(backend)


@pytest.mark.parametrize("which", [0, 1], ids=["weights", "images"])
def test_a_stop_stops_downloads_and_what_was_received_is_kept(mended, which):
    server = mended[which]
    server.gate.clear()
    backend = Backend.open("auto")
    backend.preparation.start(ALL)
    folders, names = ("CLIP_DEMO_WEIGHTS", "CLIP_DEMO_DATA"), ("ViT-B-32.pt", "cifar-100-python.tar.gz")
    part = Path(os.environ[folders[which]]) / f"{names[which]}.partial"
    wait_for(lambda: part.exists() and part.stat().st_size == 65_536)  # all that comes before the gate
    wait_for(lambda: backend.preparation.status.share is not None)
    backend.stop_probe_job()
    stopped = ended(backend)
    assert (stopped.state, stopped.message) == ("stopped", "ViT-B/32 on CIFAR-100: stopped; what was done is kept.")
    status = backend.status()
    state = next(each for each in (*status.models, *status.datasets) if each.name == ("ViT-B/32", "cifar100")[which])
    received = part.stat().st_size
    time.sleep(0.3)
    assert part.stat().st_size == received and state.state == "absent"
    server.gate.set()
    backend.preparation.start()
    assert ended(backend).state == "done"
    resumed = int(server.requests[1].removeprefix("bytes=").removesuffix("-"))  # after what was on its way
    assert received <= resumed < len(server.data) and len(server.requests) == 2
    check_all_is_there(backend)


def test_both_are_downloaded_at_the_same_time_with_one_share_and_one_time(mended):
    for server in mended:
        server.gate.clear()
    backend = Backend.open("auto")
    backend.preparation.start(ALL)
    wait_for(lambda: all(server.requests for server in mended))
    wait_for(lambda: backend.preparation.status.share)
    job = backend.preparation.status
    assert (job.state, job.step) == ("waiting", 1) and 0 < job.share < 1
    assert (start(backend).model, start(backend).source) == ("tiny", "example")
    mended[0].gate.set()
    wait_for(lambda: backend.default_model == "ViT-B/32")
    # Until CIFAR-100 is there, a new visitor sees an example photo, and not an image of Shapes-100.
    assert (start(backend).model, start(backend).source) == ("ViT-B/32", "example")
    mended[1].gate.set()
    assert ended(backend).state == "done"


def test_without_builds_all_is_downloaded_and_nothing_is_fitted(mended):
    backend = Backend.open("auto")
    backend.preparation.start(Plan(fit=False))
    assert ended(backend).message == "ViT-B/32 on CIFAR-100: both are on this machine."
    assert backend.head("cifar100", "ViT-B/32") is None
    assert start(backend).dataset == "cifar100" and start(backend).model == "ViT-B/32"


def test_offline_nothing_is_tried(mended, monkeypatch):
    monkeypatch.setenv("CLIP_DEMO_OFFLINE", "1")
    backend = Backend.open("auto")
    assert backend.preferred_model == "tiny" and backend.encoder().name == "tiny"
    backend.download_dataset("cifar100")
    backend.load_model("ViT-B/32")
    wait_for(lambda: backend.status().datasets[0].state == backend.model_status("ViT-B/32").state == "failed")
    assert backend.model_status("ViT-B/32").message == (
        "ViT-B/32 is not on this machine, and downloads are switched off."
    )
    assert backend.status().datasets[0].message == (
        "CIFAR-100 is not on this machine, and downloads are switched off, or choose Shapes-100."
    )
    assert mended[0].paths == mended[1].paths == []


# --- processes that are killed, and two at once ----------------------------------------------------------------------


@pytest.fixture
def process(servers, images, home):
    """Start `tests/mission.py`; what runs at the end is killed."""
    settings = home / "settings.json"
    settings.write_text(json.dumps(mission.settings_of(*servers, images[1])))
    started = []

    def begin(patience="inf"):
        command = [sys.executable, mission.__file__, str(settings), str(patience)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield begin
    for each in started:
        each.kill()
        each.wait()


def read_until(process, line):
    for each in process.stdout:
        if each.startswith(line):
            return
    raise AssertionError(f"it ended before it said {line!r}")


def check_ends_well(process):
    out, _ = process.communicate(timeout=300)
    assert "done The head of ViT-B/32 on CIFAR-100 is ready" in out and out.endswith('{"head": 300}\n'), out


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_process_is_continued(process):
    first = process()
    read_until(first, "4 encoding")
    kill(first)
    check_ends_well(process())


@pytest.mark.long
@pytest.mark.parametrize("which", [0, 1], ids=["weights", "images"])
def test_a_process_that_is_killed_while_it_downloads_is_continued(process, servers, which):
    servers[which].gate.clear()
    first = process()
    wait_for(lambda: servers[which].requests, 120)
    time.sleep(0.5)
    kill(first)
    servers[which].gate.set()
    check_ends_well(process())


@pytest.mark.long
@pytest.mark.parametrize("stage", ["1 waiting", "2 encoding", "2 fitting", "3 fitting", "4 encoding", "4 fitting"])
def test_a_process_that_is_killed_at_any_stage_is_continued(process, stage):
    first = process()
    read_until(first, stage)
    kill(first)
    second = process()
    if stage == "4 fitting":
        read_until(second, "4")
        kill(second)
        second = process()
    check_ends_well(second)


def test_two_processes_at_once_do_not_harm_each_other(process, servers):
    both = process(), process()
    for each in both:
        check_ends_well(each)
    assert len(servers[0].requests) == len(servers[1].requests) == 1  # one downloads, and the other waits
