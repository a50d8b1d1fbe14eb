"""A small deterministic encoder and dataset, on which every number can be computed by hand."""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.errors import PromptTooLongError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "white": (1, 1, 1)}


class ToyEncoder:
    """Three numbers: the mean red, green and blue of an image; the sum of the colour words of a prompt.

    ``encode_images`` doubles them and ``encode_texts`` triples them, so that a missing normalisation shows.
    """

    name, note, sha256, logit_scale = "toy", "a toy", "70" * 32, 10.0

    def __init__(self):
        self.encoded_prompts, self.encoded_images = [], 0

    def preprocess(self, image):
        return np.asarray(image, dtype=np.float32).reshape(-1, 3).mean(axis=0) / 255

    def encode_images(self, inputs):
        self.encoded_images += len(inputs)
        return 2 * np.stack(inputs).astype(np.float32)

    def tokens(self, prompt):
        return tuple(prompt.lower().split())

    def encode_texts(self, prompts):
        self.encoded_prompts += prompts
        rows = []
        for prompt in prompts:
            words = prompt.replace("_", " ").replace(".", " ").split()
            if len(words) > 70:
                raise PromptTooLongError(f"prompt: {prompt[:20]!r} is too long")
            rows.append(sum((np.array(COLOURS[word]) for word in words if word in COLOURS), np.full(3, 0.01)))
        return 3 * np.stack(rows).astype(np.float32)


class ToyDataset(Dataset):
    """Five plain colours in turn, as images of different sizes."""

    name, title = "toys", "Toys-5"
    classnames = tuple(COLOURS)
    coarse_names, coarse_of = ("plain", "mixed"), (0, 0, 0, 1, 1)
    sizes = {"train": 50, "test": 20}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.arange(self.sizes[split]) % 5

    def images(self, indices, split="test"):
        colours = [tuple(255 * np.array(COLOURS[self.classnames[i % 5]])) for i in indices]
        sizes = [(32, 32) if i % 2 else (48, 40) for i in indices]
        return [Image.new("RGB", size, colour) for size, colour in zip(sizes, colours, strict=True)]


def pytest_collection_modifyitems(config, items):
    """Leave out what is marked as long, unless it is asked for."""
    if not os.environ.get("CLIP_DEMO_LONG_TESTS"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own for every test."""
    monkeypatch.setenv("CLIP_DEMO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy_encoder():
    return ToyEncoder()


@pytest.fixture
def toy_dataset():
    return ToyDataset()


@pytest.fixture
def toy_backend(toy_encoder, toy_dataset, tmp_path):
    return Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))


@pytest.fixture(scope="session")
def cifar100():
    """The real CIFAR-100 where it is on this machine."""
    dataset = Cifar100()
    if not dataset.available():
        pytest.skip(f"CIFAR-100 is not in {dataset.root}; set CLIP_DEMO_DATA")
    return dataset


@pytest.fixture(scope="session")
def training_sets():
    """The folder of CIFAR-10, Tiny-ImageNet and word vectors for the built-in model, where it is on this machine."""
    folder = os.environ.get("CLIP_DEMO_TRAINING_SETS")
    if not folder:
        pytest.skip("CLIP_DEMO_TRAINING_SETS does not name a folder of CIFAR-10 and Tiny-ImageNet")
    return Path(folder)


@pytest.fixture(scope="session")
def vit_b_32_archive(tmp_path_factory):
    """A full-size ViT-B/32 with random weights in the form of OpenAI's archives."""
    from clip_demo.benchmark.random_checkpoints import VIT_B_32, random_clip, write_archive

    return write_archive(random_clip(VIT_B_32), tmp_path_factory.mktemp("ViT-B-32") / "ViT-B-32.pt")


@pytest.fixture(scope="session")
def repository():
    return Path(__file__).resolve().parent.parent
