"""Tokens are those of openai-clip, and each prompt is tokenised once."""

import numpy as np
import pytest

from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.errors import PromptTooLongError
from clip_demo.models import tokenizer
from clip_demo.models.openai_clip import import_clip

PROMPTS = [
    *(template.replace("{}", "sweet_pepper") for template in CIFAR100_TEMPLATES),
    *(
        "",
        "a",
        "A CAT",
        "it’s",
        "🐱 猫",
        "cafe\u0301",
        "a &amp;amp; b",
        "x <|endoftext|> y",
        "naïve " * 20,
        "word " * 75,
    ),
]


@pytest.mark.parametrize("context_length", [77, 90])
def test_the_numbers_are_those_of_openai_clip(context_length):
    theirs = import_clip().tokenize(PROMPTS, context_length=context_length)
    ours = tokenizer.tokenize(PROMPTS, context_length)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.numpy().dtype


def test_a_prompt_is_as_long_as_the_context_allows():
    tokenizer.tokenize(["word " * 75], 77)
    with pytest.raises(PromptTooLongError, match=r"has 78 tokens, including start and end of text; at most 77"):
        tokenizer.tokenize(["cat", "word " * 76], 77)


def test_each_prompt_is_tokenised_once(monkeypatch):
    asked, encode = [], import_clip().clip._tokenizer.encode
    monkeypatch.setattr(import_clip().clip._tokenizer, "encode", lambda prompt: asked.append(prompt) or encode(prompt))
    prompts = [f"a prompt of this test, number {n}" for n in range(5)]
    assert len({tokenizer.tokens(prompt) for prompt in prompts}) == 5
    tokenizer.tokenize(prompts, 77)
    assert asked == prompts


def test_openai_clips_own_memory_of_words_is_bounded(monkeypatch):
    words = import_clip().clip._tokenizer.cache
    monkeypatch.setattr(tokenizer, "MAX_CACHED_WORDS", len(words) + 2)
    for n in range(10):
        tokenizer.tokens(f"uncommonword{n}x")
    assert len(words) <= tokenizer.MAX_CACHED_WORDS + 3
