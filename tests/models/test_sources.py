"""The table of sources, against openai-clip's own, and what the page says where none works."""

import errno

import pytest

from clip_demo.download import DownloadError
from clip_demo.errors import ModelError
from clip_demo.models import sources
from clip_demo.models.openai_clip import import_clip
from clip_demo.models.sources import ARCHIVES, fetch_weights, weights_files


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
