"""The prompt sets that the browser keeps for the visitor."""

import json

import pytest

from clip_demo.ui.kept_prompts import keep, read_kept
from clip_demo.zero_shot.prompt_set import PromptSet

RED, BLUE = PromptSet(("red", "“rot”"), ("a {}", "the {}"), True), PromptSet(("blue", "sky_blue"))


def test_a_prompt_set_is_kept_for_each_dataset_until_it_is_forgotten():
    text = keep(keep(None, "toys", RED), "others", BLUE)
    assert read_kept(text) == {"toys": RED, "others": BLUE}
    assert read_kept(keep(text, "toys", BLUE)) == {"toys": BLUE, "others": BLUE}
    assert read_kept(keep(text, "others", None)) == {"toys": RED}
    assert read_kept("") == read_kept(None) == read_kept(keep("", "toys", None)) == {}


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[1]", "3", '{"toys": 3}', '{"toys": {"classnames": ["red"]}}', "[" * 100_000, 7, ["a"]]
    + [json.dumps({"toys": {"classnames": ["a"] * 2, "templates": ["{}"], "replace_underscores": False}})]
    + [json.dumps({"toys": {"classnames": "red", "templates": ["{}"], "replace_underscores": False}})],
)
def test_what_is_no_prompt_set_is_ignored(text):
    assert read_kept(text) == {}
