"""What the bars are compared with."""

from clip_demo.ui.explore.comparison import PAUSE, Comparison, Words
from clip_demo.zero_shot.classifier import ZeroShotScore
from clip_demo.zero_shot.prompt_set import PromptSet

A, B, C, D = (PromptSet(["cat", "dog"], [f"{letter} {{}}"]) for letter in "abcd")


def test_the_comparison_is_with_the_words_before_the_last_change():
    words = Words("image", A)
    assert words.then("image", A, 1) is words and words.previous is None
    words = words.then("image", B, 10)
    assert (words.prompts, words.previous) == (B, A)
    words = words.then("image", C, 10 + PAUSE)  # a change of its own
    assert (words.prompts, words.previous) == (C, B)


def test_letters_that_follow_each_other_are_one_change():
    words = Words("image", A)
    for i, prompts in enumerate((B, C, D)):
        words = words.then("image", prompts, 10 + i * 0.9 * PAUSE)
    assert (words.prompts, words.previous) == (D, A)


def test_another_image_starts_anew():
    words = Words("image", A).then("image", B, 1).then("other", C, 2)
    assert words == Words("other", C)


def test_a_class_is_found_with_its_rank_whatever_its_spelling():
    scores = (ZeroShotScore("sweet_pepper", 0.7, 0.3), ZeroShotScore("cat", 0.3, 0.2))
    comparison = Comparison("before", scores)
    assert comparison.find("Cat") == (2, scores[1])
    assert comparison.find("sweet pepper") == (1, scores[0])
    assert comparison.find("dog") is None
