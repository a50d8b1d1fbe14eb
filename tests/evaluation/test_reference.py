"""Whole evaluations against the recipe of openai/CLIP, and against open_clip where it is installed."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

clip = import_clip()
TEMPLATES = ("a photo of a {}.", "a drawing of the {}")
# Every second class has the name of something else, so that about half of the images are classified wrongly.
NAMES = tuple((CIFAR100_CLASSNAMES if i % 2 else Shapes100.classnames)[i].replace(" ", "_") for i in range(100))
N = 100


class FewShapes(Shapes100):
    """The first test images of Shapes-100."""

    name = "few"
    sizes = {"train": 50_000, "test": N}

    def labels(self, split="test"):
        return super().labels(split)[: self.sizes[split]]


@pytest.fixture(scope="module")
def few():
    return FewShapes()


@pytest.fixture(scope="module")
def ours(few, tmp_path_factory):
    stores = Stores.open(tmp_path_factory.mktemp("stores"))
    backend = Backend(ModelPool.of(load_model(device="cpu")), datasets={few.name: few}, stores=stores)
    return backend.evaluate(PromptSet(NAMES, TEMPLATES, replace_underscores=True))


def assert_equal_predictions(ours, scores, labels, scale):
    """Assert that both predict the same class for every image, and have the same accuracies."""
    order = torch.argsort(scores, dim=1, descending=True, stable=True).numpy()
    np.testing.assert_array_equal(ours.predictions.predicted, order[:, 0])
    assert ours.accuracy.top1 == np.mean(order[:, 0] == labels)
    assert ours.accuracy.top5 == np.mean((order[:, :5] == labels[:, None]).any(axis=1))
    np.testing.assert_allclose(ours.predictions.cosines, scores.numpy() / scale, atol=1e-5)


@torch.no_grad()
def test_an_evaluation_equals_the_recipe_of_openai_clip(few, ours):
    # README.md and notebooks/Prompt_Engineering_for_ImageNet.ipynb of openai/CLIP, one image at a time.
    model = load_model(device="cpu").network
    preprocess = clip.clip._transform(model.visual.input_resolution)
    weights = []
    for name in NAMES:
        texts = clip.tokenize([template.format(name.replace("_", " ")) for template in TEMPLATES])
        embeddings = model.encode_text(texts)
        embeddings /= embeddings.norm(dim=-1, keepdim=True)
        embedding = embeddings.mean(dim=0)
        weights.append(embedding / embedding.norm())
    weights = torch.stack(weights, dim=1)
    scores = []
    for pixels in few.pixels(range(N)):
        features = model.encode_image(preprocess(Image.fromarray(pixels)).unsqueeze(0))
        features /= features.norm(dim=-1, keepdim=True)
        scores.append(100.0 * features @ weights)
    assert_equal_predictions(ours, torch.cat(scores), few.labels(), 100)
    assert 0.2 < ours.accuracy.top1 < 1  # far above chance, and not perfect


@torch.no_grad()
def test_an_evaluation_equals_that_of_open_clip(few, ours):
    open_clip = pytest.importorskip("open_clip")
    state = torch.load(BUILT_IN_CHECKPOINT, map_location="cpu", weights_only=True)
    state = {name: value.float() for name, value in state.items()}
    model = open_clip.model.build_model_from_openai_state_dict(dict(state)).float()
    model.load_state_dict({name: value for name, value in state.items() if name in model.state_dict()})  # unrounded
    preprocess = clip.clip._transform(load_model(device="cpu").network.visual.input_resolution)
    templates = [lambda name, t=template: t.format(name.replace("_", " ")) for template in TEMPLATES]
    classifier = open_clip.build_zero_shot_classifier(
        model, open_clip.get_tokenizer("ViT-B-32"), NAMES, templates, num_classes_per_batch=10
    )
    inputs = torch.stack([preprocess(Image.fromarray(pixels)) for pixels in few.pixels(range(N))])
    scores = 100.0 * model.encode_image(inputs, normalize=True) @ classifier
    labels = torch.from_numpy(few.labels())
    # As in open_clip_train.zero_shot.accuracy, which fails with numpy 2.4: it converts an array of one number to float.
    correct = scores.topk(5, dim=1, largest=True, sorted=True)[1].t().eq(labels.expand(5, -1))
    top1, top5 = (int(correct[:k].sum()) for k in (1, 5))
    assert (round(N * ours.accuracy.top1), round(N * ours.accuracy.top5)) == (top1, top5)
    assert_equal_predictions(ours, scores, few.labels(), 100)
