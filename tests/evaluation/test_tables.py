"""Tables for other programs."""

import csv
import io
import json

import pytest

from clip_demo.evaluation import tables


@pytest.fixture
def report(with_head, swapped, own_names):
    return with_head.evaluate(
        swapped.varied(templates=["a {}", '{}, "so"']), baseline=own_names.varied(templates=["{}"])
    )


def read_csv(table):
    return list(csv.DictReader(io.StringIO(tables.to_csv(table))))


def read_json(table):
    return json.loads(tables.to_json(table))


def test_the_summary_is_one_row(report):
    (row,) = read_json(tables.summary(report))
    assert (row["templates"], row["top1"], row["difference_lost"]) == ('a {}\n{}, "so"', 0.6, 8)
    assert (row["replace_underscores"], row["n"], row["top5"], row["probe_top1"]) == (False, 20, 1.0, 0.8)
    (read,) = read_csv(tables.summary(report))
    assert read["templates"] == row["templates"] and float(read["difference_p_value"]) == 2 * 0.5**8


def test_there_is_a_row_per_class(report, swapped):
    classes = read_csv(tables.per_class(report))
    assert [row["class"] for row in classes] == list(swapped.classnames)
    first = classes[0]
    assert (first["confused_with_1"], first["count_1"], first["confused_with_2"]) == ("red", "4", "")


def test_the_confusion_matrix_omits_zeros(report):
    cells = read_json(tables.confusion(report.confusion()))
    assert {"true": "green", "predicted": "red", "n": 4} in cells and sum(cell["n"] for cell in cells) == 20
    assert len(cells) == 5


def test_there_is_a_row_per_bin_and_predictor(report):
    bins = read_json(tables.calibration(report.calibration()))
    assert len(bins) == 30 and {row["predictor"] for row in bins} == {"zero-shot", "probe"}
    assert {row["ece"] for row in bins} == {each.ece for each in report.calibration().values()}


def test_there_is_a_row_per_image(report):
    rows = read_json(tables.images(report, report.images("only zero-shot")[:1]))
    assert rows == [{"index": 4, "truth": "white", "zero_shot": "white", "probe": "yellow"}]


def test_there_is_a_row_per_template(backend, own_names):
    rows = backend.ablate_templates(own_names.varied(templates=["red {}", "{}"]))
    table = tables.templates(rows)
    for row, ablation in zip(read_json(table), rows, strict=True):
        assert (row["template"], row["top1"]) == (ablation.template, ablation.top1)
        assert (row["ensemble_without"], row["difference_top1"]) == (ablation.ensemble_without, ablation.gain)


def test_missing_values_are_empty_cells(backend, own_names):
    report = backend.evaluate()
    (row,) = read_json(tables.summary(report))
    assert (row["probe_top1"], row["difference_top1"]) == (None, None)
    assert read_csv(tables.summary(report))[0]["probe_top1"] == ""
    assert len(tables.calibration(report.calibration()).rows) == 15
    (template,) = tables.templates(backend.ablate_templates(own_names.varied(templates=["{}"]))).rows
    assert template == ("{}", 1.0, *[None] * 7)
