import numpy as np
import pytest

from clip_demo.numerics import normalize
from clip_demo.zero_shot.classifier import zero_shot_scores
from clip_demo.zero_shot.none_of_these import (
    NegativeLabels,
    judge,
    names_class,
    negative_labels,
    neglabel_scores,
    nouns_of,
    threshold_of,
    words_of,
)
from clip_demo.zero_shot.nouns import NOUNS
from clip_demo.zero_shot.prompt_set import PromptSet

RNG = np.random.default_rng(5)
CLASSES, OTHERS = normalize(RNG.normal(size=(3, 8))), normalize(RNG.normal(size=(20, 8)))
NEGATIVES = NegativeLabels(tuple(f"noun{i}" for i in range(20)), OTHERS)
IMAGE = 7 * RNG.normal(size=8)


def test_the_nouns_are_single_words_that_a_model_can_tell_apart():
    assert 300 < len(NOUNS) < 600 and len(set(NOUNS)) == len(NOUNS)
    assert all(noun.isalpha() and noun.islower() for noun in NOUNS)
    PromptSet(NOUNS).check_distinct(lambda prompt: prompt)
    assert nouns_of("of no model that is known") == NOUNS


@pytest.mark.parametrize(
    ("noun", "named"),
    [("cup", True), ("tree", True), ("bus", True), ("berry", True), ("boy", True), ("up", False), ("cat", False)],
)
def test_a_noun_names_a_class_alone_in_the_plural_and_as_one_of_its_words(noun, named):
    assert names_class(noun, words_of(["Cup of coffee", "oak_tree", "buses", "berries", "boys"])) == named


def test_three_quarters_of_the_nouns_stay_those_that_are_farthest_from_every_class():
    angles = np.radians([0, 10, 80, 45, 60, 30])
    nouns, weights = ("dog", "puppy", "sea", "cat", "tree", "wolf"), np.stack([np.cos(angles), np.sin(angles)], axis=1)
    left = negative_labels(nouns, weights, np.array([[1.0, 0.0]]), ["dogs"])
    assert left.nouns == ("sea", "cat", "tree")  # of five, in the order of the list; "dogs" names the dog
    assert np.array_equal(left.weights, weights[[2, 3, 4]])
    near_both = negative_labels(nouns, weights, np.array([[1.0, 0.0], [0.0, 1.0]]), ["dogs", "sky"])
    assert near_both.nouns == ("cat", "tree", "wolf")
    assert negative_labels(nouns, weights, weights, nouns).nouns == ()


def test_the_shares_of_the_classes_and_of_the_nouns_make_one():
    weights = np.concatenate([CLASSES, OTHERS]) @ normalize(IMAGE)
    expected = np.exp(12 * weights) / np.exp(12 * weights).sum()
    scores = zero_shot_scores(CLASSES, IMAGE, 12.0, ("a", "b", "c"), 3, OTHERS)
    none = judge(CLASSES, IMAGE, 12.0, NEGATIVES)
    assert none.probability == pytest.approx(expected[3:].sum())
    assert none.strongest == f"noun{expected[3:].argmax()}"
    assert none.strongest_probability == pytest.approx(expected[3:].max())
    assert sorted(score.probability for score in scores) == pytest.approx(sorted(expected[:3]))
    assert sum(score.probability for score in scores) + none.probability == pytest.approx(1, abs=1e-12)
    alone = zero_shot_scores(CLASSES, IMAGE, 12.0, ("a", "b", "c"), 3)
    assert [(s.label, s.cosine) for s in scores] == [(s.label, s.cosine) for s in alone]
    assert none.wins == (none.probability > scores[0].probability)


def test_mcm_is_the_largest_softmax_of_the_cosines_and_does_not_depend_on_the_scale():
    cosines = CLASSES @ normalize(IMAGE)
    for scale in (0.5, 100):
        assert judge(CLASSES, IMAGE, scale, NEGATIVES).mcm == pytest.approx(
            np.exp(cosines.max()) / np.exp(cosines).sum()
        )


def test_without_nouns_the_list_keeps_everything():
    none = judge(CLASSES, IMAGE, 12.0, NegativeLabels((), np.empty((0, 8))))
    assert (none.probability, none.strongest, none.wins) == (0, None, False)


def test_neglabels_score_is_what_the_list_keeps():
    scores = neglabel_scores(np.array([[0.3, 0.1]]), np.array([[0.2, 0.0, 0.1]]), 10)
    known, all_of_them = np.exp([3, 1]).sum(), np.exp([3, 1, 2, 0, 1]).sum()
    assert scores == pytest.approx([known / all_of_them])


@pytest.mark.parametrize("n", [1, 19, 20, 21, 1000, 8000])
def test_the_threshold_is_the_highest_that_95_percent_reach(n):
    scores = np.random.default_rng(n).permutation(n) / n
    threshold = threshold_of(scores)
    assert (scores >= threshold).mean() >= 0.95
    assert (scores > threshold).mean() < 0.95
