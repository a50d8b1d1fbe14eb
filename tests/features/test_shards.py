"""Features in shards: encoded once, checked, shared, and kept when a process is killed."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import ToyDataset
from helpers import unprivileged

from clip_demo.features.extract import encode_directly, in_small_batches
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


class WantsAll:
    """An `Extract` that is called for all images, and yields a few features at a time; `calls` has their numbers."""

    wants_all = True

    def __init__(self, encoder, batch=7, damaged=(), stops_after=None):
        self._extract, self._batch = in_small_batches(encoder.preprocess, encoder.encode_images), batch
        self._damaged, self._stops_after, self.calls, self.closed = damaged, stops_after, [], 0

    def __call__(self, dataset, split, ids):
        self.calls.append(len(ids))
        try:
            for start in range(0, len(ids), self._batch):
                if self._stops_after is not None and start >= self._stops_after:
                    raise KeyboardInterrupt
                (rows,) = self._extract(dataset, split, part := ids[start : start + self._batch])
                rows[np.isin(part, self._damaged)] = np.nan
                yield rows
        finally:
            self.closed += 1


class LosingDataset(ToyDataset):
    """Images can be left out."""

    def __init__(self):
        self._left = np.arange(self.sizes["train"])

    def ids(self, split="test"):
        return self._left if split == "train" else super().ids(split)

    def labels(self, split="test"):
        return self.ids(split) % 5

    def leave_out(self, ids, split="test"):
        self._left = self._left[~np.isin(self._left, ids)]


def files(folder):
    """Return the content of the shards."""
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.npz"))}


def test_who_wants_all_images_is_called_once_and_makes_the_same_shards(toy_encoder, toy_dataset, tmp_path):
    one_by_one, all_at_once = (tmp_path / name for name in ("a", "b"))
    shards(toy_encoder, toy_dataset, one_by_one).encode()
    extract, reported = WantsAll(toy_encoder), []
    made = Shards(all_at_once, toy_encoder, toy_dataset, "train", extract, 20)
    made.encode(None, reported.append)
    assert (extract.calls, extract.closed) == ([50], 1)
    assert reported == [7, 14, 21, 28, 35, 42, 49, 50]
    assert files(one_by_one) == files(all_at_once) and len(files(one_by_one)) == 3
    np.testing.assert_array_equal(
        made.features, [2 * toy_encoder.preprocess(each) for each in toy_dataset.images(range(50), "train")]
    )


def test_it_is_called_for_whole_shards_of_what_is_wanted(toy_encoder, toy_dataset, tmp_path):
    extract = WantsAll(toy_encoder)
    made = Shards(tmp_path, toy_encoder, toy_dataset, "train", extract, 20)
    made.encode(21)
    assert (made.done, extract.calls) == (40, [40])
    made.encode(22)
    assert extract.calls == [40]
    made.encode()
    assert extract.calls == [40, 10]


def test_what_was_written_before_an_interruption_is_kept(toy_encoder, toy_dataset, tmp_path):
    extract = WantsAll(toy_encoder, stops_after=28)
    with pytest.raises(KeyboardInterrupt):
        Shards(tmp_path, toy_encoder, toy_dataset, "train", extract, 10).encode()
    assert list(files(tmp_path)) == ["train-0000.npz", "train-0001.npz"] and extract.closed == 1
    extract = WantsAll(toy_encoder)
    Shards(tmp_path, toy_encoder, toy_dataset, "train", extract, 10).encode()
    assert extract.calls == [30]


@pytest.mark.parametrize("damaged", [[0], [3, 17, 18, 44], list(range(0, 50, 5)), list(range(40))])
def test_damaged_images_do_not_start_it_again(toy_encoder, tmp_path, damaged):
    one_by_one, all_at_once = LosingDataset(), LosingDataset()
    for dataset, folder, wants_all in ((one_by_one, "a", False), (all_at_once, "b", True)):
        extract = WantsAll(toy_encoder, damaged=damaged)
        extract.wants_all = wants_all
        made = Shards(tmp_path / folder, toy_encoder, dataset, "train", extract, 10)
        made.encode()
        assert made.done == 50 - len(damaged)
    assert extract.calls == [50]
    np.testing.assert_array_equal(one_by_one.ids("train"), all_at_once.ids("train"))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_what_another_process_has_written_meanwhile_is_used(toy_encoder, toy_dataset, tmp_path):
    extract = WantsAll(toy_encoder, batch=10)
    made = Shards(tmp_path, toy_encoder, toy_dataset, "train", extract, 10)
    others = shards(toy_encoder, toy_dataset, tmp_path / "others", 10)
    others.encode()

    def bring(done):
        if done == 10:  # the second shard, written by somebody who does not wait
            (source,) = (tmp_path / "others").rglob("train-0001.npz")
            folder = next(path for path in tmp_path.iterdir() if path.name != "others")
            (folder / "train-0001.npz").write_bytes(source.read_bytes())

    made.encode(None, bring)
    assert extract.calls == [50, 30]
    np.testing.assert_array_equal(made.features, others.features)
