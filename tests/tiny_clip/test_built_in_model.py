"""The built-in model: its file, and what it makes of images and words.

assets/README.md has the accuracy on all test images; the bounds here are for fewer images.
"""

import json

import numpy as np
import pytest
import torch

from clip_demo.backend import Backend
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.datasets.shapes100 import COLOURS, SHAPES, Shapes100
from clip_demo.features.feature_store import load_features
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.numerics import normalize
from clip_demo.paths import ASSETS, BUILT_IN_CHECKPOINT, EXAMPLES
from clip_demo.serving.model_pool import ModelPool
from clip_demo.tiny_clip.captions import SEEN_LABELS
from clip_demo.tiny_clip.data import cifar100_nouns, load_packed
from clip_demo.tiny_clip.evaluate import (
    TestSet,
    attribute_accuracy,
    encode,
    narrower_rows,
    synonym_rows,
    unseen_sets,
    used_synonyms,
)
from clip_demo.tiny_clip.evaluation_sentences import SENTENCES
from clip_demo.tiny_clip.taxonomy import Taxonomy
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny", device="cpu")


@pytest.fixture(scope="module")
def shapes(tiny):
    pixels = Shapes100().pixels(range(1500))
    return TestSet(tiny, encode(tiny, pixels), Shapes100().labels()[:1500], Shapes100.classnames)


@pytest.fixture(scope="module")
def cifar(tiny):
    """The stored features of all test images of CIFAR-100."""
    from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES

    stored, sha256, _ = load_features(ASSETS / "features" / "tiny-cifar100.npz")
    assert sha256 == tiny.sha256
    return TestSet(tiny, stored.features, stored.labels, CIFAR100_CLASSNAMES)


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
    assert (network.context_length, network.vocab_size, network.visual.input_resolution) == (77, 49408, 96)


@pytest.mark.parametrize("template", ["a photo of a {}.", "a photo of a {}", "{}"])
def test_seen_and_unseen_shapes_are_recognised(shapes, template):
    correct = shapes.correct(templates=(template,))
    seen = np.isin(shapes.labels, SEEN_LABELS)
    assert 250 < (~seen).sum() < 350
    assert correct[seen].mean() >= 0.98
    assert correct[~seen].mean() >= 0.94


@pytest.mark.parametrize(
    ("names", "template", "label"),
    [
        (tuple(COLOURS), "a photo of a {} shape.", lambda labels: labels // 10),
        (SHAPES, "a photo of a {}.", lambda x: x % 10),
    ],
    ids=["colours", "shapes"],
)
def test_colours_and_shapes_are_recognised_by_themselves(tiny, shapes, names, template, label):
    scores = shapes.features @ shapes.weights(names, (template,)).T
    assert (scores.argmax(axis=1) == label(shapes.labels)).mean() >= 0.9


def test_the_class_names_of_cifar100(cifar):
    assert cifar.correct().mean() >= 0.74
    for template in (*CIFAR100_TEMPLATES, "a photo of a {}", "{}"):
        assert cifar.correct(templates=(template,)).mean() >= 0.8 * cifar.correct().mean(), template


def test_synonyms_of_captions_stand_for_the_class(cifar):
    rows = synonym_rows(cifar, used_synonyms(Taxonomy(), "cifar100"))
    assert sum(other >= 0.8 * own for _, _, own, other in rows) >= 40
    by_synonym = {synonym: other / own for synonym, _, own, other in rows}
    assert min(by_synonym[word] for word in ("sofa", "bike", "tv", "lady", "guy", "phone")) >= 0.6


def test_narrower_nouns_stand_for_the_class(cifar, cifar100):
    rows = narrower_rows(cifar, cifar100_nouns(cifar100.root, "test"), Taxonomy())
    assert sum(other >= 0.8 * own for _, _, own, other in rows) >= 40


def test_sentences_that_were_never_trained_keep_the_meaning_of_their_noun(cifar):
    ratios = [cifar.correct(templates=(each,)).mean() / cifar.correct().mean() for each in SENTENCES]
    assert np.mean(ratios) >= 0.9 and sorted(ratios)[1] >= 0.8 and min(ratios) >= 0.45


@pytest.mark.long
def test_prompts_tell_altered_images_from_unaltered_ones(tiny, cifar, cifar100):
    names = [cifar.classnames[label] for label in cifar.labels[:400]]
    accuracy = attribute_accuracy(tiny, cifar100.pixels(range(400)), names)
    geometric = {"upside down", "sideways"}
    assert {name: value for name, value in accuracy.items() if value < (0.72 if name in geometric else 0.9)} == {}


@pytest.mark.long
def test_words_that_no_caption_had_name_images_by_their_word_vectors(tiny, training_sets):
    _, unseen, names = unseen_sets(tiny, training_sets)
    assert len(unseen.labels) == 1000 and len(names) == 200
    assert unseen.correct().mean() >= 0.2  # chance: 0.05
    assert np.median(unseen.ranks(names)) <= 46  # chance: 100


def test_the_snapshots_of_the_training_end_with_the_checkpoint(tiny):
    with np.load(ASSETS / "tiny-snapshots.npz", allow_pickle=False) as stored:
        images, texts, captions = stored["images"].astype(float), stored["texts"].astype(float), stored["captions"]
        assert images.shape == texts.shape == (8, 16, 256) and stored["progress"][[0, -1]].tolist() == [0, 1]
    assert (ASSETS / "tiny-snapshots.npz").stat().st_size <= 200_000
    assert np.allclose(texts[-1], normalize(tiny.encode_texts(captions.tolist())), atol=2e-3)
    cosines = images @ texts.transpose(0, 2, 1)
    right = (cosines.argmax(axis=2) == np.arange(16)).mean(axis=1)
    assert right[0] <= 0.3 and right[-1] >= 0.8  # the pairs find each other


EXAMPLE_LISTS = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", EXAMPLE_LISTS)
def test_the_example_photos_among_their_words(tiny, file):
    example = EXAMPLE_LISTS[file]
    prompts = PromptSet(example["classes"], ("a photo of a {}.",))
    backend = Backend(ModelPool.of(tiny))
    first, second = backend.predict(image=EXAMPLES / file, prompts=prompts, top_k=2).zero_shot
    assert len(prompts.classnames) == 10 and first.label == example["label"]
    assert second.probability >= 0.01  # the runner-up is visible


def test_cifar10_by_its_names(tiny, training_sets):
    packed = load_packed(training_sets, "cifar10-test")
    pixels, labels = packed["images"][:1000], packed["labels"][:1000]
    assert TestSet(tiny, encode(tiny, pixels), labels, list(map(str, packed["classnames"]))).correct().mean() >= 0.88


def test_batch_preprocessing_gives_the_features_of_openai_clips(tiny):
    ours = encode(tiny, Shapes100().pixels(range(8)))
    expected = tiny.encode_images([tiny.preprocess(each) for each in Shapes100().images(range(8))])
    cosines = (ours * expected).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999
