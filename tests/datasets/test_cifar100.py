"""CIFAR-100: the real one where it is on disk, and torchvision's own download of a small archive over loopback."""

import hashlib
import http.server
import io
import pickle
import tarfile
import threading

import numpy as np
import pytest
from clip_demo.datasets.catalog import resolve_dataset
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF
from torchvision.datasets import CIFAR100

from clip_demo.backend import Backend
from clip_demo.datasets.cifar100 import Cifar100, data_root
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import DatasetError


def test_the_articles_image_is_a_snake(cifar100):
    assert cifar100.classnames[cifar100.label(3637)] == "snake"
    assert cifar100.image(3637).size == (32, 32)


def test_it_is_torchvisions(cifar100):
    theirs = CIFAR100(cifar100.root, train=False)
    assert tuple(theirs.classes) == CIFAR100_CLASSNAMES
    np.testing.assert_array_equal(cifar100.labels(), theirs.targets)
    np.testing.assert_array_equal(cifar100.pixels(range(10_000)), theirs.data)
    assert len(cifar100.labels("train")) == 50_000 and cifar100.labels("train").dtype == np.int64


def test_names_and_groups_are_those_of_the_files(cifar100):
    folder = cifar100.root / "cifar-100-python"
    meta, test = (pickle.loads((folder / name).read_bytes(), encoding="latin1") for name in ("meta", "test"))
    assert tuple(meta["fine_label_names"]) == CIFAR100_CLASSNAMES
    assert tuple(meta["coarse_label_names"]) == CIFAR100_COARSE_NAMES
    assert set(zip(test["fine_labels"], test["coarse_labels"], strict=True)) == set(enumerate(CIFAR100_COARSE_OF))


def test_the_root_is_the_argument_else_the_environment_else_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_DEMO_DATA", str(tmp_path / "a"))
    assert data_root() == tmp_path / "a" and data_root(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("CLIP_DEMO_DATA")
    assert data_root().name == ".cache"


def test_absent_it_says_where_to_put_it_and_what_works(tmp_path):
    with pytest.raises(DatasetError) as caught:
        Cifar100(tmp_path).image(0)
    for part in ("CIFAR-100 is not on disk", str(tmp_path / "cifar-100-python"), "--data-root", "Shapes-100"):
        assert part in str(caught.value)


def test_a_damaged_file_is_said_before_it_is_unpickled(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, size in Cifar100.file_bytes.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(DatasetError, match="is damaged .* delete the folder"):
        Cifar100(tmp_path).image(0)


def test_the_default_is_cifar_where_it_is_and_shapes_elsewhere(tmp_path, cifar100):
    absent = {"cifar100": Cifar100(tmp_path), "shapes100": Shapes100()}
    assert resolve_dataset(absent, None).name == "shapes100"
    assert resolve_dataset(absent | {"cifar100": cifar100}, None).name == "cifar100"


# --- download -------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive():
    """Make an archive in CIFAR-100's form with 300 random images a split."""
    rng = np.random.default_rng(0)
    files = {
        name: pickle.dumps(
            {
                "data": rng.integers(0, 255, (300, 3072), dtype=np.uint8),
                "fine_labels": [78, 0, 1] * 100,
                "coarse_labels": [15, 4, 1] * 100,
            }
        )
        for name in ("train", "test")
    }
    files["meta"] = pickle.dumps({"fine_label_names": list(CIFAR100_CLASSNAMES), "coarse_label_names": []})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue(), files


@pytest.fixture
def server(archive, monkeypatch):
    """Serve the archive on loopback, in halves, and tell torchvision its address and checksums."""
    data, files = archive
    gate = threading.Event()
    gate.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        body = data

        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            half = len(self.body) // 2
            self.wfile.write(self.body[:half])
            self.wfile.flush()
            gate.wait(10)
            self.wfile.write(self.body[half:])

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()

    def md5(b):
        return hashlib.md5(b).hexdigest()

    monkeypatch.setattr(CIFAR100, "url", f"http://127.0.0.1:{httpd.server_port}/cifar-100-python.tar.gz")
    monkeypatch.setattr(CIFAR100, "tgz_md5", md5(data))
    monkeypatch.setattr(CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", md5(files["test"])]])
    monkeypatch.setattr(CIFAR100, "meta", CIFAR100.meta | {"md5": md5(files["meta"])})
    monkeypatch.setattr(Cifar100, "archive_bytes", len(data))
    monkeypatch.setattr(Cifar100, "file_bytes", {name: len(each) for name, each in files.items()})
    yield Handler, gate, httpd
    httpd.shutdown()
    httpd.server_close()


def wait_until(condition):
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.05)
    raise AssertionError("waited 10 s in vain")


def test_it_is_fetched_in_the_background_and_used_without_a_restart(server, toy_encoder, tmp_path):
    _, gate, _ = server
    gate.clear()
    sets = {"cifar100": Cifar100(tmp_path), "shapes100": Shapes100()}
    backend = Backend(toy_encoder, datasets=sets, head_folders=[])
    assert backend.default_dataset == "shapes100" and backend.status().datasets[0].state == "absent"
    backend.fetch("cifar100")
    wait_until(lambda: (backend.status().datasets[0].progress or 0) > 0.1)
    assert backend.status().datasets[0].state == "fetching" and backend.default_dataset == "shapes100"
    assert backend.predict(index=0).dataset == "shapes100"  # works meanwhile
    backend.fetch("cifar100")  # a second click starts no second download
    gate.set()
    wait_until(lambda: backend.status().datasets[0].state == "ready")
    assert backend.default_dataset == "cifar100"
    assert backend.predict(index=0).truth == "snake"


def test_where_fetching_fails_the_message_says_what_to_do_and_a_second_try_works(server, toy_encoder, tmp_path):
    handler, _, _ = server
    whole, handler.body = handler.body, handler.body[:100_000]
    backend = Backend(toy_encoder, datasets={"cifar100": Cifar100(tmp_path)}, head_folders=[])
    backend.fetch("cifar100")
    wait_until(lambda: backend.status().datasets[0].state == "failed")
    message = backend.status().datasets[0].message
    assert "cannot be downloaded" in message and str(tmp_path) in message and "Shapes-100" in message
    handler.body = whole
    backend.fetch("cifar100")
    wait_until(lambda: backend.status().datasets[0].state == "ready")


def test_a_wrong_archive_is_not_opened(server, tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR100, "tgz_md5", "0" * 32)
    with pytest.raises(DatasetError, match="cannot be downloaded"):
        Cifar100(tmp_path).download()
    assert not (tmp_path / "cifar-100-python").exists()
