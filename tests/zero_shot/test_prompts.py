"""Parsing and checking of what a user types into the template and the class list."""

import pytest

from clip_demo.errors import ClassnamesError, TemplateError
from clip_demo.zero_shot.prompts import (
    MAX_CLASSNAMES,
    MAX_LENGTH,
    MAX_PROMPTS,
    MAX_TEMPLATES,
    check_classnames,
    check_number_of_prompts,
    check_templates,
    parse_classnames,
    parse_templates,
    read_classnames,
    same_class,
)


def test_the_limits():
    assert (MAX_CLASSNAMES, MAX_TEMPLATES, MAX_PROMPTS, MAX_LENGTH) == (1000, 100, 20_000, 500)


@pytest.mark.parametrize(
    "text",
    [
        "cat, dog,sweet_pepper",
        "cat\ndog\nsweet_pepper",
        "cat,\n\n dog ,, sweet_pepper,",
        "cat\r\ndog\r\nsweet_pepper\r\n",
    ],
)
def test_class_lists_are_separated_by_lines_or_commas(text):
    assert parse_classnames(text) == ("cat", "dog", "sweet_pepper")


def test_templates_are_separated_by_lines_and_keep_their_commas():
    assert parse_templates("a {}, a photo\n\n{}\n") == ("a {}, a photo", "{}")


@pytest.mark.parametrize(
    ("classnames", "message"),
    [
        ("cat", "classnames: got a bare string ('cat'), which would be read character by character; give a list such "
         "as ['cat', 'dog']."),
        (7, "classnames: got 7; give a list such as ['cat', 'dog']."),
        ([], "classnames: got 0; a prediction needs 2 to 1000 classes, one per line or separated by commas."),
        (["cat"], "classnames: got 1 ('cat'); a prediction needs 2 to 1000 classes, one per line or separated by "
         "commas."),
        ([str(i) for i in range(1001)], "classnames: got 1001; a prediction needs 2 to 1000 classes, one per line or "
         "separated by commas."),
        (["cat", " "], "classnames: number 2 is blank; give it a name or remove it."),
        (["_", "cat"], "classnames: number 1 is blank; give it a name or remove it."),
        (["cat", "dog", "cat"], "classnames: 'cat' occurs twice; remove one of them."),
        (["cat", "cat "], "classnames: 'cat' occurs twice; remove one of them."),
        (["sweet_pepper", "Sweet pepper"], "classnames: 'sweet_pepper' and 'Sweet pepper' make the same prompt; "
         "remove one of them."),
        (["cat", 7], "classnames: number 2 is 7, not text; give a list of strings."),
        (["cat", "x" * 501], f"classnames: number 2 ('{'x' * 57}...') has 501 characters; at most 500 are allowed. "
         "Shorten it."),
    ],
)  # fmt: skip
def test_a_class_list_that_is_not_allowed(classnames, message):
    with pytest.raises(ClassnamesError) as caught:
        check_classnames(classnames)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ("a {}", "templates: got a bare string ('a {}'); give a list such as ['a photo of a {}']."),
        (7, "templates: got 7; give a list such as ['a photo of a {}']."),
        ([], "templates: got 0; give 1 to 100, one per line, such as 'a photo of a {}'."),
        (["{}"] * 101, "templates: got 101; give 1 to 100, one per line, such as 'a photo of a {}'."),
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
        (["x" * 500 + "{}"], f"templates: '{'x' * 57}...' has 502 characters; at most 500 are allowed. Shorten it."),
    ],
)  # fmt: skip
def test_a_template_that_is_not_allowed(templates, message):
    with pytest.raises(TemplateError) as caught:
        check_templates(templates)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", [5, True, None])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(ClassnamesError, match=f"classnames: got {value}; give a list"):
        check_classnames(value)
    with pytest.raises(TemplateError, match=f"templates: got {value}; give a list"):
        check_templates(value)


def test_any_iterable_is_accepted_and_stripped():
    assert check_classnames(name for name in (" cat", "dog\n")) == ("cat", "dog")
    assert check_templates({" a {} ": None}) == ("a {}",)


def test_the_number_of_prompts_is_bounded():
    check_number_of_prompts(range(1000), range(20))
    with pytest.raises(TemplateError) as caught:
        check_number_of_prompts(range(1000), range(21))
    assert str(caught.value) == (
        "templates: 21 for 1000 classes make 21,000 prompts; at most 20,000 are allowed. Use fewer templates or fewer "
        "classes."
    )


def test_the_placeholder_of_openai_clips_readme_is_accepted():
    assert check_templates(["a photo of a {c}"]) == ("a photo of a {}",)


def test_class_lists_come_from_a_file_or_from_the_argument(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("cat\ndog\n", encoding="utf-8")
    assert read_classnames(str(file)) == read_classnames("cat, dog") == read_classnames("cat\ndog") == ("cat", "dog")


def test_a_class_file_that_does_not_exist():
    with pytest.raises(ClassnamesError, match=r"^classes: 'nowhere.txt' is neither a file nor a list of two or more"):
        read_classnames("nowhere.txt")


def test_a_class_file_that_is_not_text(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClassnamesError, match="^classes: '.*x' cannot be read as text"):
        read_classnames(str(tmp_path / "x"))


def test_case_spaces_and_underscores_do_not_make_another_class():
    assert same_class("sweet_pepper", "Sweet  pepper")
    assert not same_class("cat", "cats") and not same_class(None, "a") and not same_class("a", None)
