"""CSV that a spreadsheet shows and does not compute."""

import csv
import io

import pytest

from clip_demo.csv_text import write_csv


def cells(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'=", "''@", " =", "\ufeff="]
)
def test_text_that_a_spreadsheet_would_compute_gets_an_apostrophe(start):
    text = f'{start}HYPERLINK("x"),1'
    assert cells(write_csv([(text, "a")])) == [[f"'{text}", "a"]]


@pytest.mark.parametrize("text", ["cat", "'", "'cat'", "a=b", "", " a=1", "1-2", 'a "photo", of\n{}'])
def test_other_text_is_not_touched(text):
    assert cells(write_csv([(text,)])) == [[text]] if text else write_csv([(text,)]) == '""\n'


def test_numbers_are_not_touched():
    assert write_csv([(-1, -0.5, 1e-9, True, None)]) == "-1,-0.5,1e-09,True,\n"
