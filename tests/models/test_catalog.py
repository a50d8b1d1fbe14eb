"""The list of models."""

import subprocess
import sys

import pytest

from clip_demo.errors import ModelError
from clip_demo.models.catalog import BUILT_IN, available_models, check_model, is_downloaded
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import converted_path, weights_path


def test_the_built_in_model_comes_first_and_openais_follow():
    assert available_models() == (BUILT_IN, *import_clip().available_models())


def test_an_unknown_name_is_refused_with_the_known_names():
    with pytest.raises(
        ModelError, match=r"model: 'ViT-B/33' is neither a known model nor a file; use one of 'tiny', .*'ViT-B/32'"
    ):
        check_model("ViT-B/33")


def test_a_path_of_a_file_is_accepted(tmp_path):
    (tmp_path / "a.pt").touch()
    assert check_model(str(tmp_path / "a.pt")) == str(tmp_path / "a.pt")


def test_a_model_is_downloaded_if_its_archive_or_its_converted_copy_is_on_disk(tmp_path):
    assert is_downloaded("tiny", tmp_path) and not is_downloaded("ViT-B/32", tmp_path)
    for path in (weights_path("ViT-B/32", tmp_path), converted_path(weights_path("ViT-B/32", tmp_path))):
        path.touch()
        assert is_downloaded("ViT-B/32", tmp_path)
        path.unlink()


@pytest.mark.parametrize("module", ["catalog", "encoder", "image_input"])
def test_import_does_not_import_torch(module):
    code = f"import sys, clip_demo.models.{module}; print({{'torch', 'torchvision', 'clip'}} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
