"""The training batch, its loss and the snapshots."""

import numpy as np
import pytest
import torch

from clip_demo.errors import OptionError
from clip_demo.inside.contrastive_batch import (
    batch_images,
    check_snapshot,
    choose_pairs,
    contrastive_batch,
    read_snapshots,
    snapshot_batch,
)
from clip_demo.models.load import load_model
from clip_demo.numerics import normalize


def test_the_loss_is_that_of_figure_3_in_radford_et_al_2021():
    rng = np.random.default_rng(0)
    images, texts = (normalize(rng.normal(size=(9, 6))) for _ in range(2))
    batch = contrastive_batch(batch_images()[:9], images, texts, 15.0)
    # The figure's pseudocode in torch.
    logits = torch.from_numpy(images @ texts.T) * 15.0
    labels = torch.arange(9)
    loss_i, loss_t = (torch.nn.functional.cross_entropy(each, labels) for each in (logits, logits.T))
    assert (batch.image_loss, batch.text_loss) == pytest.approx((float(loss_i), float(loss_t)))
    assert batch.loss == pytest.approx(float((loss_i + loss_t) / 2))
    np.testing.assert_allclose(batch.to_text, torch.softmax(logits, dim=1))
    np.testing.assert_allclose(batch.to_image, torch.softmax(logits, dim=0))
    assert batch.right_captions == int((logits.argmax(dim=1) == labels).sum())
    assert batch.right_images == int((logits.argmax(dim=0) == labels).sum())
    assert batch.chance == pytest.approx(np.log(9)) and batch.progress is None


def test_a_model_that_knows_nothing_has_the_loss_of_chance():
    same = np.tile(normalize(np.ones(4)), (8, 1))
    batch = contrastive_batch(batch_images()[:8], same, same, 100.0)
    assert batch.loss == pytest.approx(batch.chance) == pytest.approx(np.log(8))


def test_the_diagonal_emerges_in_the_snapshots():
    pairs = choose_pairs()
    batches = [snapshot_batch(pairs, k) for k in range(len(read_snapshots().progress))]
    assert (batches[0].progress, batches[-1].progress) == (0.0, 1.0)
    assert batches[0].loss == pytest.approx(batches[0].chance, abs=0.1) and batches[-1].loss < 0.1
    assert (batches[0].right_captions, batches[-1].right_captions, batches[-1].right_images) == (1, 15, 15)


def test_the_last_snapshot_is_the_model_as_it_is():
    """A photo that was changed after the training must not be shown beside the features of the old one."""
    model, snapshots = load_model("tiny", device="cpu"), read_snapshots()
    images = normalize(model.encode_images([model.preprocess(each.image) for each in batch_images()]))
    texts = normalize(model.encode_texts([each.caption for each in batch_images()]))
    assert (images * snapshots.images[-1]).sum(axis=1).min() > 0.9999
    assert (texts * snapshots.texts[-1]).sum(axis=1).min() > 0.9999
    assert snapshots.logit_scale[-1] == pytest.approx(model.logit_scale, rel=1e-5)


def test_images_and_captions_are_chosen_in_the_given_order():
    pairs = choose_pairs(["cat.jpg", "shapes100 220"], [" a red circle ", "a cat"])
    assert [(each.source, each.caption) for each in pairs] == [("cat.jpg", "a red circle"), ("shapes100 220", "a cat")]
    batch = snapshot_batch(choose_pairs(["cat.jpg", "shapes100 220"]), 7)
    assert batch.captions == ("a photo of a cat.", "a photo of a red circle.") and batch.right_captions == 2
    assert len(choose_pairs()) == 15


@pytest.mark.parametrize(
    ("sources", "captions", "message"),
    [
        (["cat.jpg"], None, "sources: got .*; give 2 to 15 different ones"),
        (["cat.jpg", "cat.jpg"], None, "give 2 to 15 different ones"),
        (["cat.jpg", "dog.jpg"], None, "dog.jpg"),
        (None, ["a cat"], "captions: got 1, of which 1 are text .* one for each of the 15 images"),
        (["cat.jpg", "woman.jpg"], ["a cat", " "], "captions: got 2, of which 1 are text"),
        (["cat.jpg", "woman.jpg"], "ab", "captions: got 1"),
        (["cat.jpg", "woman.jpg"], ["a", "b" * 501], "1 to 500 characters"),
    ],
)
def test_what_does_not_fit_is_refused(sources, captions, message):
    with pytest.raises(OptionError, match=message):
        choose_pairs(sources, captions)


@pytest.mark.parametrize(("snapshot", "allowed"), [(0, False), (8, True), (-1, True), (True, True), (1.0, True)])
def test_a_snapshot_that_does_not_exist_or_fit_is_refused(snapshot, allowed):
    with pytest.raises(OptionError, match="only the built-in model has snapshots, 0 to 7"):
        check_snapshot(snapshot, allowed)
    assert check_snapshot(3, True) == 3


@pytest.mark.parametrize("wrong", [5, [["cat.jpg"], ["woman.jpg"]], [{}, {}], [None, 7], "cat.jpg", {"cat.jpg": 1}])
def test_anything_but_names_and_text_is_refused_with_a_sentence(wrong):
    with pytest.raises(OptionError, match="^sources: got "):
        choose_pairs(wrong)
    with pytest.raises(OptionError, match="^captions: got "):
        choose_pairs(["cat.jpg", "woman.jpg"], wrong if wrong != "cat.jpg" else "a cat")
