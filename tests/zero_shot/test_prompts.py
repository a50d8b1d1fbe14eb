"""What a user types into the template and the class list."""

import pytest

from clip_demo.datasets.cifar100_classes import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF
from clip_demo.errors import ClassnamesError, ClipDemoError, TemplateError
from clip_demo.zero_shot.prompts import (
    check_classnames,
    check_number_of_prompts,
    check_templates,
    parse_classnames,
    parse_templates,
    prompts_for,
    read_classnames,
    same_class,
)
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE


def test_prompts_are_a_row_a_class():
    assert prompts_for(["sweet_pepper", "cat"], ["a {}.", "{}"]) == [
        ["a sweet_pepper.", "sweet_pepper"],
        ["a cat.", "cat"],
    ]


def test_underscores_become_spaces_in_prompts_only_when_asked():
    assert prompts_for(["sweet_pepper"], ["a {}"], replace_underscores=True) == [["a sweet pepper"]]


def test_a_class_name_may_hold_braces():
    assert prompts_for(["{x}", "{}"], ["a {}"]) == [["a {x}"], ["a {}"]]


@pytest.mark.parametrize(
    "text",
    [
        "cat, dog,sweet_pepper",
        "cat\ndog\nsweet_pepper",
        "cat,\n\n dog ,, sweet_pepper,",
        "cat\r\ndog\r\nsweet_pepper\r\n",
    ],
)
def test_class_lists_are_lines_or_commas(text):
    assert parse_classnames(text) == ("cat", "dog", "sweet_pepper")


def test_templates_are_lines_and_keep_their_commas():
    assert parse_templates("a {}, a photo\n\n{}\n") == ("a {}, a photo", "{}")


@pytest.mark.parametrize(
    ("classnames", "message"),
    [
        ("cat", "classnames: a bare string came ('cat'), which would be read character by character; give a list such as "
         "['cat', 'dog']."),
        ([], "classnames: only 0 came; a prediction chooses among 2 to 1000 classes, one a line or with commas."),
        (["cat"], "classnames: only 1 came ('cat'); a prediction chooses among 2 to 1000 classes, one a line or with "
         "commas."),
        ([str(i) for i in range(1001)], "classnames: 1001 came; a prediction chooses among 2 to 1000 classes, one a "
         "line or with commas."),
        (["cat", " "], "classnames: number 2 is blank; give it a name or take it out."),
        (["_", "cat"], "classnames: number 1 is blank; give it a name or take it out."),
        (["cat", "dog", "cat"], "classnames: 'cat' occurs twice; take one of them out."),
        (["cat", "cat "], "classnames: 'cat' occurs twice; take one of them out."),
        (["sweet_pepper", "Sweet pepper"], "classnames: 'sweet_pepper' and 'Sweet pepper' make the same prompt; take "
         "one of them out."),
        (["cat", 7], "classnames: number 2 is 7, not text; give a list of strings."),
    ],
)  # fmt: skip
def test_a_bad_class_list_is_named(classnames, message):
    with pytest.raises(ClassnamesError) as caught:
        check_classnames(classnames)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ("a {}", "templates: a bare string came ('a {}'); give a list such as ['a photo of a {}']."),
        ([], "templates: none came; give 1 to 100, one a line, such as 'a photo of a {}'."),
        (["{}"] * 101, "templates: 101 came; give 1 to 100, one a line, such as 'a photo of a {}'."),
        (["a photo"], "templates: 'a photo' has no {}; write {} exactly once, where the class name goes, as in 'a "
         "photo of a {}'."),
        (["{} and {}"], "templates: '{} and {}' has {} 2 times; write {} exactly once, where the class name goes, as "
         "in 'a photo of a {}'."),
        (["{} {x}"], "templates: '{} {x}' has a stray brace; use braces only for the one {} where the class "
         "name goes."),
        (["{0}"], "templates: '{0}' has no {}; write {} exactly once, where the class name goes, as in 'a photo of a "
         "{}'."),
        (["{}}"], "templates: '{}}' has a stray brace; use braces only for the one {} where the class name goes."),
        ([3], "templates: 3 is not text; give a string such as 'a photo of a {}'."),
    ],
)  # fmt: skip
def test_a_bad_template_is_named(templates, message):
    with pytest.raises(TemplateError) as caught:
        check_templates(templates)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [5, True, None])
def test_another_type_is_named(value):
    with pytest.raises(ClassnamesError, match=f"classnames: {value} came; give a list"):
        check_classnames(value)
    with pytest.raises(TemplateError, match=f"templates: {value} came; give a list"):
        check_templates(value)


def test_texts_and_their_number_are_bounded():
    with pytest.raises(
        ClassnamesError, match=r"number 2 \('xxx.*\.\.\.'\) has 501 characters; at most 500 are allowed"
    ):
        check_classnames(["cat", "x" * 501])
    with pytest.raises(TemplateError, match="has 502 characters; at most 500 are allowed"):
        check_templates(["x" * 500 + "{}"])
    check_number_of_prompts(range(1000), CIFAR100_TEMPLATES)
    with pytest.raises(TemplateError, match="21 for 1000 classes make 21,000 prompts; at most 20,000 are allowed"):
        check_number_of_prompts(range(1000), range(21))


def test_the_articles_own_placeholder_is_understood():
    assert check_templates(["a photo of a {c}"]) == ("a photo of a {}",)


def test_user_errors_are_value_errors():
    assert issubclass(ClipDemoError, ValueError) and issubclass(TemplateError, ClipDemoError)


def test_class_lists_come_from_a_file_or_the_argument(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("cat\ndog\n", encoding="utf-8")
    assert read_classnames(str(file)) == read_classnames("cat, dog") == ("cat", "dog")


def test_a_class_file_that_is_not_there_is_said():
    with pytest.raises(ClassnamesError, match=r"'nowhere.txt' is neither a file nor a list"):
        read_classnames("nowhere.txt")


def test_a_class_file_that_is_not_text_is_said(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClassnamesError, match="cannot be read as text"):
        read_classnames(str(tmp_path / "x"))


def test_spelling_does_not_part_a_class_from_itself():
    assert same_class("sweet_pepper", "Sweet  pepper") and not same_class("cat", "cats") and not same_class(None, "a")


def test_the_article_and_the_paper_are_quoted_right():
    assert README_TEMPLATE == "a photo of a {}"
    assert len(set(CIFAR100_TEMPLATES)) == 18 and all(t.endswith(".") for t in CIFAR100_TEMPLATES)
    assert len(CIFAR100_CLASSNAMES) == len(CIFAR100_COARSE_OF) == 100
    assert sum("_" in name for name in CIFAR100_CLASSNAMES) == 9
    assert [CIFAR100_COARSE_OF.count(i) for i in range(20)] == [5] * 20
    assert CIFAR100_COARSE_NAMES[CIFAR100_COARSE_OF[CIFAR100_CLASSNAMES.index("snake")]] == "reptiles"
    for template in (README_TEMPLATE, *CIFAR100_TEMPLATES):
        assert check_templates([template]) == (template,)
