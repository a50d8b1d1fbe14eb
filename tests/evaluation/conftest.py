"""Evaluations of the toy, and of random numbers."""

from collections import namedtuple

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.evaluation.labelled_images import LabelledImages
from clip_demo.evaluation.predictions import predict_all
from clip_demo.evaluation.report import EvaluationReport
from clip_demo.features.feature_store import TestFeatures
from clip_demo.linear_probe.head import Head, Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.numerics import normalize
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

Decision = namedtuple("Decision", "true zero_shot baseline probe")


@pytest.fixture
def provenance(toy_encoder):
    return Provenance(
        "toy", toy_encoder.sha256, "toys", 50, 20, 0.316, 1000, 9, 0, False, 0.8, {"numpy": "2"}, "2026-01-31"
    )


@pytest.fixture
def stores(tmp_path):
    return Stores.open(tmp_path)


@pytest.fixture
def backend(toy_encoder, toy_dataset, stores):
    return Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=stores)


@pytest.fixture
def with_head(backend, stores, provenance):
    """A backend with a head that knows no white and predicts yellow for it; its classes have an order of their own."""
    classes = ("yellow", "blue", "green", "red")
    coef = np.array([[4, 4, -4], [-4, -4, 4], [-9, 6, -4], [6, -9, -4]], dtype=np.float32)
    head = Head(coef, np.zeros(4, dtype=np.float32), classes, provenance)
    stores.heads.remember(head, provenance.model_sha256, "toys")
    return backend


@pytest.fixture
def own_names(toy_dataset):
    return PromptSet.for_dataset(toy_dataset)


@pytest.fixture
def swapped(own_names):
    """Red is called green and green is called red, so that zero-shot prediction confuses the two."""
    return own_names.varied(classnames=("green", "red", "blue", "yellow", "white"))


class Numbers(Dataset):
    """Labels without images; the coarse classes do not follow the order of the classes."""

    name, title = "numbers", "Numbers"
    classnames = tuple("abcdefg")
    coarse_names, coarse_of = ("x", "y", "z"), (2, 0, 1, 0, 2, 1, 0)
    sizes = {"test": 400}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.random.default_rng(3).integers(0, 7, 400)

    def images(self, indices, split="test"):
        raise NotImplementedError


@pytest.fixture(scope="session")
def random_report():
    """A report on random numbers, rounded so coarsely that many cosines are equal."""
    rng = np.random.default_rng(0)
    features = rng.integers(-1, 2, (400, 4)) + np.array([0, 0, 0, 3])
    weights = np.round(normalize(rng.normal(size=(2, 7, 4))), 1)
    provenance = Provenance("toy", "70" * 32, "numbers", 1, 1, 1.0, 1, 1, 0, False, 0.1, {}, "2026-01-31")
    head = Head(rng.integers(-1, 2, (7, 4)).astype(np.float32), np.zeros(7, np.float32), tuple("gfedcba"), provenance)
    numbers = Numbers()
    images = LabelledImages.of(TestFeatures(features.astype(np.float32), numbers.labels()), numbers, 3.0, head)
    new, old = (predict_all(PromptSet(numbers.classnames, ("{}",)), each, images) for each in weights)
    return EvaluationReport(images, new, old)


@pytest.fixture(scope="session")
def decisions(random_report):
    """Each image's true class and its predictions, found by loops."""
    images = random_report.labelled_images
    probabilities = images.probe.head.predict_proba(images.features)  # the same order as of features as they were

    def first(row):
        return min(range(7), key=lambda k: (-row[k], k))

    return [
        Decision(
            int(label),
            first(random_report.predictions.cosines[i]),
            first(random_report.baseline_predictions.cosines[i]),
            6 - first(probabilities[i]),  # the head lists its classes backwards
        )
        for i, label in enumerate(images.labels)
    ]
