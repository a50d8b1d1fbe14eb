"""The prompt set: its checks, its prompts and its variations."""

import pytest

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import ClassnamesError, InputError, OptionError, TemplateError
from clip_demo.zero_shot.prompt_set import MAX_NAMES, PromptSet, baseline_of
from clip_demo.zero_shot.templates import README_TEMPLATE

PROMPTS = PromptSet(("cat", "sweet_pepper"), ("a {}.", "{}"))


# --- construction ----------------------------------------------------------------------------------------------------


def test_the_default_template_is_that_of_openai_clips_readme():
    assert PromptSet(("a", "b")).templates == (README_TEMPLATE,)
    assert PromptSet(("a", "b")).replace_underscores is False


def test_parts_are_stored_as_checked_tuples():
    prompts = PromptSet((name for name in [" cat", "dog "]), ["a photo of a {c}"])
    assert (prompts.classnames, prompts.templates) == (("cat", "dog"), ("a photo of a {}",))


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"classnames": ("cat",)}, ClassnamesError, "classnames: got 1"),
        ({"classnames": "cat"}, ClassnamesError, "classnames: got a bare string"),
        ({"classnames": None}, ClassnamesError, "classnames: got None"),
        ({"templates": ("no",)}, TemplateError, "templates: 'no' has no {}"),
        ({"templates": "a {}"}, TemplateError, "templates: got a bare string"),
        ({"templates": None}, TemplateError, "templates: got None"),
        (
            {"classnames": map(str, range(1000)), "templates": ["{}"] * 21},
            TemplateError,
            "templates: 21 for 1000 classes",
        ),
        (
            {"replace_underscores": "false"},
            OptionError,
            "replace_underscores: 'false' is not allowed; use true or false.",
        ),
        ({"replace_underscores": 1}, OptionError, "replace_underscores: 1 is not allowed"),
        ({"replace_underscores": None}, OptionError, "replace_underscores: None is not allowed"),
    ],
)
def test_every_part_is_checked_at_construction(parts, error, message):
    with pytest.raises(error) as caught:
        PromptSet(**({"classnames": ("cat", "dog")} | parts))
    assert str(caught.value).startswith(message)


def test_a_prompt_set_is_immutable():
    with pytest.raises(AttributeError):
        PROMPTS.templates = ("{}",)


def test_equal_prompt_sets_have_equal_hashes():
    same = PromptSet(["cat", "sweet_pepper"], ["a {}.", "{}"])
    assert same == PROMPTS and hash(same) == hash(PROMPTS) and {PROMPTS: 1}[same] == 1
    others = {
        PROMPTS,
        PromptSet(("sweet_pepper", "cat"), ("a {}.", "{}")),
        PromptSet(("cat", "sweet_pepper"), ("{}", "a {}.")),
        PromptSet(("cat", "sweet_pepper"), ("a {}.", "{}"), replace_underscores=True),
    }
    assert len(others) == 4


def test_the_defaults_for_a_dataset_are_its_class_names_and_the_readmes_template(toy_dataset):
    assert PromptSet.for_dataset(toy_dataset) == PromptSet(toy_dataset.classnames, (README_TEMPLATE,), False)
    assert PromptSet.for_dataset(Shapes100()).classnames == Shapes100.classnames


def test_given_parts_replace_the_defaults_for_a_dataset(toy_dataset):
    assert PromptSet.for_dataset(toy_dataset, ["a", "b"], ["{}"], True) == PromptSet(("a", "b"), ("{}",), True)
    assert PromptSet.for_dataset(toy_dataset, templates=["{}"]).classnames == toy_dataset.classnames
    with pytest.raises(ClassnamesError):
        PromptSet.for_dataset(toy_dataset, classnames=[])
    with pytest.raises(TemplateError):
        PromptSet.for_dataset(toy_dataset, templates=[])


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_prompts_are_a_row_per_class_and_an_entry_per_template():
    assert PROMPTS.prompts == [["a cat.", "cat"], ["a sweet_pepper.", "sweet_pepper"]]


def test_underscores_become_spaces_in_the_prompts_only_when_requested():
    prompts = PROMPTS.varied(replace_underscores=True)
    assert prompts.prompts == [["a cat.", "cat"], ["a sweet pepper.", "sweet pepper"]]
    assert prompts.classnames == ("cat", "sweet_pepper")


def test_a_class_name_may_contain_braces():
    assert PromptSet(("{x}", "{}"), ("a {}",)).prompts == [["a {x}"], ["a {}"]]


# --- variations ------------------------------------------------------------------------------------------------------


def test_varied_returns_the_same_object_where_nothing_is_given():
    assert PROMPTS.varied() is PROMPTS and PROMPTS.varied(None, None, None) is PROMPTS


def test_varied_replaces_the_given_parts():
    assert PROMPTS.varied(templates=["{}"]) == PromptSet(PROMPTS.classnames, ("{}",))
    assert PROMPTS.varied(["a", "b"], replace_underscores=True) == PromptSet(("a", "b"), PROMPTS.templates, True)
    assert PROMPTS.varied(replace_underscores=True).varied(replace_underscores=False) == PROMPTS


def test_varied_checks_the_given_parts():
    with pytest.raises(ClassnamesError):
        PROMPTS.varied(classnames=[])
    with pytest.raises(TemplateError):
        PROMPTS.varied(templates=[])
    with pytest.raises(OptionError):
        PROMPTS.varied(replace_underscores="no")


