"""The built-in model: its file and its accuracy. assets/README.md has the accuracy on all test images."""

import numpy as np
import pytest
import torch

from clip_demo.datasets.shapes100 import COLOURS, SHAPES, Shapes100
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT
from clip_demo.tiny_clip.captions import SEEN_LABELS
from clip_demo.tiny_clip.evaluate import encode, zero_shot
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny", device="cpu")


@pytest.fixture(scope="module")
def sample(tiny):
    labels = Shapes100().labels()[:1500]
    return encode(tiny, Shapes100().pixels(range(1500))), labels


def test_the_checkpoint_is_a_plain_state_dict_of_a_clip():
    assert BUILT_IN_CHECKPOINT.stat().st_size <= 25_000_000
    state = torch.load(BUILT_IN_CHECKPOINT, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert {value.dtype for value in state.values()} <= {torch.float16, torch.int64}
    assert all(value.isfinite().all() for value in state.values())
    network = import_clip().model.build_model(dict(state))
    rebuilt = network.state_dict()
    assert rebuilt.keys() == state.keys()
    assert all(torch.equal(rebuilt[name].half(), value.half()) for name, value in state.items())
    assert (network.context_length, network.vocab_size, network.visual.input_resolution) == (77, 49408, 64)


@pytest.mark.parametrize("template", ["a photo of a {}.", "a photo of a {}", "{}"])
def test_seen_and_unseen_classes_are_recognised(tiny, sample, template):
    features, labels = sample
    correct = zero_shot(tiny, features, Shapes100.classnames, [template])[template] == labels
    seen = np.isin(labels, SEEN_LABELS)
    assert 250 < (~seen).sum() < 350
    assert correct[seen].mean() >= 0.90
    assert correct[~seen].mean() >= 0.80


@pytest.mark.parametrize(
    ("names", "template", "label"),
    [(COLOURS, "a photo of a {} shape.", lambda labels: labels // 10), (SHAPES, "a photo of a {}.", lambda x: x % 10)],
    ids=["colours", "shapes"],
)
def test_colours_and_shapes_are_recognised_by_themselves(tiny, sample, names, template, label):
    features, labels = sample
    assert (zero_shot(tiny, features, list(names), [template])[template] == label(labels)).mean() >= 0.9


def test_accuracy_hardly_depends_on_the_template(tiny, sample):
    features, labels = sample
    predictions = zero_shot(tiny, features, Shapes100.classnames, CIFAR100_TEMPLATES)
    accuracies = [(each == labels).mean() for each in predictions.values()]
    assert max(accuracies) - min(accuracies) <= 0.03


def test_batch_preprocessing_gives_the_features_of_openai_clips(tiny, sample):
    ours = sample[0][:8]
    expected = tiny.encode_images([tiny.preprocess(each) for each in Shapes100().images(range(8))])
    cosines = (ours * expected).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999
