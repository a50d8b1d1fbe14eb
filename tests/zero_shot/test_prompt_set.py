"""The prompt set: checked once, hashable, handed on whole."""

import dataclasses

import pytest

from clip_demo.errors import ClassnamesError, OptionError, TemplateError
from clip_demo.zero_shot.prompt_set import MAX_NAMES, PromptSet, baseline_of
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE


def test_there_is_a_row_of_prompts_for_each_class():
    prompts = PromptSet(["sweet_pepper", "cat"], ["a {}.", "{}"])
    assert prompts.prompts == [["a sweet_pepper.", "sweet_pepper"], ["a cat.", "cat"]]


def test_underscores_become_spaces_in_prompts_only_on_request():
    names = ("sweet_pepper", "cat")
    assert PromptSet(names, ["a {}"]).prompts[0] == ["a sweet_pepper"]
    replaced = PromptSet(names, ["a {}"], replace_underscores=True)
    assert replaced.prompts[0] == ["a sweet pepper"] and replaced.classnames == names


def test_a_class_name_may_contain_braces():
    assert PromptSet(["{x}", "{}"], ["a {}"]).prompts == [["a {x}"], ["a {}"]]


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"classnames": "red"}, ClassnamesError),
        ({"classnames": ["red"]}, ClassnamesError),
        ({"classnames": ["red", "Red"]}, ClassnamesError),
        ({"templates": "a {}"}, TemplateError),
        ({"templates": ["a"]}, TemplateError),
        ({"templates": []}, TemplateError),
        ({"classnames": map(str, range(1000)), "templates": ["{}"] * 21}, TemplateError),
        ({"replace_underscores": "false"}, OptionError),
        ({"replace_underscores": None}, OptionError),
        ({"replace_underscores": 1}, OptionError),
    ],
)
def test_the_parts_are_checked_at_construction(parts, error):
    with pytest.raises(error):
        PromptSet(**{"classnames": ["red", "green"]} | parts)
    with pytest.raises(error):
        dataclasses.replace(PromptSet(["red", "green"]), **parts)


def test_the_message_about_the_underscore_switch():
    with pytest.raises(OptionError) as caught:
        PromptSet(["red", "green"], replace_underscores="false")
    assert str(caught.value) == "replace_underscores: 'false' is not allowed; use true or false."


def test_equal_prompt_sets_are_one_key():
    one = PromptSet(["red", " green"], ["a {c}"])
    other = PromptSet(iter(("red", "green")), ("a {}",), False)
    assert one == other and len({one: 1, other: 2}) == 1
    assert one != PromptSet(("red", "green"), ("a {}",), True)
    assert one != PromptSet(("green", "red"), ("a {}",))  # the order decides ties
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.classnames = ("red", "blue")


def test_the_default_template_is_that_of_openai_clips_readme():
    assert PromptSet(["red", "green"]).templates == (README_TEMPLATE,)


def test_for_dataset_takes_what_is_not_given_from_the_dataset(toy_images):
    assert PromptSet.for_dataset(toy_images) == PromptSet(toy_images.classnames, (README_TEMPLATE,), False)
    given = PromptSet.for_dataset(toy_images, ["cat", "dog"], CIFAR100_TEMPLATES, True)
    assert given == PromptSet(("cat", "dog"), CIFAR100_TEMPLATES, True)
    # An empty list is a mistake, not a request for the default.
    with pytest.raises(ClassnamesError):
        PromptSet.for_dataset(toy_images, classnames=[])
    with pytest.raises(TemplateError):
        PromptSet.for_dataset(toy_images, templates=[])


def test_varied_replaces_what_is_given():
    prompts = PromptSet(["red", "green"], ["a {}"])
    assert prompts.varied() is prompts
    assert prompts.varied(["cat", "dog"]) == PromptSet(["cat", "dog"], ["a {}"])
    assert prompts.varied(templates=["{}"], replace_underscores=True) == PromptSet(["red", "green"], ["{}"], True)
    assert prompts.varied(replace_underscores=True).varied(replace_underscores=False) == prompts
    with pytest.raises(TemplateError, match="^templates: 'x' has no"):
        prompts.varied(templates=["x"])


def test_a_baseline_is_the_prompt_set_with_other_parts():
    prompts = PromptSet(["red", "green"], ["a {}"])
    assert baseline_of(prompts) is None
    assert baseline_of(prompts, templates=["{}"]) == PromptSet(["red", "green"], ["{}"])


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"classnames": ["red"]}, ClassnamesError, "^baseline, classnames: got 1"),
        ({"templates": ["x"]}, TemplateError, "^baseline, templates: 'x' has no"),
        ({"replace_underscores": "no"}, OptionError, "^baseline, replace_underscores: 'no' is not allowed"),
    ],
)
def test_messages_about_a_baseline_say_so(parts, error, message):
    with pytest.raises(error, match=message):
        baseline_of(PromptSet(["red", "green"]), **parts)


def test_the_position_of_a_class_name_ignores_its_spelling():
    prompts = PromptSet(["red", "sweet_pepper"])
    assert prompts.position("red") == 0 and prompts.position("Sweet Pepper") == 1
    for unknown in ("zebra", None, 1):
        with pytest.raises(ClassnamesError) as caught:
            prompts.position(unknown)
        assert str(caught.value) == f"classname: {unknown!r} is not in the class list; use one of its names."


def test_renamed_gives_a_prompt_set_for_each_name():
    prompts = PromptSet(["red", "green", "blue"], ["a {}"], True)
    assert [each.classnames for each in prompts.renamed(1, ["lime", "grass"])] == [
        ("red", "lime", "blue"),
        ("red", "grass", "blue"),
    ]
    (single,) = prompts.renamed(2, "sky")
    assert single == PromptSet(["red", "green", "sky"], ["a {}"], True)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ([], OptionError, "^names: got 0; give 1 to 50 other names for the class.$"),
        ([str(i) for i in range(MAX_NAMES + 1)], OptionError, "^names: got 51; give 1 to 50 other names"),
        (["Blue"], ClassnamesError, "'Blue' and 'blue' make the same prompt"),
        ([" "], ClassnamesError, "number 1 is blank"),
    ],
)
def test_names_that_are_not_allowed(names, error, message):
    with pytest.raises(error, match=message):
        PromptSet(["red", "green", "blue"]).renamed(0, names)


def test_a_whole_test_set_needs_a_name_for_each_class(toy_images):
    PromptSet(["a", "b", "c", "d", "e"]).check_covers(toy_images)
    for names in (["red", "blue"], ["a", "b", "c", "d", "e", "f"]):
        with pytest.raises(ClassnamesError) as caught:
            PromptSet(names).check_covers(toy_images)
        assert str(caught.value) == (
            f"classnames: got {len(names)}; the test set of Toys-5 needs one for each of its 5 classes, in its order."
        )
