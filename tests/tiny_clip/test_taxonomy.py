"""Which words are true of which training images."""

import pytest

from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES
from clip_demo.tiny_clip.taxonomy import KEPT_OUT_CLASSES, KEPT_OUT_SYNONYMS, Taxonomy, truth


@pytest.fixture(scope="module")
def taxonomy():
    return Taxonomy()


def words_true_of(taxonomy, dataset, name, noun):
    own = taxonomy.nouns[dataset][name][noun]
    return taxonomy.true_words(own, taxonomy.classes[dataset][name])


def test_the_classes_of_three_datasets_have_concepts(taxonomy):
    assert {name: len(each) for name, each in taxonomy.classes.items()} == {
        "cifar100": 100,
        "cifar10": 10,
        "tinyimagenet": 200,
    }
    assert set(taxonomy.classes["cifar100"]) == set(CIFAR100_CLASSNAMES)
    assert taxonomy.class_words("cifar100", "couch") == ("couch", "sofa", "lounge")
    assert taxonomy.class_words("cifar100", "maple_tree") == ("maple tree", "maple")


def test_a_tabby_is_a_cat_a_pet_and_an_animal(taxonomy):
    true, possible = words_true_of(taxonomy, "cifar10", "cat", "tabby_cat")
    assert {"tabby", "cat", "domestic cat", "pet", "feline", "mammal", "animal"} <= true
    assert not {"dog", "tiger", "big cat", "wild animal"} & possible


def test_what_was_found_by_a_broad_noun_may_be_something_narrower(taxonomy):
    true, possible = words_true_of(taxonomy, "cifar100", "apple", "apple")
    assert "golden delicious" not in true and "golden delicious" in possible
    _, possible = words_true_of(taxonomy, "cifar100", "apple", "golden_delicious")
    assert "red delicious" not in possible


@pytest.mark.parametrize(
    ("name", "noun", "untrue"),
    [("dolphin", "dolphin", "whale"), ("castle", "castle", "house"), ("tiger", "tiger", "cat"), ("bus", "bus", "car")],
)
def test_broader_words_are_those_of_everyday_language(taxonomy, name, noun, untrue):
    assert untrue not in words_true_of(taxonomy, "cifar100", name, noun)[0]


def test_no_caption_has_a_word_of_a_kept_out_class(taxonomy):
    text = " ".join(taxonomy.words).replace("-", " ").split()
    for name in KEPT_OUT_CLASSES:
        names = next(each for each in taxonomy.classes["tinyimagenet"] if each.split(",")[0] == name)
        assert taxonomy.is_kept_out(taxonomy.classes["tinyimagenet"][names])
        assert name.split()[-1] not in text  # "king" of "king penguin" is also in "king of beasts"
    assert not KEPT_OUT_SYNONYMS.keys() & set(text)
    assert taxonomy.noun_is_kept_out("cifar10", "ship", "banana_boat")
    assert not taxonomy.noun_is_kept_out("cifar10", "ship", "speedboat")


def test_people_are_called_by_neutral_words_only(taxonomy):
    people = [
        word for name in ("man", "woman", "boy", "girl", "baby") for word in taxonomy.class_words("cifar100", name)
    ]
    assert set(people) == set(
        "man,guy,male person,woman,lady,female person,boy,male child,young boy,little boy,girl,female child,"
        "little girl,young girl,baby,infant,newborn baby".split(",")
    )
    for name in ("man", "woman", "boy", "girl", "baby"):  # whatever the photos were found by
        assert set(taxonomy.nouns["cifar100"][name].values()) == {taxonomy.classes["cifar100"][name]}


def test_truth_is_a_table_of_what_may_be_true(taxonomy):
    table = truth(taxonomy, [("tabby#2", "cat"), ("apple", "apple")], ["animal", "cat", "fruit", "golden delicious"])
    assert table.tolist() == [[True, True, False, False], [False, False, True, True]]
