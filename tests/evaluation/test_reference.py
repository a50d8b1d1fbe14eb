"""Whole evaluations against the field's own code: openai-clip's recipe, and open_clip where it is installed."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT

clip = import_clip()
TEMPLATES = ("a photo of a {}.", "a drawing of the {}")
# Every second class by the name of something else, so that about half of the images are taken for other classes.
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
def ours(few):
    backend = Backend(load_model(device="cpu"), datasets={few.name: few}, head_folders=[], feature_folders=[])
    return backend.examine(classnames=NAMES, templates=TEMPLATES, replace_underscores=True)


def same_to_the_last_image(ours, scores, labels, scale):
    """Assert that both take every image for the same class, and count the same."""
    order = torch.argsort(scores, dim=1, descending=True, stable=True).numpy()
    assert ours.predicted() == tuple(order[:, 0])
    assert ours.evaluation.top1 == np.mean(order[:, 0] == labels)
    assert ours.evaluation.top5 == np.mean((order[:, :5] == labels[:, None]).any(axis=1))
    np.testing.assert_allclose(ours.answers.cosines, scores.numpy() / scale, atol=1e-5)


@torch.no_grad()
def test_it_is_what_the_recipe_of_openai_clips_readme_gives(few, ours):
    # README.md and notebooks/Prompt_Engineering_for_ImageNet.ipynb of openai/CLIP, one image at a time.
    model = load_model(device="cpu").model
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
    same_to_the_last_image(ours, torch.cat(scores), few.labels(), 100)
    assert 0.2 < ours.evaluation.top1 < 1  # neither chance nor without a mistake


@torch.no_grad()
def test_it_is_what_open_clip_gives(few, ours):
    open_clip = pytest.importorskip("open_clip")
    state = torch.load(BUILT_IN_CHECKPOINT, map_location="cpu", weights_only=True)
    state = {name: value.float() for name, value in state.items()}
    model = open_clip.model.build_model_from_openai_state_dict(dict(state)).float()
    model.load_state_dict({name: value for name, value in state.items() if name in model.state_dict()})  # unrounded
    preprocess = clip.clip._transform(load_model(device="cpu").model.visual.input_resolution)
    templates = [lambda name, t=template: t.format(name.replace("_", " ")) for template in TEMPLATES]
    classifier = open_clip.build_zero_shot_classifier(
        model, open_clip.get_tokenizer("ViT-B-32"), NAMES, templates, num_classes_per_batch=10
    )
    dataset = torch.stack([preprocess(Image.fromarray(pixels)) for pixels in few.pixels(range(N))])
    scores = 100.0 * model.encode_image(dataset, normalize=True) @ classifier
    labels = torch.from_numpy(few.labels())
    # open_clip_train.zero_shot.accuracy, which numpy 2.4 does not run: it makes a float of an array of one number.
    correct = scores.topk(5, dim=1, largest=True, sorted=True)[1].t().eq(labels.expand(5, -1))
    top1, top5 = (int(correct[:k].sum()) for k in (1, 5))
    assert (round(N * ours.evaluation.top1), round(N * ours.evaluation.top5)) == (top1, top5)
    same_to_the_last_image(ours, scores, few.labels(), 100)
