"""The check against published numbers, on a small model with random weights under the name of ViT-B/32."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import wait_for

from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.evaluation.published import IMAGES, Comparison, compare_image, compare_sample
from clip_demo.models.catalog import PREFERRED
from clip_demo.models.clip_model import ClipModel
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.published_check import SAMPLE, PublishedCheck
from clip_demo.ui.status_line import status_line


@pytest.fixture(scope="module")
def encoder():
    return ClipModel(random_clip(SMALL_VIT), name=PREFERRED, note="random", sha256="a" * 64)


@pytest.fixture
def backend(encoder, cifar100):
    return Backend(ModelPool.of(encoder), datasets={"cifar100": cifar100})


def test_random_weights_miss_the_published_numbers(backend, encoder, cifar100):
    backend.encoder()
    wait_for(lambda: backend.status().published, 120)
    comparisons = backend.status().published
    assert len(comparisons) == 7 and sum(each.missed for each in comparisons) >= 5
    scores = {each.label: 100 * each.probability for each in backend.predict(index=3637, top_k=100).zero_shot}
    assert comparisons[0].got == pytest.approx(scores["snake"], abs=1e-4)
    names = [name.replace("_", " ") for name in cifar100.classnames]
    weights = encoder.encode_texts([f"a photo of a {name}." for name in names])
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    rows = encoder.encode_images([encoder.preprocess(each) for each in cifar100.images(range(SAMPLE))])
    accuracy = 100 * ((rows @ weights.T).argmax(axis=1) == cifar100.labels()[:SAMPLE]).mean()
    assert comparisons[-1].got == pytest.approx(accuracy, abs=0.2)
    line = status_line(backend.status(), cifar100)
    assert "published numbers are missed" in line and "<td>65.31</td>" in line


def test_the_result_is_kept(backend, cifar100, tmp_path, monkeypatch):
    first = PublishedCheck(tmp_path / "a")
    handle = backend._ready(None)
    assert first.comparisons(handle, cifar100) is None  # it has only begun
    wait_for(lambda: first.comparisons(handle, cifar100), 120)
    wait_for(lambda: list((tmp_path / "a").glob("*.json")))
    monkeypatch.setattr(handle.encoder, "encode_images", None)  # nothing is encoded again
    assert PublishedCheck(tmp_path / "a").comparisons(handle, cifar100) == first.comparisons(handle, cifar100)


def test_other_models_are_not_checked(toy_backend):
    toy_backend.encoder()
    assert toy_backend.status().published is None


def test_the_published_numbers_meet_themselves(backend, cifar100):
    index, source, expected = IMAGES[0]
    scores = [SimpleNamespace(label=label, probability=percent / 100) for label, percent in expected]
    met = [*compare_image(index, source, expected, scores), compare_sample(np.arange(1000) < 622)]
    assert len(met) == 7 and not any(each.missed for each in met)
    # Three standard errors beside it: the wrong template, or images that are not blurred by bicubic enlargement.
    assert compare_sample(np.arange(1000) < 570).missed
    swapped = [scores[1], scores[0], *scores[2:]]
    assert [each.what for each in compare_image(index, source, expected, swapped) if each.missed] == [
        "test image 3637: classes in their published place"
    ]
    assert Comparison("a", "b", 5, float("nan"), 1).missed


def test_a_failure_is_logged(backend, cifar100, monkeypatch, caplog):
    handle = backend._ready(None)
    monkeypatch.setattr(type(cifar100), "images", lambda *_: 1 / 0)
    check = PublishedCheck()
    assert check.comparisons(handle, cifar100) is None
    wait_for(lambda: "published numbers failed" in caplog.text)
    assert check.comparisons(handle, cifar100) is None
