"""Parsing and checking of class lists and templates."""

import os

import pytest

from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.errors import ClassnamesError, TemplateError
from clip_demo.zero_shot.prompts import (
    MAX_CLASSNAMES,
    MAX_LENGTH,
    MAX_PROMPTS,
    MAX_TEMPLATES,
    check_classnames,
    check_number_of_prompts,
    check_templates,
    join_classnames,
    parse_class_file,
    parse_classnames,
    parse_templates,
    read_classnames,
    same_class,
)

CLASSES = "a prediction needs 2 to 1000 classes, one per line or separated by commas."
ONE_PLACEHOLDER = "write {} exactly once, where the class name goes, as in 'a photo of a {}'."
STRAY_BRACE = "has a stray brace; use braces only for the one {} where the class name goes."


def test_the_limits():
    assert (MAX_CLASSNAMES, MAX_TEMPLATES, MAX_PROMPTS, MAX_LENGTH) == (1000, 100, 20_000, 500)


@pytest.mark.parametrize(
    "text",
    [
        "cat, dog,sweet_pepper",
        "cat\ndog\nsweet_pepper",
        "cat,\n\n dog ,, sweet_pepper,",
        "cat\r\ndog\r\nsweet_pepper\r\n",
        "cat，dog、sweet_pepper",
        "\ufeffcat\ndog\nsweet_pepper",
    ],
)
def test_class_names_are_separated_by_commas_or_line_breaks(text):
    assert parse_classnames(text) == ("cat", "dog", "sweet_pepper")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"corn, on the cob", stove', ("corn, on the cob", "stove")),
        ("“corn, on the cob”，stove", ("corn, on the cob", "stove")),
        ('cat\n "a ""big"" dog, brown" \n', ("cat", 'a "big" dog, brown')),
        ('"cat","dog"', ("cat", "dog")),
        ('"", cat, " ", dog', ("cat", "dog")),
        ('rock "n" roll, 7" record, "cat', ('rock "n" roll', '7" record', '"cat')),
        ('"cat, dog\nbird, fox"', ('"cat', "dog", "bird", 'fox"')),
        ('"a" b, c', ('"a" b', "c")),
    ],
)
def test_a_name_in_quotation_marks_may_have_commas(text, names):
    assert parse_classnames(text) == names
    assert parse_classnames(join_classnames(names)) == parse_classnames(join_classnames(names, "\n")) == names


def test_names_without_commas_are_joined_as_they_are():
    assert join_classnames(["cat", 'rock "n" roll']) == 'cat, rock "n" roll'
    assert join_classnames(['"cat"', "a, b"]) == '"""cat""", "a, b"'


def test_templates_are_separated_by_line_breaks_and_keep_their_commas():
    assert parse_templates("a {}, a photo\n\n{}\n") == ("a {}, a photo", "{}")


@pytest.mark.parametrize(
    ("classnames", "message"),
    [
        ("cat", "got a bare string ('cat'), which would be read character by character; give a list such as "
         "['cat', 'dog']."),
        ([], f"got 0; {CLASSES}"),
        (["cat"], f"got 1 ('cat'); {CLASSES}"),
        ([str(i) for i in range(1001)], f"got 1001; {CLASSES}"),
        (["cat", " "], "number 2 is blank; give it a name or remove it."),
        (["_", "cat"], "number 1 is blank; give it a name or remove it."),
        (["cat", "\u200b\x07\ufeff_\u3000"], "number 2 is blank; give it a name or remove it."),
        (["cat", "dog", "cat"], "'cat' occurs twice; remove one of them."),
        (["cat", "cat "], "'cat' occurs twice; remove one of them."),
        (["cat", "dog\ud83d"], "number 2 ('dog\\ud83d') has half of a character, which no text can have; type it "
         "again."),
        ({"cat": 1, "dog": 2}, "got {'cat': 1, 'dog': 2}; give a list such as ['cat', 'dog']."),
        (["cat", 7], "number 2 is 7, not text; give a list of strings."),
        (["cat", "x" * 501], f"number 2 ('{'x' * 57}...') has 501 characters; at most 500 are allowed. Shorten it."),
        (5, "got 5; give a list such as ['cat', 'dog']."),
        (True, "got True; give a list such as ['cat', 'dog']."),
        (None, "got None; give a list such as ['cat', 'dog']."),
    ],
)  # fmt: skip
def test_the_message_for_an_invalid_class_list(classnames, message):
    with pytest.raises(ClassnamesError) as caught:
        check_classnames(classnames)
    assert str(caught.value) == f"classnames: {message}"


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        ("a {}", "got a bare string ('a {}'); give a list such as ['a photo of a {}']."),
        ([], "got 0; give 1 to 100, one per line, such as 'a photo of a {}'."),
        (["{}"] * 101, "got 101; give 1 to 100, one per line, such as 'a photo of a {}'."),
        (["a photo"], f"'a photo' has no {{}}; {ONE_PLACEHOLDER}"),
        (["{} and {}"], f"'{{}} and {{}}' has {{}} 2 times; {ONE_PLACEHOLDER}"),
        (["{0}"], f"'{{0}}' has no {{}}; {ONE_PLACEHOLDER}"),
        (["{} {x}"], f"'{{}} {{x}}' {STRAY_BRACE}"),
        (["{}}"], f"'{{}}}}' {STRAY_BRACE}"),
        ([3], "3 is not text; give a string such as 'a photo of a {}'."),
        (["a {}\udc00"], "'a {}\\udc00' has half of a character, which no text can have; type it again."),
        ({"a {}": 1}, "got {'a {}': 1}; give a list such as ['a photo of a {}']."),
        (["x" * 500 + "{}"], f"'{'x' * 57}...' has 502 characters; at most 500 are allowed. Shorten it."),
        (5, "got 5; give a list such as ['a photo of a {}']."),
        (True, "got True; give a list such as ['a photo of a {}']."),
        (None, "got None; give a list such as ['a photo of a {}']."),
    ],
)  # fmt: skip
def test_the_message_for_an_invalid_template(templates, message):
    with pytest.raises(TemplateError) as caught:
        check_templates(templates)
    assert str(caught.value) == f"templates: {message}"


