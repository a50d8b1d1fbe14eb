"""The table of sources, against openai-clip's own."""

from clip_demo.models.openai_clip import import_clip
from clip_demo.models.sources import ARCHIVES, weights_files


def test_the_first_source_is_openai_clips_address_with_its_checksum():
    addresses = import_clip().clip._MODELS
    assert list(ARCHIVES) == list(addresses)
    for name, url in addresses.items():
        archive = weights_files(name)[0]
        assert archive.sources[0] == url and archive.sha256 == url.split("/")[-2]
