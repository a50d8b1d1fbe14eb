"""The few-shot curve: its draws, its crossing with zero-shot prediction, and its file."""

import json
from dataclasses import replace

import pytest

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import ArtifactError
from clip_demo.linear_probe.few_shot_curve import (
    CurvePoint,
    CurveStore,
    crossing,
    curve_to_csv,
    draws_of,
    missing_draws,
    new_curve,
    save_curve,
    with_draw,
)
from clip_demo.models.load import load_model
from clip_demo.paths import ASSETS


@pytest.fixture
def curve(toy_encoder, toy_dataset):
    """A complete curve whose accuracy grows with the number of images."""
    curve = new_curve(toy_encoder, toy_dataset, 0.5, ["a {}"])
    for draw in draws_of(toy_dataset):
        curve = with_draw(toy_dataset, curve, draw, (draw.per_class + draw.number / 10) / 10)
    return curve


def points(*means):
    return [CurvePoint(2**i, 5 * 2**i, mean, 0.0, (mean,)) for i, mean in enumerate(means)]


@pytest.mark.parametrize(
    ("means", "zero_shot", "expected"),
    [
        ((0.2, 0.4, 0.6), 0.5, 2 * 2**0.5),  # halfway between 2 and 4 on a logarithmic axis
        ((0.2, 0.4, 0.6), 0.4, 2.0),
        ((0.6, 0.7), 0.5, 1.0),
        ((0.1, 0.2), 0.5, None),
        ((), 0.5, None),
    ],
)
def test_the_crossing_is_interpolated_on_a_logarithmic_axis(means, zero_shot, expected):
    assert crossing(points(*means), zero_shot) == (expected if expected is None else pytest.approx(expected))


def test_draws_share_no_image_and_are_in_the_order_in_which_images_are_encoded():
    draws = draws_of(Shapes100())
    assert [draw.stop for draw in draws] == sorted(draw.stop for draw in draws)
    counts = {each: sum(draw.per_class == each for draw in draws) for each in (1, 64, 128, 256, 500)}
    assert counts == {1: 3, 64: 3, 128: 1, 256: 1, 500: 1}
    assert (draws[-1].per_class, draws[-1].start, draws[-1].stop) == (500, 0, 50_000)
    for each in (1, 64):
        ranges = [set(range(draw.start, draw.stop)) for draw in draws if draw.per_class == each]
        assert not set.intersection(*ranges) and all(len(part) == 100 * each for part in ranges)


def test_draws_are_gathered_into_points(curve, toy_dataset):
    # Ten images of each of five classes: three draws of 1 and 2, two of 4, one of 8, and all.
    assert [(each.per_class, each.n_train, len(each.draws)) for each in curve.points] == [
        (1, 5, 3), (2, 10, 3), (4, 20, 2), (8, 40, 1), (10, 50, 1),
    ]  # fmt: skip
    assert curve.points[0].draws == pytest.approx((0.1, 0.11, 0.12)) and curve.points[0].mean == pytest.approx(0.11)
    assert curve.points[0].std == pytest.approx(0.01 * (2 / 3) ** 0.5) and curve.points[-1].std == 0
    assert curve.complete and missing_draws(toy_dataset, curve) == []


def test_an_incomplete_curve_says_which_draws_are_missing(toy_encoder, toy_dataset):
    draws = draws_of(toy_dataset)
    curve = new_curve(toy_encoder, toy_dataset, 0.5, ["a {}"])
    for draw in draws[:4]:
        curve = with_draw(toy_dataset, curve, draw, 0.3)
    assert not curve.complete and missing_draws(toy_dataset, curve) == draws[4:]


def test_a_curve_is_stored_and_found_by_checksum(curve, tmp_path):
    path = save_curve(curve, tmp_path)
    assert path.name == "toy-toys.json"
    assert json.loads(path.read_text())["image_set"] == "toys"  # the key of all files so far
    assert CurveStore([tmp_path]).get(curve.model_sha256, "toys") == curve
    assert CurveStore([tmp_path]).get("ab" * 32, "toys") is None


def test_a_damaged_curve_is_skipped_with_an_artifact_error_as_warning(curve, tmp_path, caplog):
    save_curve(curve, tmp_path)
    (tmp_path / "a-toys.json").write_text('{"points": 3}')
    assert CurveStore([tmp_path]).get(curve.model_sha256, "toys") == curve
    assert "a-toys.json' is not a few-shot curve" in caplog.text
    assert [type(record.args[0]) for record in caplog.records] == [ArtifactError]  # and not a HeadError


def test_a_failed_write_leaves_no_file(curve, tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_curve(curve, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_the_csv_has_a_row_per_point_and_a_column_per_draw(curve):
    rows = [line.split(",") for line in curve_to_csv(curve).splitlines()]
    columns = ["model", "dataset", "method", "per_class", "n_train", "n_test", "mean", "std"]
    assert rows[0] == [*columns, "draw_1", "draw_2", "draw_3"]
    assert rows[1][2:6] == ["zero-shot", "0", "0", "all"] and len(rows) == 7 and {len(row) for row in rows} == {11}
    assert [float(each) for each in rows[2][8:]] == list(curve.points[0].draws)
    assert curve_to_csv(replace(curve, n_test=12)).splitlines()[2].split(",")[5] == "12"


@pytest.mark.parametrize("dataset", ["cifar100", "shapes100"])
def test_the_curves_of_the_built_in_model_open(dataset):
    curve = CurveStore([ASSETS / "curves"]).get(load_model("tiny", device="cpu").sha256, dataset)
    assert (curve.dataset, curve.complete, curve.points[-1].n_train) == (dataset, True, 50_000)
