"""The built-in model: its file, what it knows, and the script that trains it."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES
from PIL import Image

from clip_demo.datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from clip_demo.models.forward import encode_text
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT
from clip_demo.tiny_clip import data, train
from clip_demo.tiny_clip.captions import SEEN_LABELS, all_captions, caption_groups, hidden_names, write_captions
from clip_demo.tiny_clip.evaluate import encode, zero_shot
from clip_demo.tiny_clip.muon import orthogonal
from clip_demo.tiny_clip.network import Architecture, Vocabulary, make_model, to_state_dict
from clip_demo.tiny_clip.settings import Settings
from clip_demo.tiny_clip.trainer import Trainer

BOTH = ("cifar100", "shapes100")
SMALL = Architecture(embed_dim=32, image_resolution=32, vision_width=8, text_width=64, text_layers=1)

ARCH_64 = dataclasses.replace(SMALL, image_resolution=64)


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny", device="cpu")


# The file


def test_checkpoint_is_a_plain_clip_state_dict():
    assert BUILT_IN_CHECKPOINT.stat().st_size <= 25_000_000
    state = torch.load(BUILT_IN_CHECKPOINT, weights_only=True)  # refuses anything but tensors
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert {value.dtype for value in state.values()} <= {torch.float16, torch.int64}
    assert all(value.isfinite().all() for value in state.values())
    model = import_clip().model.build_model(dict(state))
    rebuilt = model.state_dict()
    assert rebuilt.keys() == state.keys()
    assert all(torch.equal(rebuilt[name].half(), value.half()) for name, value in state.items())
    assert (model.context_length, model.vocab_size, model.visual.input_resolution) == (77, 49408, 64)


# What it knows; the accuracies that assets/README.md states are those of all images


@pytest.fixture(scope="module")
def sample(tiny):
    labels = Shapes100().labels()[:1500]
    return encode(tiny, Shapes100().pixels(range(1500))), labels


@pytest.mark.parametrize("template", ["a photo of a {}.", "a photo of a {}", "{}"])
def test_shapes_are_recognised_also_the_pairs_never_named_in_training(tiny, sample, template):
    features, labels = sample
    right = zero_shot(tiny, features, Shapes100.classnames, [template])[template] == labels
    seen = np.isin(labels, SEEN_LABELS)
    assert 250 < (~seen).sum() < 350
    assert right[seen].mean() >= 0.90
    assert right[~seen].mean() >= 0.80


def test_colour_and_shape_have_a_meaning_by_themselves(tiny, sample):
    features, labels = sample
    for names, truth in ((tuple(COLOURS), labels // 10), (SHAPES, labels % 10)):
        template = "a photo of a {} shape." if names != SHAPES else "a photo of a {}."
        right = zero_shot(tiny, features, names, [template])[template] == truth
        assert right.mean() >= 0.9


def test_templates_change_little(tiny, sample):
    features, labels = sample
    predictions = zero_shot(tiny, features, Shapes100.classnames, CIFAR100_TEMPLATES)
    scores = [(each == labels).mean() for each in predictions.values()]
    assert max(scores) - min(scores) <= 0.03


def test_batch_preprocessing_is_openai_clips_own(tiny, sample):
    images = [Shapes100().image(index) for index in range(8)]
    one = tiny.encode_images(images)
    cosines = (one * sample[0][:8]).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(sample[0][:8], axis=1)
    assert cosines.min() > 0.999


@pytest.mark.parametrize("size", [32, 64, 256])
def test_resize_does_what_openai_clips_transform_does(size):
    pixels = Shapes100().draw([1, 2], size=size)
    transform = import_clip().clip._transform(64)
    expected = torch.stack([transform(Image.fromarray(each)) for each in pixels])
    # Two grey levels of 255, over the smallest of CLIP's deviations.
    assert (data.resize(pixels, 64) - expected).abs().max() < 2.01 / 255 / 0.26


# Captions


def test_no_caption_names_an_unseen_pair():
    captions = list(all_captions(BOTH))
    rng = np.random.default_rng(0)
    for group in caption_groups(BOTH).values():
        captions += write_captions(group.names * 20, rng)
    # "a black and white photo" is no white shape.
    captions = [caption.replace("black and white", "") for caption in captions]
    for colour, shape in (name.split() for name in UNSEEN_CLASSNAMES):
        both = [c for c in captions if re.search(rf"\b{colour}\b", c) and re.search(rf"\b{shape}\b", c)]
        assert not both
    words = set(" ".join(captions).replace(".", "").split())
    assert {*COLOURS, *SHAPES} <= words


def test_write_captions_writes_only_what_all_captions_lists():
    names = caption_groups(BOTH)["fine"].names
    assert len(names) == 180 and names[:100] == CIFAR100_CLASSNAMES
    captions = write_captions(names * 5, np.random.default_rng(1))
    assert set(captions) <= set(all_captions(BOTH))
    assert all(name.split("_")[0].split()[0] in caption for name, caption in zip(names * 5, captions, strict=True))
    assert captions == write_captions(names * 5, np.random.default_rng(1))


def test_images_of_unseen_classes_are_kept_out(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "drawn", lambda *_: np.arange(50_000))
    chosen = data.shapes100_set(tmp_path, offset=100)
    labels = Shapes100().labels("train")[chosen.pixels]
    names = caption_groups(BOTH)
    assert len(chosen) == 40_000
    assert not {Shapes100.classnames[label] for label in labels} & set(UNSEEN_CLASSNAMES)
    for row in range(0, 40_000, 997):
        name = Shapes100.classnames[labels[row]]
        assert names["fine"].names[chosen.targets["fine"][row]] == name
        assert names["colour"].names[chosen.targets["colour"][row]] == f"{name.split()[0]} shape"
        assert names["shape"].names[chosen.targets["shape"][row]] == name.split()[1]


def test_no_image_is_told_from_an_unseen_pair():
    groups = caption_groups(BOTH)
    hidden = hidden_names(groups)
    row = groups["fine"].names.index("red circle")
    for name, others in (
        ("colour", [f"{colour} circle" for colour in COLOURS]),
        ("shape", [f"red {s}" for s in SHAPES]),
    ):
        assert list(hidden[name][row]) == [other in UNSEEN_CLASSNAMES for other in others]
        assert not hidden[name][: len(CIFAR100_CLASSNAMES)].any()
        assert set(hidden[name][100:].sum(axis=1)) == {2}


# Data


def test_every_pass_is_a_permutation_wherever_one_starts():
    order = data.Shuffled(10, (0, 1))
    first = order.take(0, 20)
    assert sorted(first[:10]) == sorted(first[10:]) == list(range(10)) and list(first[:10]) != list(first[10:])
    assert np.array_equal(data.Shuffled(10, (0, 1)).take(7, 8), first[7:15])


def test_a_batch_is_moved_and_mirrored_but_not_distorted():
    pixels = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
    still = data.TrainingSet(pixels, {}, shift=0).batch(np.array([1, 1, 1, 1, 0]), np.random.default_rng(0))
    mirrored = [np.array_equal(each, pixels[1][:, ::-1]) for each in still[:4]]
    assert all(m or np.array_equal(each, pixels[1]) for m, each in zip(mirrored, still[:4], strict=True))
    moved = data.TrainingSet(pixels, {}, shift=2).batch(np.array([0, 1]), np.random.default_rng(0))
    assert moved.shape == pixels.shape and moved.dtype == np.uint8


# Network


def test_encode_text_and_the_small_vocabulary_change_nothing():
    vocabulary = Vocabulary(all_captions(BOTH))
    model = make_model(SMALL, vocabulary, seed=1).eval()
    captions = ["a photo of a red circle.", "orange", "a black and white photo of the small lawn mower."]
    own = encode_text(model, vocabulary.encode(captions))
    full = import_clip().model.build_model(to_state_dict(model, vocabulary)).float()
    expected = full.encode_text(import_clip().tokenize(captions)).detach()
    assert torch.allclose(
        own, expected, atol=5e-3 * float(expected.detach().abs().max())
    )  # half precision lies between


def test_orthogonal_evens_out_singular_values():
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    for each in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonal(each))
        assert orthogonal(each).shape == each.shape and values.min() > 0.4 and values.max() < 1.4


# Training


def _trainer(seed=0, steps=6):
    torch.set_num_threads(1)  # as the command line does: a few tiny operations are no work for two
    pixels, labels = Shapes100().pixels(range(80), "train"), Shapes100().labels("train")[:80]
    keep = np.flatnonzero(np.isin(labels, SEEN_LABELS))[:48]
    labels = labels[keep]
    targets = {"fine": np.searchsorted(SEEN_LABELS, labels), "colour": labels // 10, "shape": labels % 10}
    sets = {"shapes100": data.TrainingSet(pixels[keep], targets, shift=2)}
    settings = Settings(("shapes100",), epochs=steps * 24 / 48, seed=seed, batch=24, part=12, workers=1, small=0)
    return Trainer(settings, sets, SMALL)


def _weights(trainer):
    return torch.cat([value.double().flatten() for value in trainer.model.state_dict().values()])


def test_training_is_repeatable_and_learns():
    one, two, other = _trainer(), _trainer(), _trainer(seed=1)
    losses = [one.train_step() for _ in range(6)]
    assert [two.train_step() for _ in range(6)] == losses
    assert torch.equal(_weights(one), _weights(two))
    assert other.train_step() != losses[0]
    assert one.progress == 1 and np.mean(losses[-2:]) < losses[0]


def test_small_images_come_first_and_cost_less():
    trainer = _trainer()
    trainer = Trainer(dataclasses.replace(trainer.settings, small=0.1, epochs=1), trainer.sets, ARCH_64)
    trainer.train_step()
    assert (trainer.taken, trainer.work) == ({"shapes100": 48}, pytest.approx(0.55))
    trainer.train_step()
    assert (trainer.taken, trainer.work) == ({"shapes100": 72}, pytest.approx(1.05))


def test_resumed_equals_uninterrupted(tmp_path):
    whole, first, second = _trainer(), _trainer(), _trainer()
    for _ in range(4):
        whole.train_step()
    for _ in range(2):
        first.train_step()
    first.save(tmp_path / "run.pt")
    second.resume(tmp_path / "run.pt")
    for _ in range(2):
        second.train_step()
    assert torch.equal(_weights(whole), _weights(second))
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


def test_two_workers_do_what_one_does_up_to_rounding():
    one = _trainer()
    two = _trainer()
    two = Trainer(dataclasses.replace(two.settings, workers=2), two.sets, SMALL)
    assert one.train_step() == pytest.approx(two.train_step(), rel=1e-4)


def test_learning_rate_follows_the_clock_when_hours_are_given():
    trainer = _trainer()
    trainer.settings = dataclasses.replace(trainer.settings, hours=2)
    trainer.seconds = 1800
    assert trainer.progress == 0.25
    trainer.seconds = 9999
    assert trainer.progress == 1


def test_command_line_writes_a_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train, "load_sets", lambda *_: _trainer().sets)
    monkeypatch.setattr("clip_demo.tiny_clip.evaluate.report", lambda path, root: print("report of", path.name))
    arguments = ["--output", str(tmp_path / "out.pt"), "--dataset", "shapes100", "--epochs", "5", "--workers", "1"]
    assert train.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
    state = torch.load(tmp_path / "out.pt", weights_only=True)
    assert state["token_embedding.weight"].shape == (49408, Architecture().text_width)
    assert "report of out.pt" in capsys.readouterr().out
    assert train.main([*arguments, "--cache", str(tmp_path / "cache"), "--resume"]) == 0


def test_command_line_refuses_an_unknown_dataset(capsys):
    with pytest.raises(SystemExit) as end:
        train.main(["--output", "x.pt", "--dataset", "imagenet"])
    assert end.value.code == 2
    assert "--dataset: 'imagenet'; allowed are 'cifar100', 'shapes100' or both." in capsys.readouterr().err
