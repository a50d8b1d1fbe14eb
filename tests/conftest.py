"""A small deterministic encoder and dataset, on which every number can be worked out by hand."""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.errors import PromptTooLongError

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "white": (1, 1, 1)}
TOY_SHA256 = "70" * 32


class ToyEncoder:
    """Three numbers: the mean red, green and blue of an image; the sum of the colour words of a prompt.

    ``encode_images`` doubles them and ``encode_texts`` triples them, so that a missing normalisation shows.
    """

    name, note, sha256, logit_scale = "toy", "a toy", TOY_SHA256, 10.0

    def __init__(self):
        self.encoded_prompts, self.encoded_images = [], 0

    def preprocess(self, image):
        return np.asarray(image, dtype=np.float32).reshape(-1, 3).mean(axis=0) / 255

    def encode_pixels(self, batch):
        self.encoded_images += len(batch)
        return 2 * np.stack(batch).astype(np.float32)

    def encode_images(self, images):
        return self.encode_pixels([self.preprocess(each) for each in images])

    def encode_texts(self, prompts):
        self.encoded_prompts += prompts
        rows = []
        for prompt in prompts:
            words = prompt.replace("_", " ").replace(".", " ").split()
            if len(words) > 70:
                raise PromptTooLongError(f"prompt: {prompt[:20]!r} is too long")
            rows.append(sum((np.array(COLOURS[word]) for word in words if word in COLOURS), np.full(3, 0.01)))
        return 3 * np.stack(rows).astype(np.float32)


class ToyImages(Dataset):
    """Five plain colours in turn."""

    name, title = "toys", "Toys-5"
    classnames = tuple(COLOURS)
    coarse_names, coarse_of = ("plain", "mixed"), (0, 0, 0, 1, 1)
    sizes = {"train": 50, "test": 20}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.arange(self.sizes[split]) % 5

    def pixels(self, indices, split="test"):
        colours = np.array([COLOURS[self.classnames[i % 5]] for i in indices], dtype=np.uint8) * 255
        return np.broadcast_to(colours[:, None, None], (len(indices), 32, 32, 3)).copy()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own for every test: what one leaves there is not the next one's."""
    monkeypatch.setenv("CLIP_DEMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy_encoder():
    return ToyEncoder()


@pytest.fixture
def toy_images():
    return ToyImages()


@pytest.fixture
def toy_backend(toy_encoder, toy_images, tmp_path):
    return Backend(
        toy_encoder,
        datasets={"toys": toy_images},
        head_folders=[tmp_path / "heads"],
        feature_folders=[tmp_path / "features"],
        curve_folders=[tmp_path / "curves"],
        shard_folder=tmp_path / "shards",
    )


@pytest.fixture(scope="session")
def cifar100():
    """The real CIFAR-100 where it is on disk."""
    dataset = Cifar100()
    if not dataset.available():
        pytest.skip(f"CIFAR-100 is not in {dataset.root}; set CLIP_DEMO_DATA")
    return dataset


@pytest.fixture(scope="session")
def repository():
    return Path(__file__).resolve().parent.parent
