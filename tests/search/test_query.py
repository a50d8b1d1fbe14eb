import numpy as np
import pytest

from clip_demo.errors import InputError, OptionError
from clip_demo.search.query import check_sentence, check_source, check_whole, combine


def test_a_sentence_is_taken_as_typed():
    assert check_sentence("  a red {} bicycle, ") == "a red {} bicycle,"
    assert check_sentence(None) is check_sentence("") is check_sentence(" \n") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (7, "text: got int; give a sentence such as 'a red bicycle'"),
        ("a" * 501, "text: got 501 characters; at most 500 are allowed. Shorten the sentence"),
        ("a \ud83d", "text: 'a \\\\ud83d' has half of a character"),
    ],
)
def test_a_sentence_that_cannot_be_used_is_named(text, message):
    with pytest.raises(InputError, match=message):
        check_sentence(text)


def test_there_is_a_sentence_or_one_image():
    for given in (("red", None, None), (None, b"", None), (None, None, 0), ("red", b"", None)):
        check_source(*given)
    with pytest.raises(OptionError, match="text, image, index: got none") as caught:
        check_source(None, None, None)
    assert caught.value.page_message == "Type a sentence, or choose an image."
    with pytest.raises(OptionError, match="image, index: got both"):
        check_source("red", b"", 0)


@pytest.mark.parametrize("value", [0, 11, 1.5, True, "3", None, float("nan"), float("inf")])
def test_a_number_is_whole_and_within_bounds(value):
    with pytest.raises(OptionError, match=r"limit: .* is not allowed; use a whole number from 1 to 10\."):
        check_whole("limit", value, 1, 10)
    assert check_whole("limit", 3.0, 1, 10) == 3


def test_a_combination_is_the_normalised_sum_of_the_normalised_parts():
    a, b = np.array([3, 0], dtype=np.float32), np.array([0, 0.1], dtype=np.float32)
    np.testing.assert_allclose(combine(a, b), [0.5**0.5, 0.5**0.5], atol=1e-15)
    np.testing.assert_allclose(combine(a), [1, 0])
    assert combine(a).dtype == np.float64
