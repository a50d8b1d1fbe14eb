"""OpenAI's weights: fetched over loopback from a server that can be made to fail, checked, resumed, opened fast."""

import hashlib
import http.server
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time

import numpy as np
import pytest
import torch

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, VIT_B_32, random_clip, write_archive
from clip_demo.errors import ModelError
from clip_demo.models import download as weights_file
from clip_demo.models.architecture import build_clip, sizes_of
from clip_demo.models.catalog import available_models
from clip_demo.models.download import fetch_weights
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import converted_path, weights_on_disk, weights_path, weights_root

clip = import_clip()
DATA = np.random.default_rng(0).bytes(3_000_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `data` with ranges; `cut_after` ends a connection early, `ranges` off makes it an old server."""

    def __init__(self, data):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.cut_after, self.ranges, self.requests, self.pause = data, None, True, [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, start = self.server, 0
        asked = self.headers.get("Range")
        server.requests.append(asked)
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.data):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                return self.end_headers()
        body = server.data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cut_after is not None:
            body, server.cut_after = body[: server.cut_after], None
        for at in range(0, len(body), 1 << 16):
            self.wfile.write(body[at : at + (1 << 16)])
            time.sleep(server.pause)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    server = Server(DATA)
    publish(server, monkeypatch)
    monkeypatch.setattr(weights_file.time, "sleep", lambda seconds: None)
    yield server
    server.shutdown()
    server.server_close()


def publish(server, monkeypatch, name="ViT-B/32"):
    checksum = hashlib.sha256(server.data).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/clip/models/{checksum}/{name.replace('/', '-')}.pt"
    monkeypatch.setitem(clip.clip._MODELS, name, url)


def test_a_first_download_and_none_after_it(server, tmp_path):
    calls = []
    path = fetch_weights("ViT-B/32", tmp_path, lambda done, total: calls.append((done, total)))
    assert path == tmp_path / "ViT-B-32.pt" and path.read_bytes() == DATA
    assert calls[-1] == (len(DATA), len(DATA)) and [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert fetch_weights("ViT-B/32", tmp_path) == path and len(server.requests) == 1
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.endswith(".lock")) == ["ViT-B-32.pt"]


def test_openai_clip_finds_what_we_fetched(server, tmp_path):
    path = fetch_weights("ViT-B/32", tmp_path)
    assert clip.clip._download(clip.clip._MODELS["ViT-B/32"], str(tmp_path)) == str(path)
    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_within_the_call(server, tmp_path):
    server.cut_after = 1_000_000
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests[0] is None and server.requests[1].startswith("bytes=")


def test_a_download_that_was_left_is_resumed_by_the_next_call(server, tmp_path):
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(DATA[:2_000_000])
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests == ["bytes=2000000-"]


def test_a_partial_file_that_is_whole_needs_only_its_checksum(server, tmp_path):
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(DATA)
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "ViT-B-32.pt.partial").write_bytes(b"x" * 1000)
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_wrong_checksum_is_said_and_nothing_stays(server, tmp_path):
    server.data = DATA[:-1] + b"!"
    with pytest.raises(
        ModelError, match=r"'ViT-B/32' cannot be downloaded \(its SHA-256 is .* should be .* thrown away"
    ):
        fetch_weights("ViT-B/32", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["ViT-B-32.pt.lock"]
    server.data = DATA
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_truncated_file_on_disk_is_fetched_again(server, tmp_path):
    (tmp_path / "ViT-B-32.pt").write_bytes(DATA[:1000])
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA


def test_a_server_that_is_gone_says_where_to_put_the_file(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError) as caught:
        fetch_weights("ViT-B/32", tmp_path)
    for part in ("cannot be downloaded", str(tmp_path / "ViT-B-32.pt"), "http://127.0.0.1", "'tiny'"):
        assert part in str(caught.value)


def test_a_missing_file_on_the_server_is_said(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.send_error(404))
    with pytest.raises(ModelError, match="404"):
        fetch_weights("ViT-B/32", tmp_path)


def test_room_is_asked_for_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(weights_file.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1_000_000))
    with pytest.raises(ModelError, match=r"3 MB are needed in .* and 1 MB are free"):
        fetch_weights("ViT-B/32", tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a real disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said(server, small_disk, monkeypatch):
    with pytest.raises(ModelError, match="3 MB are needed in .* and 2 MB are free"):
        fetch_weights("ViT-B/32", small_disk)
    # Somebody else fills it between the look and the writing.
    monkeypatch.setattr(weights_file, "_check_room", lambda folder, needed: None)
    with pytest.raises(ModelError, match="no space left on the disk"):
        fetch_weights("ViT-B/32", small_disk)
    assert not (small_disk / "ViT-B-32.pt").exists()


def _fetch_in_a_process(url, root):
    clip.clip._MODELS["ViT-B/32"] = url
    fetch_weights("ViT-B/32", root)


def start_process(tmp_path):
    arguments = (clip.clip._MODELS["ViT-B/32"], tmp_path)
    process = multiprocessing.get_context("fork").Process(target=_fetch_in_a_process, args=arguments)
    process.start()
    return process


def test_two_processes_download_once(server, tmp_path):
    server.pause = 0.005
    processes = [start_process(tmp_path) for _ in range(2)]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "ViT-B-32.pt").read_bytes() == DATA and server.requests == [None]


def test_a_killed_process_leaves_its_part_to_the_next(server, tmp_path):
    server.pause = 0.02
    process = start_process(tmp_path)
    partial = tmp_path / "ViT-B-32.pt.partial"
    deadline = time.monotonic() + 20
    while not (partial.exists() and partial.stat().st_size):
        assert time.monotonic() < deadline
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    server.pause = 0
    assert fetch_weights("ViT-B/32", tmp_path).read_bytes() == DATA
    assert server.requests[1].startswith("bytes=")


def test_a_whole_file_in_a_read_only_folder_is_used(server, tmp_path, monkeypatch):
    path = fetch_weights("ViT-B/32", tmp_path)

    def refuse(*arguments, **options):
        raise PermissionError("read-only")

    monkeypatch.setattr(weights_file, "FileLock", refuse)
    assert fetch_weights("ViT-B/32", tmp_path) == path


def test_the_copy_alone_counts_as_on_disk(tmp_path):
    assert not weights_on_disk("ViT-B/32", tmp_path)
    converted_path(weights_path("ViT-B/32", tmp_path)).touch()
    assert weights_on_disk("ViT-B/32", tmp_path)


def test_the_root_is_the_argument_else_the_environment_else_openai_clips(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_DEMO_WEIGHTS", str(tmp_path / "a"))
    assert weights_root() == tmp_path / "a" and weights_root(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("CLIP_DEMO_WEIGHTS")
    assert weights_root().parts[-2:] == (".cache", "clip")
    for name, url in clip.clip._MODELS.items():
        assert weights_path(name, tmp_path) == tmp_path / url.rsplit("/", 1)[1]


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[VIT_B_32, SMALL_RESNET], ids=["ViT-B/32 in full size", "small ResNet"])
def archive(request, tmp_path_factory):
    return write_archive(random_clip(request.param), tmp_path_factory.mktemp("archive") / "archive.pt")


def test_from_nothing_to_a_model_and_every_later_start_from_the_copy(archive, tmp_path, monkeypatch):
    server = Server(archive.read_bytes())
    try:
        publish(server, monkeypatch)
        first = load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        assert converted_path(tmp_path / "ViT-B-32.pt").exists()
        second = load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        assert len(server.requests) == 1
        theirs, preprocess = clip.load(str(archive), device="cpu")
        image = torch.rand(2, 3, *[theirs.visual.input_resolution] * 2)
        with torch.no_grad():
            dataset, texts = (
                theirs.encode_image(image),
                theirs.encode_text(clip.tokenize(["a cat", "a photo of a dog"])),
            )
            for ours in (first, second):
                torch.testing.assert_close(ours.model.encode_image(image), dataset, atol=1e-5, rtol=0)
                np.testing.assert_allclose(ours.encode_texts(["a cat", "a photo of a dog"]), texts, atol=1e-5)
                # build_clip makes the mask itself, so openai-clip's own function has to work too.
                torch.testing.assert_close(
                    ours.model.encode_text(clip.tokenize(["a cat", "a photo of a dog"])), texts, atol=1e-5, rtol=0
                )
        assert first.sha256 == second.sha256 == hashlib.sha256(server.data).hexdigest()
        assert first.note == "OpenAI's CLIP ViT-B/32"
    finally:
        server.shutdown()
        server.server_close()


def test_a_copy_that_is_damaged_or_another_archives_is_made_again(tmp_path, monkeypatch):
    server = Server(write_archive(random_clip(SMALL_VIT), tmp_path / "served.pt").read_bytes())
    try:
        publish(server, monkeypatch)
        load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        copy = converted_path(tmp_path / "ViT-B-32.pt")
        whole = copy.read_bytes()
        for damage in (b"", whole[:1000], whole[: len(whole) // 2]):
            copy.write_bytes(damage)
            load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
            assert copy.read_bytes() == whole
    finally:
        server.shutdown()
        server.server_close()


SIZES = {  # Radford et al. 2021, tables 19 and 20
    "RN50": (1024, 224, (3, 4, 6, 3), 64, None, 512, 8, 12),
    "RN101": (512, 224, (3, 4, 23, 3), 64, None, 512, 8, 12),
    "RN50x4": (640, 288, (4, 6, 10, 6), 80, None, 640, 10, 12),
    "RN50x16": (768, 384, (6, 8, 18, 8), 96, None, 768, 12, 12),
    "RN50x64": (1024, 448, (3, 15, 36, 10), 128, None, 1024, 16, 12),
    "ViT-B/32": (512, 224, 12, 768, 32, 512, 8, 12),
    "ViT-B/16": (512, 224, 12, 768, 16, 512, 8, 12),
    "ViT-L/14": (768, 224, 24, 1024, 14, 768, 12, 12),
    "ViT-L/14@336px": (768, 336, 24, 1024, 14, 768, 12, 12),
}


@pytest.mark.parametrize("name", available_models()[1:])
def test_every_architecture_is_read_off_its_shapes(name):
    embed, resolution, layers, width, patch, text_width, heads, text_layers = SIZES[name]
    with torch.device("meta"):
        network = clip.model.CLIP(embed, resolution, layers, width, patch, 77, 49408, text_width, heads, text_layers)
    sizes = sizes_of(network.state_dict())
    assert tuple(sizes[key] for key in ("embed_dim", "image_resolution", "vision_layers", "vision_width")) == (
        embed, resolution, layers, width,
    )  # fmt: skip
    assert (sizes["vision_patch_size"], sizes["transformer_heads"], sizes["transformer_layers"]) == (
        patch,
        heads,
        text_layers,
    )
    built = build_clip(network.state_dict())
    assert {k: v.shape for k, v in built.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
