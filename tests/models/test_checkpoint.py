"""Opening of checkpoints, good and bad, and of the converted copy."""

import numpy as np
import pytest
import torch
from helpers import Server, publish
from safetensors.torch import load_file, save_file

from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip, write_archive
from clip_demo.errors import ModelError
from clip_demo.models.checkpoint import open_checkpoint, open_converted, write_converted
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import converted_path

clip = import_clip()


def test_a_state_dict_gives_the_same_model_as_an_archive(checkpoint):
    networks, checksums = zip(*map(open_checkpoint, (checkpoint.archive, checkpoint.state_dict)), strict=True)
    tokens = clip.tokenize(["a cat", "a photo of a dog"])
    with torch.no_grad():
        np.testing.assert_allclose(*[each.encode_text(tokens) for each in networks], atol=1e-5)
    assert checksums[0] == checksums[1]


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    (tmp_path / "notes.pt").write_text("hello")
    with pytest.raises(ModelError, match=r"notes.pt' is not a CLIP checkpoint .*begins with b'hello'\)") as caught:
        open_checkpoint(tmp_path / "notes.pt")
    assert caught.value.page_message == ("notes.pt is damaged or does not contain a CLIP model. Choose another model.")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match=r"other.pt' is not a CLIP checkpoint .*but 'weight'\)"):
        open_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    state = random_clip(SMALL_VIT).state_dict()
    for name in ("logit_scale", "visual.proj"):
        state[name] = torch.full_like(state[name], value)
    torch.save(state, tmp_path / "broken.pt")
    with pytest.raises(ModelError, match="infinite or no numbers") as caught:
        open_checkpoint(tmp_path / "broken.pt")
    assert all(name in str(caught.value) for name in ("broken.pt", "logit_scale", "visual.proj"))
    assert (
        caught.value.page_message == "The weights in broken.pt are damaged: some are no numbers. Choose another model."
    )


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="is not a CLIP checkpoint"):
        open_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_a_converted_copy_opens_only_with_the_checksum_of_its_source(checkpoint, tmp_path):
    network, weights = open_checkpoint(checkpoint.archive)
    write_converted(network, weights, "a" * 64, tmp_path / "archive.pt")
    copy, its_weights = open_converted(tmp_path / "archive.pt", ["b" * 64, "a" * 64])
    assert all(map(torch.equal, copy.state_dict().values(), network.state_dict().values()))
    assert its_weights == weights
    assert open_converted(tmp_path / "archive.pt", ["b" * 64]) is None
    assert open_converted(tmp_path / "another.pt", ["a" * 64]) is None


def test_a_copy_of_an_earlier_version_gets_the_checksum_of_its_weights(checkpoint, tmp_path):
    network, weights = open_checkpoint(checkpoint.archive)
    save_file(network.state_dict(), converted_path(tmp_path / "archive.pt"), metadata={"sha256": "a" * 64})
    assert open_converted(tmp_path / "archive.pt", ["a" * 64])[1] == weights


def test_a_folder_that_cannot_be_written_has_no_converted_copy(checkpoint, tmp_path):
    network, weights = open_checkpoint(checkpoint.archive)
    (tmp_path / "file").touch()
    write_converted(network, weights, "a" * 64, tmp_path / "file" / "archive.pt")
    assert open_converted(tmp_path / "file" / "archive.pt", ["a" * 64]) is None


def test_the_format_is_known_by_the_content(checkpoint, tmp_path):
    network, weights = open_checkpoint(checkpoint.archive)
    save_file(network.state_dict(), tmp_path / "1234")  # as in the Hub's cache, whose files have no ending
    checkpoint.archive.with_name("5678").write_bytes(checkpoint.archive.read_bytes())
    assert open_checkpoint(tmp_path / "1234")[1] == open_checkpoint(checkpoint.archive.with_name("5678"))[1] == weights


def test_a_damaged_converted_copy_is_replaced(tmp_path, monkeypatch):
    with Server(write_archive(random_clip(SMALL_VIT), tmp_path / "served.pt").read_bytes()) as server:
        publish(server, monkeypatch)
        load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
        copy = converted_path(tmp_path / "ViT-B-32.pt")
        # Cloned: the file is memory-mapped, and is about to be overwritten.
        intact, weights = copy.read_bytes(), {name: value.clone() for name, value in load_file(copy).items()}
        for damaged in (b"", intact[:1000], intact[: len(intact) // 2]):
            copy.write_bytes(damaged)
            load_model("ViT-B/32", device="cpu", weights_root=tmp_path)
            assert all(torch.equal(value, weights[name]) for name, value in load_file(copy).items())
