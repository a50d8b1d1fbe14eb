"""The images of the training."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.datasets.shapes100 import UNSEEN_CLASSNAMES, Shapes100
from clip_demo.models.openai_clip import import_clip
from clip_demo.tiny_clip.captions import caption_groups
from clip_demo.tiny_clip.data import Shuffled, TrainingSet, resize, shapes100_set


def test_images_of_unseen_classes_are_left_out(tmp_path):
    np.save(tmp_path / "shapes100-train.npy", np.arange(50_000))  # in the cache, numbers instead of images
    chosen = shapes100_set(tmp_path, offset=100)
    labels = Shapes100().labels("train")[chosen.pixels]
    groups = caption_groups(("cifar100", "shapes100"))
    assert len(chosen) == 40_000
    assert not {Shapes100.classnames[label] for label in labels} & set(UNSEEN_CLASSNAMES)
    for row in range(0, 40_000, 997):
        name = Shapes100.classnames[labels[row]]
        assert groups["fine"].names[chosen.targets["fine"][row]] == name
        assert groups["colour"].names[chosen.targets["colour"][row]] == f"{name.split()[0]} shape"
        assert groups["shape"].names[chosen.targets["shape"][row]] == name.split()[1]


def test_every_epoch_is_a_permutation_and_does_not_depend_on_the_start():
    first = Shuffled(10, (0, 1)).take(0, 20)
    assert sorted(first[:10]) == sorted(first[10:]) == list(range(10)) and list(first[:10]) != list(first[10:])
    assert np.array_equal(Shuffled(10, (0, 1)).take(7, 8), first[7:15])


def test_a_batch_is_shifted_and_flipped_only():
    pixels = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
    unshifted = TrainingSet(pixels, {}, shift=0).batch(np.array([1, 1, 1, 1, 0]), np.random.default_rng(0))
    for each in unshifted[:4]:
        assert np.array_equal(each, pixels[1]) or np.array_equal(each, pixels[1][:, ::-1])
    shifted = TrainingSet(pixels, {}, shift=2).batch(np.array([0, 1]), np.random.default_rng(0))
    assert shifted.shape == pixels.shape and shifted.dtype == np.uint8


@pytest.mark.parametrize("size", [32, 64, 256])
def test_resize_agrees_with_openai_clips_transform(size):
    pixels = Shapes100().pixels([1, 2], size=size)
    transform = import_clip().clip._transform(64)
    expected = torch.stack([transform(Image.fromarray(each)) for each in pixels])
    # Two grey levels of 255, divided by the smallest of CLIP's standard deviations.
    assert (resize(pixels, 64) - expected).abs().max() < 2.01 / 255 / 0.26
