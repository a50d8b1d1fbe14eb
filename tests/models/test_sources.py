"""The table of sources, against openai-clip's own, and what the page says where none works."""

import errno
import hashlib
import re
import socket

import numpy as np
import pytest
from safetensors.torch import save_file

from clip_demo.benchmark.random_checkpoints import VIT_B_32, random_clip
from clip_demo.download import DownloadError, find
from clip_demo.errors import ModelError
from clip_demo.models import sources
from clip_demo.models.catalog import is_downloaded
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.sources import ARCHIVES, TIMM, fetch_weights, weights_files


def test_the_first_source_is_openai_clips_address_with_its_checksum():
    addresses = import_clip().clip._MODELS
    assert list(ARCHIVES) == list(addresses)
    for name, url in addresses.items():
        archive = weights_files(name)[0]
        assert archive.sources[0] == url and archive.sha256 == url.split("/")[-2]


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (None, "ViT-B/32 could not be downloaded. Check the network and try again."),
        (OSError(errno.ENOSPC, "/srv"), "There is no space left on the disk. Free some space and try again."),
    ],
)
def test_what_the_page_says_about_a_failed_download(cause, sentence, monkeypatch):
    def fail(*arguments):
        raise DownloadError("https://example.org: no answer") from cause

    monkeypatch.setattr(sources, "fetch", fail)
    with pytest.raises(ModelError) as caught:
        fetch_weights("ViT-B/32", "/srv")
    assert caught.value.page_message == sentence


def test_a_space_opens_the_weights_that_were_preloaded_without_a_network(repository, tmp_path, monkeypatch):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    repo, name, revision = re.search(r"^preload_from_hub:\n  - (\S+) (\S+) (\S+)$", readme, re.M).groups()
    # What Hugging Face does when it builds the Space, below HF_HOME: a blob, and a link to it.
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    cached = tmp_path / "home" / "hub" / f"models--{repo.replace('/', '--')}"
    (cached / "blobs").mkdir(parents=True)
    (cached / "snapshots" / revision).mkdir(parents=True)
    network = random_clip(VIT_B_32)
    save_file(network.state_dict(), tmp_path / name)
    sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    (tmp_path / name).rename(cached / "blobs" / sha256)
    (cached / "snapshots" / revision / name).symlink_to(f"../../blobs/{sha256}")

    size = (cached / "blobs" / sha256).stat().st_size
    assert size == pytest.approx(TIMM["ViT-B/32"][3], rel=1e-3)
    monkeypatch.setitem(TIMM, "ViT-B/32", (*TIMM["ViT-B/32"][:2], sha256, size))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was used"))
    weights = tmp_path / "weights"
    assert is_downloaded("ViT-B/32", weights)
    assert find(weights_files("ViT-B/32"), weights)[0] == cached / "snapshots" / revision / name
    model = load_model("ViT-B/32", device="cpu", weights_root=weights)
    pixels = [np.full((224, 224, 3), grey, np.uint8) for grey in (50, 200)]
    expected = network.encode_image(model._scaled(pixels)).numpy()
    np.testing.assert_allclose(model.encode_images(pixels), expected, atol=1e-5)
    for path in (cached / "blobs" / sha256, *weights.iterdir()):
        path.unlink()  # more than a gigabyte
