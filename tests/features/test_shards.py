"""Features in shards: encoded once, checked, shared, and kept when a process is killed."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from helpers import unprivileged

from clip_demo.features.extract import encode_directly
from clip_demo.features.shards import Shards


def shards(encoder, dataset, folder, rows=20):
    return Shards(folder, encoder, dataset, "train", encode_directly(encoder), rows)


def test_features_are_stored_by_index_and_encoded_once(toy_encoder, toy_dataset, tmp_path):
    made = shards(toy_encoder, toy_dataset, tmp_path)
    made.encode(30)
    assert (made.done, toy_encoder.encoded_images) == (40, 40)
    made.encode()
    expected = [2 * toy_encoder.preprocess(each) for each in toy_dataset.images(range(50), "train")]
    np.testing.assert_array_equal(made.features, expected)
    again = shards(toy_encoder, toy_dataset, tmp_path)
    again.encode()
    assert toy_encoder.encoded_images == 50
    np.testing.assert_array_equal(again.features, made.features)


def test_progress_counts_images_that_were_encoded_earlier(toy_encoder, toy_dataset, tmp_path):
    shards(toy_encoder, toy_dataset, tmp_path).encode(20)
    reported = []
    shards(toy_encoder, toy_dataset, tmp_path).encode(None, reported.append)
    assert reported == [20, 40, 50]


@pytest.mark.parametrize("damage", ["cut", "flipped bits", "another model", "another order"])
def test_a_damaged_or_foreign_shard_is_computed_again(toy_encoder, toy_dataset, tmp_path, damage):
    shards(toy_encoder, toy_dataset, tmp_path).encode()
    (path,) = tmp_path.rglob("train-0001.npz")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "flipped bits":
        data[200] ^= 255  # among the features, so that the checksum of the zip is wrong
        path.write_bytes(data)
    else:
        with np.load(path) as stored:
            arrays = dict(stored)
        changed = {"another model": {"model_sha256": np.array("ab" * 32)}}
        changed["another order"] = {"indices": arrays["indices"][::-1]}
        np.savez(path, **(arrays | changed[damage]))
    before = toy_encoder.encoded_images
    shards(toy_encoder, toy_dataset, tmp_path).encode()
    assert toy_encoder.encoded_images - before == 20


def test_two_at_the_same_time_share_the_work(toy_encoder, toy_dataset, tmp_path):
    both = [shards(toy_encoder, toy_dataset, tmp_path, rows=5) for _ in range(2)]
    threads = [threading.Thread(target=each.encode) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert toy_encoder.encoded_images == 50
    np.testing.assert_array_equal(both[0].features, both[1].features)


@pytest.mark.parametrize("place", ["a file", "closed"])
def test_a_folder_that_cannot_be_written_costs_no_features(toy_encoder, toy_dataset, tmp_path, caplog, place):
    (tmp_path / "a file").touch()
    (tmp_path / "closed").mkdir(mode=0o500)
    made = shards(toy_encoder, toy_dataset, tmp_path / place)
    unprivileged(made.encode)
    assert (made.done, toy_encoder.encoded_images) == (50, 50)
    assert caplog.text.count("features cannot be stored in ") == 1


SCRIPT = """
import sys
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.features.extract import encode_directly
from clip_demo.features.shards import Shards
from clip_demo.models.load import load_model
encoder = load_model("tiny", device="cpu")
shards = Shards(sys.argv[1], encoder, Shapes100(), "train", encode_directly(encoder), 32)

def report(done):
    print(done, flush=True)
    if done == int(sys.argv[2]):
        sys.stdin.read()  # until the process is killed

shards.encode(128, report)
"""


@pytest.mark.long
def test_after_a_kill_the_features_are_the_same_to_the_last_bit(tmp_path, repository):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def start(folder, stop_at=0):
        command = [sys.executable, "-c", SCRIPT, str(folder), str(stop_at)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=repository, env=environment, **pipes)

    with start(tmp_path / "whole") as process:
        assert process.stdout.read().split() == ["32", "64", "96", "128"]
    with start(tmp_path / "killed", stop_at=96) as process:
        assert [process.stdout.readline() for _ in range(3)][-1] == "96\n"
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == ""
    (folder,) = (tmp_path / "killed").iterdir()
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert set(written) == {"train-0000.npz", "train-0001.npz"}  # the third was encoded and not written
    (folder / ".train-0002.npz.x.clip-demo-part").write_bytes(b"what a killed process leaves behind")
    with start(tmp_path / "killed") as process:
        reported = process.stdout.read().split()
    assert reported == ["64", "96", "128"]
    assert not list(folder.glob(".*part"))
    for name, stamp in written.items():
        assert (folder / name).stat().st_mtime_ns == stamp
    (whole,) = (tmp_path / "whole").iterdir()
    for path in whole.glob("*.npz"):
        with np.load(path) as one, np.load(folder / path.name) as other:
            np.testing.assert_array_equal(one["features"], other["features"])
