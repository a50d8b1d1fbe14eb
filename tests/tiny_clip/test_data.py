"""The images of the training."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip_demo.datasets.shapes100 import UNSEEN_CLASSNAMES, Shapes100
from clip_demo.models.openai_clip import import_clip
from clip_demo.tiny_clip.data import (
    Shuffled,
    TrainingSet,
    cifar10_nouns,
    cifar100_nouns,
    noun_set,
    recompress,
    resize,
    shapes100_set,
    sharpen,
    synset_set,
)
from clip_demo.tiny_clip.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def taxonomy():
    return Taxonomy()


def test_images_of_unseen_classes_are_left_out(tmp_path):
    np.save(tmp_path / "shapes100-train.npy", np.arange(50_000))  # in the cache, numbers instead of images
    chosen = shapes100_set(tmp_path)
    labels = Shapes100().labels("train")[chosen.pixels]
    assert len(chosen) == 40_000
    assert not {Shapes100.classnames[label] for label in labels} & set(UNSEEN_CLASSNAMES)
    for row in range(0, 40_000, 997):
        assert chosen.kind_list[chosen.kinds[row]].classname == Shapes100.classnames[labels[row]]


def test_images_of_kept_out_nouns_are_left_out(taxonomy):
    packed = {
        "classnames": np.array(["ship", "cat"]),
        "keywords": np.array(["banana_boat", "speedboat", "tabby_cat"]),
        "labels": np.array([0, 0, 1]),
        "keyword": np.array([0, 1, 2]),
    }
    chosen = noun_set(taxonomy, "cifar10", np.arange(3), cifar10_nouns(packed))
    assert chosen.pixels.tolist() == [1, 2]
    assert [kind.concepts for kind in chosen.kind_list] == [("speedboat", "ship"), ("tabby#2", "cat")]


def test_images_of_kept_out_synsets_are_left_out(taxonomy):
    names = np.array(["koala, koala bear, kangaroo bear, native bear, Phascolarctos cinereus", "mantis, mantid"])
    chosen = synset_set(taxonomy, {"names": names, "labels": np.array([1, 0, 1]), "images": np.arange(3)})
    assert chosen.pixels.tolist() == [0, 2] and chosen.kind_list[0].concepts == ("mantis", "mantis")


def test_the_nouns_of_cifar100_come_from_its_file_names(cifar100):
    nouns = cifar100_nouns(cifar100.root)
    assert len(nouns) == 50_000
    assert sum(noun == "golden_delicious" for _, noun in nouns) == 114
    assert {name for name, noun in nouns if noun == "bike"} == {"bicycle", "motorcycle"}
    assert not [noun for _, noun in nouns if noun[-1].isdigit() or noun.endswith("png") or "manual" in noun]


def test_every_epoch_is_a_permutation_and_does_not_depend_on_the_start():
    first = Shuffled(10, (0, 1)).take(0, 20)
    assert sorted(first[:10]) == sorted(first[10:]) == list(range(10)) and list(first[:10]) != list(first[10:])
    assert np.array_equal(Shuffled(10, (0, 1)).take(7, 8), first[7:15])


def test_a_batch_is_shifted_and_flipped_only():
    pixels = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
    kinds = np.zeros(2, np.int64)
    unshifted = TrainingSet(pixels, kinds, [], shift=0).batch(np.array([1, 1, 1, 1, 0]), np.random.default_rng(0))
    for each in unshifted[:4]:
        assert np.array_equal(each, pixels[1]) or np.array_equal(each, pixels[1][:, ::-1])
    shifted = TrainingSet(pixels, kinds, [], shift=2).batch(np.array([0, 1]), np.random.default_rng(0))
    assert shifted.shape == pixels.shape and shifted.dtype == np.uint8


@pytest.mark.parametrize("size", [32, 64, 256])
def test_resize_agrees_with_openai_clips_transform(size):
    pixels = Shapes100().pixels([1, 2], size=size)
    transform = import_clip().clip._transform(64)
    expected = torch.stack([transform(Image.fromarray(each)) for each in pixels])
    # Two grey levels of 255, divided by the smallest of CLIP's standard deviations.
    assert (resize(pixels, 64) - expected).abs().max() < 2.01 / 255 / 0.26


def test_sharpening_adds_the_difference_to_the_mean_of_the_neighbours():
    image = torch.zeros(2, 3, 5, 5)
    image[:, :, 2, 2] = 9.0
    result = sharpen(image, torch.tensor([0.5, 0.0]).view(2, 1, 1, 1))
    assert result[0, 0, 2, 2] == 13 and result[0, 0, 1, 1] == -0.5 and result[0, 0, 0, 0] == 0
    assert torch.equal(result[1], image[1])


def test_recompressed_images_have_lost_the_sharpness_of_their_colours_and_little_else():
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    pixels[:, ::2, :, 0], pixels[:, 1::2, :, 1] = 200, 102  # rows of red and green of about the same luminance
    pixels[1, :, 16:] = 128
    changed = recompress(pixels).astype(int)
    assert changed.shape == pixels.shape and np.abs(changed[1, :, 24:] - 128).max() <= 3
    difference = np.abs(changed[..., 0] - changed[..., 1])  # one colour for both rows, as in a compressed photo
    assert difference[0].mean() < 0.6 * np.abs(pixels[0, ..., 0].astype(int) - pixels[0, ..., 1]).mean()
