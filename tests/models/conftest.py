"""Checkpoints with random weights, and images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip, write_archive
from clip_demo.models import packing
from clip_demo.models.load import load_model


@pytest.fixture(scope="session", params=[SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def checkpoint(request, tmp_path_factory):
    """The same small model as an archive of OpenAI's and as a state dict."""
    folder = tmp_path_factory.mktemp("checkpoints")
    network = random_clip(request.param)
    torch.save(network.state_dict(), folder / "state.pt")
    return SimpleNamespace(archive=write_archive(network, folder / "archive.pt"), state_dict=folder / "state.pt")


@pytest.fixture(scope="session")
def model(checkpoint):
    return load_model(str(checkpoint.state_dict), device="cpu")


@pytest.fixture(scope="session")
def images():
    rng = np.random.default_rng(0)
    sizes = [(32, 32), (50, 40), (20, 60), (300, 200)]
    return [Image.fromarray(rng.integers(0, 255, (h, w, 3), dtype=np.uint8)) for h, w in sizes]


@pytest.fixture(
    params=[True, False] if packing.is_available() else [False], ids=lambda each: "packed" if each else "plain"
)
def packed(request, monkeypatch):
    """Whether weights are packed, whichever is faster here."""
    monkeypatch.setattr(packing, "is_faster", lambda: request.param)
    return request.param
