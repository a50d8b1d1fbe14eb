"""The captions of the training."""

import re
from random import Random

import numpy as np
import pytest

from clip_demo.datasets.shapes100 import COLOURS, SHAPES, UNSEEN_CLASSNAMES, Shapes100
from clip_demo.tiny_clip.attributes import ATTRIBUTES
from clip_demo.tiny_clip.captions import SEEN_LABELS, CaptionWriter, Kind, hidden_shapes
from clip_demo.tiny_clip.evaluation_sentences import SENTENCES
from clip_demo.tiny_clip.sentences import PARTS, sentence
from clip_demo.tiny_clip.taxonomy import KEPT_OUT_CLASSES, KEPT_OUT_SYNONYMS, Taxonomy

NAMES = list(ATTRIBUTES)


@pytest.fixture(scope="module")
def writer():
    taxonomy = Taxonomy()
    kinds = [
        Kind(dataset, name, (concept, taxonomy.classes[dataset][name]))
        for dataset, classes in taxonomy.nouns.items()
        for name, nouns in classes.items()
        for noun, concept in nouns.items()
        if not taxonomy.noun_is_kept_out(dataset, name, noun)
    ]
    tiny = taxonomy.classes["tinyimagenet"].items()
    kinds += [Kind("tinyimagenet", name, (each, each)) for name, each in tiny if not taxonomy.is_kept_out(each)]
    kinds += [Kind("shapes100", Shapes100.classnames[label], None) for label in SEEN_LABELS]
    return CaptionWriter(taxonomy, list(dict.fromkeys(kinds)))


def kind_of(writer, dataset, name, noun=None):
    kinds = writer.kinds
    return next(
        k
        for k, each in enumerate(kinds)
        if (each.dataset, each.classname) == (dataset, name) and noun in (None, each.concepts and each.concepts[0])
    )


def test_every_class_has_a_caption_and_every_photo_one_of_its_own(writer):
    kinds = np.arange(len(writer.kinds))
    captions = writer.write(kinds, np.full(len(kinds), -1), Random(0))
    assert writer.n_classes == 100 + 10 + 180 + 80
    assert len(captions.words) == len(captions.statements) == len(captions.texts) - writer.first_own
    is_photo = np.array([kind.concepts is not None for kind in writer.kinds])
    assert ((captions.own >= 0) == is_photo).all()
    for kind, own in zip(kinds[is_photo], captions.own[is_photo], strict=True):
        word = writer.words[captions.words[own - writer.first_own]]
        assert word in captions.texts[own].replace("_", " ") and word in writer.words_of(kind)
    assert writer.write(kinds, np.full(len(kinds), -1), Random(0)).texts == captions.texts


def test_a_class_that_may_be_true_is_no_wrong_answer(writer):
    cat, tabby = kind_of(writer, "cifar10", "cat", "cat"), kind_of(writer, "tinyimagenet", "tabby, tabby cat")
    answers, column = writer.answers, writer.class_of_kind
    assert answers[cat, column[cat]] and answers[tabby, column[tabby]]
    assert not answers[cat, column[tabby]] and not answers[tabby, column[cat]]
    assert answers[cat, column[kind_of(writer, "cifar10", "dog")]]
    assert answers[cat, column[kind_of(writer, "cifar100", "tiger")]]


def test_a_caption_about_an_altered_image_has_a_twin_that_is_false(writer):
    kind = kind_of(writer, "cifar100", "bicycle", "bicycle")
    for number, name in enumerate(NAMES):
        kinds, alterations = np.full(40, kind), np.full(40, number)
        captions = writer.write(kinds, alterations, Random(1))
        possible = writer.possible(kinds, alterations, captions)
        said = captions.statements[:40] > 0
        assert 20 <= said.sum() <= 39 and set(captions.statements[:40][said]) == {2 + 2 * number}
        assert possible[:, :40].sum() >= 40 and set(captions.statements[40:]) == {3 + 2 * number}
        # Its own captions are possible, their twins are not.
        assert possible[np.arange(40), captions.own - writer.first_own].all()
        assert not possible[:, 40:].any(), name


def test_an_unaltered_image_is_nothing_that_was_said_of_an_altered_one(writer):
    dog = kind_of(writer, "cifar10", "dog", "dog")
    kinds, alterations = np.array([dog] * 60), np.array([-1] * 30 + [NAMES.index("blurry")] * 30)
    captions = writer.write(kinds, alterations, Random(3))
    possible = writer.possible(kinds, alterations, captions)
    same_word = captions.words == captions.words[0]
    blurry = captions.statements == 2 + 2 * NAMES.index("blurry")
    assert (blurry & same_word).any() and not possible[:30, blurry].any()
    assert possible[30:, blurry].all()  # whatever true word they use


def test_no_caption_names_an_unseen_pair(writer):
    captions = [text.replace("black and white", "") for k in range(20) for text in written(writer, k)]
    for colour, shape in (name.split() for name in UNSEEN_CLASSNAMES):
        both = [c for c in captions if re.search(rf"\b{colour}\b", c) and re.search(rf"\b{shape}\b", c)]
        assert not [c for c in both if "shapes" in c or re.search(rf"\b{colour} {shape}\b", c)]
    assert {*COLOURS, *SHAPES} <= set(" ".join(captions).replace(".", "").split())


def written(writer, seed):
    kinds = np.random.default_rng(seed).integers(0, len(writer.kinds), 64)
    alterations = np.random.default_rng(seed).integers(-1, len(NAMES), 64)
    return writer.write(kinds, alterations, Random(seed)).texts


def test_captions_consist_of_known_parts_and_of_no_kept_out_word(writer):
    words = {word for part in writer.parts() for word in re.findall(r"[a-z]+", part)}
    for seed in range(20):
        for text in written(writer, seed):
            assert set(re.findall(r"[a-z]+", text)) <= words, text
    kept_out = {name.split()[-1] for name in KEPT_OUT_CLASSES} | KEPT_OUT_SYNONYMS.keys()
    assert not words & kept_out


def test_the_test_sentences_are_not_among_the_captions():
    frames = {part for part in PARTS if "{}" in part}
    assert len(set(SENTENCES)) == 20 and not frames & set(SENTENCES)
    written = {sentence("apple", Random(seed)) for seed in range(20_000)}
    assert not {each.replace("{}", "apple") for each in SENTENCES} & written
    assert len(written) > 7_000 and sum(len(each.split()) <= 2 for each in written) < 600  # few bare words


def test_names_that_complete_an_unseen_class_are_hidden():
    hidden, row = hidden_shapes(), Shapes100.classnames.index("red circle")
    completed = {"colour": [f"{colour} circle" for colour in COLOURS], "shape": [f"red {shape}" for shape in SHAPES]}
    for group, names in completed.items():
        assert list(hidden[group][row]) == [name in UNSEEN_CLASSNAMES for name in names]
        assert set(hidden[group].sum(axis=1)) == {2}
