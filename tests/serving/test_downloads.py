"""Downloads of datasets in the background."""

import errno
import threading

import pytest
from helpers import wait_for

from clip_demo.backend import Backend
from clip_demo.errors import DatasetError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture
def late(toy_dataset):
    """A dataset that must be downloaded first; the test decides when and how the download ends."""

    class LateDataset(type(toy_dataset)):
        name, title, download_bytes = "late", "Late-5", 1_000_000
        there, error, go, downloads = False, None, threading.Event(), 0

        def available(self):
            return self.there

        def download(self, progress=None):
            self.downloads += 1
            progress(self.title, 40, 100)
            assert self.go.wait(10)
            self.go.clear()
            if self.error:
                raise self.error
            self.there = True

    return LateDataset()


@pytest.fixture
def backend(toy_encoder, toy_dataset, late, tmp_path):
    datasets = {"late": late, "toys": toy_dataset}
    return Backend(ModelPool.of(toy_encoder), datasets=datasets, stores=Stores.open(tmp_path))


def state(backend):
    return backend.status(dataset="late").dataset


def test_a_dataset_is_downloaded_once_and_used_without_a_restart(backend, late):
    assert (state(backend).state, backend.default_dataset) == ("absent", "toys")
    backend.download_dataset("late")
    wait_for(lambda: state(backend).progress == 0.4)
    assert state(backend).state == "downloading" and backend.default_dataset == "toys"
    assert backend.predict(index=0).dataset == "toys"  # works meanwhile
    backend.download_dataset("late")  # a second click
    late.go.set()
    wait_for(lambda: state(backend).state == "ready")
    assert late.downloads == 1 and backend.default_dataset == "late"
    assert backend.predict(index=0).dataset == "late"
    backend.download_dataset("late")
    assert late.downloads == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (DatasetError("dataset: no network at /srv.", page="Check the network."), "Check the network."),
        (OSError("/srv"), "Late-5 could not be downloaded. Try again."),
        (OSError(errno.ENOSPC, "/srv"), "There is no space left on the disk. Free some space and try again."),
    ],
)
def test_a_failure_is_reported_and_a_second_attempt_works(backend, late, error, message, caplog):
    late.error = error
    backend.download_dataset("late")
    late.go.set()
    wait_for(lambda: state(backend).state == "failed")
    assert state(backend).message == message
    assert [record.message for record in caplog.records] == [f"The download of Late-5 failed: {error}"]
    late.error = None
    backend.download_dataset("late")
    late.go.set()
    wait_for(lambda: state(backend).state == "ready")
    assert state(backend).message == ""