def test_a_baseline_without_parts_is_none():
    assert baseline_of(PROMPTS) is None


def test_a_baseline_differs_in_the_given_parts():
    assert baseline_of(PROMPTS, templates=["{}"]) == PROMPTS.varied(templates=["{}"])
    assert baseline_of(PROMPTS, replace_underscores=False) == PROMPTS


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"classnames": ["a"]}, ClassnamesError),
        ({"templates": ["no"]}, TemplateError),
        ({"replace_underscores": "yes"}, OptionError),
    ],
)
def test_errors_of_a_baseline_begin_with_baseline(parts, error):
    with pytest.raises(error) as caught:
        baseline_of(PROMPTS, **parts)
    with pytest.raises(InputError) as of_the_part:
        PROMPTS.varied(**parts)
    assert type(caught.value) is error and str(caught.value) == f"baseline, {of_the_part.value}"
    assert caught.value.page_message == of_the_part.value.page_message


# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sweet_pepper", "Sweet pepper", " sweet  pepper "])
def test_the_position_of_a_class_ignores_case_spaces_and_underscores(name):
    assert PROMPTS.position(name) == 1


def test_the_position_of_a_class_is_that_of_its_own_spelling_where_that_is_on_the_list():
    assert PromptSet(("sweet_pepper", "sweet pepper", "cat")).position("sweet pepper") == 1


def test_two_names_that_become_the_same_tokens_are_refused():
    prompts = PromptSet(("dog", "sweet_pepper", "sweet pepper", "Dog"), ("a {}", "{}"))
    prompts.check_distinct(str)
    with pytest.raises(ClassnamesError) as caught:
        prompts.check_distinct(str.lower)
    assert str(caught.value) == (
        "classnames: 'dog' and 'Dog' make the same prompts for this model: its tokenizer does not tell them apart. "
        "Remove one of them."
    )
    assert caught.value.page_message == "“dog” and “Dog” are the same to CLIP. Remove one."
    with pytest.raises(ClassnamesError, match="'sweet_pepper' and 'sweet pepper' make the same prompts"):
        prompts.varied(replace_underscores=True).check_distinct(str)


def test_names_are_distinct_if_one_template_tells_them_apart():
    prompts = PromptSet(("cat", "cats", "dog"), ("the {}s", "a {}"))
    prompts.check_distinct(lambda prompt: prompt.replace("catss", "cats"))
    with pytest.raises(ClassnamesError, match="'cat' and 'cats'"):
        prompts.check_distinct(lambda prompt: prompt.replace("cats", "cat").replace("cats", "cat"))


def test_a_thousand_names_are_told_apart_by_their_first_prompts():
    asked = []
    names, templates = [f"name {i}" for i in range(1000)], [f"{i} {{}}" for i in range(20)]
    PromptSet(names, templates).check_distinct(lambda prompt: asked.append(prompt) or prompt)
    assert asked == [f"0 {name}" for name in names]
    asked.clear()
    with pytest.raises(ClassnamesError, match="'name 0' and 'Name 0'"):
        PromptSet([*names[:-1], "Name 0"], templates).check_distinct(lambda p: asked.append(p) or p.lower())
    assert len(asked) == 1000 + 2 * 19  # of the two, all prompts


@pytest.mark.parametrize("name", ["zebra", "", None, 1])
def test_the_message_for_a_class_that_is_not_in_the_list(name):
    with pytest.raises(ClassnamesError) as caught:
        PROMPTS.position(name)
    assert str(caught.value) == f"classname: {name!r} is not in the class list; use one of its names."
    assert caught.value.page_message == f"“{name}” is not on the class list. Choose one of its names."


def test_renamed_gives_a_prompt_set_for_each_name():
    prompts = PromptSet(("cat", "dog", "cow"), ("{}",), replace_underscores=True)
    assert prompts.renamed(1, ["hound", "puppy"]) == [
        PromptSet(("cat", "hound", "cow"), ("{}",), True),
        PromptSet(("cat", "puppy", "cow"), ("{}",), True),
    ]


def test_a_single_name_may_be_a_string():
    assert PROMPTS.renamed(0, "kitten") == PROMPTS.renamed(0, ["kitten"])


@pytest.mark.parametrize("n", [0, 51])
def test_the_message_for_too_few_or_too_many_names(n):
    assert MAX_NAMES == 50
    with pytest.raises(OptionError) as caught:
        PROMPTS.renamed(0, map(str, range(n)))
    assert str(caught.value) == f"names: got {n}; give 1 to 50 other names for the class."
    assert caught.value.page_message == "Type 1 to 50 other names for the class, one per line."


@pytest.mark.parametrize(("name", "message"), [("sweet_pepper", "'sweet_pepper' occurs twice"), (" ", "1 is blank")])
def test_other_names_are_checked_too(name, message):
    with pytest.raises(ClassnamesError, match=message):
        PROMPTS.renamed(0, [name])


def test_a_prompt_set_covers_a_dataset_with_as_many_classes(toy_dataset):
    PromptSet(("a", "b", "c", "d", "e")).check_covers(toy_dataset)
    with pytest.raises(ClassnamesError) as caught:
        PROMPTS.check_covers(toy_dataset)
    assert str(caught.value) == (
        "classnames: got 2; the test set of Toys-5 needs one for each of its 5 classes, in its order."
    )
    assert caught.value.page_message == (
        "The list has 2 class names, but Toys-5 has 5 classes. Type one name for each class, in the dataset’s order."
    )