@pytest.mark.parametrize(
    ("classnames", "sentence"),
    [
        ([], "Type at least two class names, one per line."),
        (["cat"], "“cat” is the only class name. Type at least one more, one per line."),
        ([str(i) for i in range(1001)], "The list has 1,001 class names. Use at most 1,000."),
        (["cat", "_"], "Class name 2 is blank. Type a name or remove it."),
        (["cat", "x" * 501], f"“{'x' * 39}…” is longer than 500 characters. Shorten it."),
        (["cat", "dog", "cat"], "“cat” is on the list twice. Remove one."),
        (["cat", "dog\ud83d"], "Class name 2, “dog?”, has half of a character. Type it again."),
    ],
)  # fmt: skip
def test_what_the_page_says_about_a_class_list(classnames, sentence):
    with pytest.raises(ClassnamesError) as caught:
        check_classnames(classnames)
    assert caught.value.page_message == sentence


ONCE = "Write {} once in the prompt: it becomes each class name."
EXTRA = "Braces are only for {}, which becomes each class name."


@pytest.mark.parametrize(
    ("templates", "sentence"),
    [
        ([], "Type a prompt with {} for the class name, such as “a photo of a {}”."),
        (["{}"] * 101, "There are 101 prompts. Use at most 100."),
        (["a photo"], ONCE),
        (["{} and {}"], ONCE),
        (["a {}", "a photo"], "Write {} once in the line “a photo”: it becomes each class name."),
        (["{}}"], f"Remove the extra brace from the prompt. {EXTRA}"),
        (["a {}", "{} {x}"], f"Remove the extra brace from the line “{{}} {{x}}”. {EXTRA}"),
        (["x" * 500 + "{}"], "Shorten the prompt: at most 500 characters are allowed."),
        (["a {}\udc00"], "There is half of a character in the prompt. Type it again."),
        (["{}", "x" * 501], f"Shorten the line “{'x' * 39}…”: at most 500 characters are allowed."),
    ],
)  # fmt: skip
def test_what_the_page_says_about_templates(templates, sentence):
    with pytest.raises(TemplateError) as caught:
        check_templates(templates)
    assert caught.value.page_message == sentence


def test_the_number_of_prompts_is_bounded():
    check_number_of_prompts(range(1000), CIFAR100_TEMPLATES)
    check_number_of_prompts(range(1000), range(20))
    with pytest.raises(TemplateError) as caught:
        check_number_of_prompts(range(1000), range(21))
    assert str(caught.value) == (
        "templates: 21 for 1000 classes make 21,000 prompts; at most 20,000 are allowed. Use fewer templates or fewer "
        "classes."
    )
    assert caught.value.page_message == (
        "Use fewer prompts or fewer classes: 21 prompts with 1,000 class names make 21,000 texts, and at most 20,000 "
        "are allowed."
    )


