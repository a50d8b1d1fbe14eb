"""Models whose inside is compared with openai-clip's own modules."""

from types import SimpleNamespace

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import TEXT, VIT_B_32, random_clip
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.linear_probe.head import Head, Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.checkpoint import open_checkpoint
from clip_demo.models.clip_model import ClipModel
from clip_demo.paths import BUILT_IN_CHECKPOINT
from clip_demo.serving.model_pool import ModelPool

RN50 = TEXT | {
    "embed_dim": 1024,
    "image_resolution": 224,
    "vision_layers": (3, 4, 6, 3),
    "vision_width": 64,
    "vision_patch_size": None,
    "transformer_width": 512,
    "transformer_heads": 8,
    "transformer_layers": 12,
}
NETWORKS = {
    "tiny": lambda: open_checkpoint(BUILT_IN_CHECKPOINT)[0],
    "ViT-B/32": lambda: random_clip(VIT_B_32),
    "RN50": lambda: random_clip(RN50),
}


def random_head(model, dataset, normalized=False):
    rng = np.random.default_rng(0)
    n = len(dataset.classnames)
    coef = rng.normal(size=(n, model.anatomy.dimensions)).astype(np.float32)
    provenance = Provenance(
        model=model.name, model_sha256=model.sha256, dataset=dataset.name, n_train=1, n_test=1, C=1.0, max_iter=1,
        n_iter=1, random_state=0, normalized=normalized, test_accuracy=0.5, versions={}, date="2025-01-01",
    )  # fmt: skip
    return Head(coef, rng.normal(size=n).astype(np.float32), dataset.classnames, provenance)


@pytest.fixture(scope="session", params=NETWORKS)
def opened(request, tmp_path_factory):
    """A backend with one model and a random head, and a copy of the network as openai-clip's modules compute it."""
    network = NETWORKS[request.param]()
    model = ClipModel(NETWORKS[request.param](), name=request.param, note="", sha256="0" * 64)
    stores, dataset = Stores.open(tmp_path_factory.mktemp("stores")), Shapes100()
    head = random_head(model, dataset)
    stores.heads.remember(head, model.sha256, dataset.name)
    backend = Backend(ModelPool.of(model), datasets={dataset.name: dataset}, stores=stores)
    return SimpleNamespace(backend=backend, model=model, network=network, head=head)
