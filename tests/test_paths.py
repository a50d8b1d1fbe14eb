"""Locations of files."""

from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import weights_path, weights_root


def test_the_folder_of_weights_is_the_argument_or_the_variable_or_openai_clips(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIP_DEMO_WEIGHTS", str(tmp_path / "a"))
    assert weights_root() == tmp_path / "a" and weights_root(tmp_path / "b") == tmp_path / "b"
    monkeypatch.delenv("CLIP_DEMO_WEIGHTS")
    assert weights_root().parts[-2:] == (".cache", "clip")


def test_archives_have_openai_clips_file_names(tmp_path):
    for name, url in import_clip().clip._MODELS.items():
        assert weights_path(name, tmp_path) == tmp_path / url.rsplit("/", 1)[1]