def test_names_and_templates_are_stripped():
    assert check_classnames([" cat", "dog\t"]) == ("cat", "dog")
    assert check_templates([" a {} "]) == ("a {}",)


def test_the_placeholder_of_openai_clips_readme_is_accepted():
    assert check_templates(["a photo of a {c}"]) == ("a photo of a {}",)


def test_class_names_are_read_from_a_file_or_the_argument(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("cat\ndog\n", encoding="utf-8")
    assert read_classnames(str(file)) == read_classnames("cat, dog") == ("cat", "dog")


def test_a_file_is_tried_before_its_path_is_taken_for_a_list(tmp_path):
    file = tmp_path / "birds, and others" / "classes.txt"
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\n")
    assert read_classnames(str(file)) == ("cat", "dog")
    for names in (["cat", "dog"], ["a" * 300, "b"], ["\0", "b"], [f"name {k}" for k in range(1000)]):
        assert read_classnames(", ".join(names)) == tuple(names)


FILE = [
    ("cat\ndog\n", ("cat", "dog")),
    ("cat, dog", ("cat", "dog")),
    ("猫，狗、鳥", ("猫", "狗", "鳥")),
    ("cat,\ndog,\n", ("cat", "dog")),
    ("cat, dog,\n\nbird, fox\n", ("cat", "dog", "bird", "fox")),
    ("cat\ndog,\nbird", ("cat", "dog", "bird")),
    ('"washer, automatic"\nstove\n', ("washer, automatic", "stove")),
    ('["washer, automatic", "stove"]', ("washer, automatic", "stove")),
    ("", ()),
]


@pytest.mark.parametrize(("text", "names"), FILE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_class_file_in_any_encoding_of_unicode(text, names, encoding, line_end):
    assert parse_class_file(text.replace("\n", line_end).encode(encoding), "x") == names


def test_commas_of_a_class_file_whose_meaning_is_not_clear():
    text = b"stove\n\nwasher, automatic\ncorn, on the cob\n"
    assert parse_class_file(text, "x", one_per_line=True) == ("stove", "washer, automatic", "corn, on the cob")
    with pytest.raises(ClassnamesError) as caught:
        parse_class_file(text, "'x.txt'")
    assert str(caught.value) == (
        "classes: line 3 of 'x.txt' ('washer, automatic') has a comma; give --one-class-per-line if commas belong to "
        'names, put such names in quotation marks as "corn, on the cob", or break the line there.'
    )


def test_a_large_class_file_is_read_at_once():
    names = tuple(f"name {number}" for number in range(100_000))
    assert parse_class_file("\n".join(names).encode(), "x") == names
    assert len(parse_class_file(b'"' * 1_000_000, "x")) == 1


def test_a_class_list_from_a_pipe(tmp_path):
    read, write = os.pipe()
    os.write(write, b"cat\ndog\n")
    os.close(write)
    assert read_classnames(f"/dev/fd/{read}") == ("cat", "dog")


def test_a_tilde_in_the_path_of_a_class_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.txt").write_text("cat\ndog\n")
    assert read_classnames("~/x.txt") == ("cat", "dog") and read_classnames("~a,~b") == ("~a", "~b")


@pytest.mark.parametrize("comma", [",", "，", "、", ", "])
def test_one_name_and_a_comma_are_a_list_that_lacks_another_name(comma):
    assert read_classnames(f"cat{comma}") == ("cat",)


def test_the_message_for_a_class_file_that_does_not_exist():
    with pytest.raises(ClassnamesError) as caught:
        read_classnames("nowhere.txt")
    assert str(caught.value) == (
        "classes: 'nowhere.txt' is neither a file nor a list of two or more names; give a file with one name per line, "
        "or names separated by commas such as 'cat,dog'."
    )


def test_the_message_for_a_class_file_that_is_not_text(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ClassnamesError) as caught:
        read_classnames(str(path))
    start, end = str(caught.value).split(" (", 1)
    assert start == f"classes: {str(path)!r} cannot be read as text"
    assert end.endswith("); give a UTF-8 file with one name per line.")


def test_only_equal_names_are_twice_on_a_list_before_a_tokenizer_is_asked():
    for names in (("sweet_pepper", "sweet pepper"), ("cat", "Cat"), ("a & b", "a &amp; b"), ("cat", "\ufeffcat")):
        assert check_classnames(names) == names


def test_case_spaces_and_underscores_do_not_distinguish_classes():
    assert same_class("sweet_pepper", "Sweet  pepper")
    assert not same_class("cat", "cats") and not same_class(None, "a") and not same_class(None, None)
