"""Small models with random weights, whose inside can be looked at."""

from types import SimpleNamespace

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.linear_probe.head import Head, Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.clip_model import ClipModel
from clip_demo.serving.encoder_queue import EncoderQueue
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture(params=[SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def opened(request, toy_dataset, tmp_path, monkeypatch):
    """A backend with one small model and a random head; `calls` lists what the encoder computes, and for how many."""
    model = ClipModel(random_clip(request.param), name="small", note="", sha256="5a" * 32)
    calls = []

    def recorded(name, size):
        compute = getattr(model, name)

        def call(*arguments):
            calls.append((name, size(arguments)))
            return compute(*arguments)

        monkeypatch.setattr(model, name, call)

    recorded("encode_images", lambda arguments: len(arguments[0]))
    recorded("encode_covered", lambda arguments: len(arguments[1]))
    recorded("gradient_maps", lambda arguments: 1)
    rng, n = np.random.default_rng(0), len(toy_dataset.classnames)
    provenance = Provenance(
        model="small", model_sha256=model.sha256, dataset="toys", n_train=1, n_test=1, C=1.0, max_iter=1, n_iter=1,
        random_state=0, normalized=False, test_accuracy=0.5, versions={}, date="2025-01-01",
    )  # fmt: skip
    coef = rng.normal(size=(n, model.anatomy.dimensions)).astype(np.float32)
    head = Head(coef, rng.normal(size=n).astype(np.float32), toy_dataset.classnames, provenance)
    queue, stores = EncoderQueue(), Stores.open(tmp_path)
    monkeypatch.setattr("clip_demo.serving.model_pool.EncoderQueue", lambda: queue)
    stores.heads.remember(head, model.sha256, "toys")
    backend = Backend(ModelPool.of(model), datasets={"toys": toy_dataset}, stores=stores)
    return SimpleNamespace(backend=backend, model=model, head=head, calls=calls, queue=queue, stores=stores)
