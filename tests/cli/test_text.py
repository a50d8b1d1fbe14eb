from dataclasses import replace

import pytest
from helpers import SmallDataset

from clip_demo.backend import Prediction
from clip_demo.cli.text import accuracy_text, curve_text, maps_text, prediction_text, top_predictions
from clip_demo.evaluation.accuracy import Accuracy
from clip_demo.evaluation.significance import Difference
from clip_demo.inside.deletion_check import DeletionRow
from clip_demo.linear_probe.few_shot_curve import draws_of, new_curve, with_draw
from clip_demo.linear_probe.head import LinearProbe, ProbeScore, Provenance
from clip_demo.zero_shot.classifier import ZeroShotScore
from clip_demo.zero_shot.none_of_these import NoneOfThese

HEAD = Provenance(
    model="toy", model_sha256="70" * 32, dataset="toys", n_train=50_000, C=0.316, max_iter=1000, random_state=0,
    n_iter=12, normalized=False, test_accuracy=0.5, n_test=20, versions={}, date="2025-01-01", note="half of them",
)  # fmt: skip
PREDICTION = Prediction(
    model="toy", dataset="toys", index=3, truth="red",
    zero_shot=(ZeroShotScore("red", 0.987654, 0.25), ZeroShotScore("sweet_pepper", 0.012346, 0.2)),
    linear_probe=LinearProbe(HEAD, (ProbeScore("blue", 0.75),)),
)  # fmt: skip


def test_top_predictions():
    text = "\nTop predictions:\n\n             red: 98.77%\n    sweet_pepper: 1.23%"
    assert top_predictions(PREDICTION.zero_shot) == text


def test_a_prediction():
    assert prediction_text(PREDICTION).splitlines() == [
        "toy · toys test image 3 · true label: red",
        "",
        "Zero-shot:",
        "",
        "             red:  98.77%  cosine 0.2500",
        "    sweet_pepper:   1.23%  cosine 0.2000",
        "",
        "Linear probe (toy on toys, 50,000 images, C=0.316, half of them, 50.00% on 20 test images):",
        "",
        "            blue:  75.00%",
    ]


@pytest.mark.parametrize(
    ("p_value", "line"),
    [
        (0.00001, "p < 0.0001 (McNemar's exact test): the difference is significant at the 5% level"),
        (0.0312, "p = 0.0312 (McNemar's exact test): the difference is significant at the 5% level"),
        (0.2, "p = 0.2000 (McNemar's exact test): the difference is not significant at the 5% level"),
    ],
)
def test_an_accuracy_with_its_difference(p_value, line):
    difference = Difference(-0.0104, -0.02, 0.001, p_value, 1, 3)
    accuracy = Accuracy(0.5, 0.75, (0.5,) * 6, 0.5, True, 24, difference, 0.6, 0.6)
    assert accuracy_text(accuracy).splitlines() == [
        "top-1 = 50.00",
        "top-5 = 75.00",
        "n = 24",
        "linear probe = 60.00",
        "",
        "difference to the baseline: -1.04 points of top-1 (95% interval -2.00 to +0.10)",
        "1 image became correct, 3 became wrong",
        line,
    ]


def test_an_accuracy_on_few_unbalanced_classes_has_no_top5_which_is_always_all():
    accuracy = Accuracy(0.5, 1.0, (0.9, 0.1, None), 0.3, False, 20, probe_top1=0.8, probe_mean_per_class=0.4)
    assert accuracy_text(accuracy).splitlines() == [
        "top-1 = 50.00",
        "mean per class = 30.00",
        "n = 20",
        "linear probe = 80.00",
        "linear probe, mean per class = 40.00",
    ]


def test_a_curve(toy_backend, tmp_path):
    toy_backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    first, second, *_, last = curve_text(toy_backend.few_shot_curve()).splitlines()
    assert first == "zero-shot: 100.00%" and last.startswith("as good as zero-shot: ")
    assert second.startswith("   1 per class: ") and second.endswith(" over 3 draws")


def test_a_curve_of_unbalanced_classes(toy_encoder):
    small = SmallDataset({"train": {"a": 3, "b": 1}, "test": {"a": 1, "b": 1}})
    curve = new_curve(toy_encoder, small, 0.5, ["a {}"])
    for draw in draws_of(small):
        curve = with_draw(small, curve, draw, 0.25)
    lines = curve_text(curve).splitlines()
    assert lines[1] == "of a class with fewer images than a point asks for, all are used"
    assert [line.split(":")[0].strip() for line in lines[2:-1]] == ["1 per class", "2 per class", "3 per class"]


def test_the_check_of_heat_maps():
    row = DeletionRow("cover test", "zero-shot", 200, 0.71, 0.0925, 0.63, 0.955, 2.345, 2.0, 2.69)
    assert maps_text([row]).splitlines()[1].split() == [
        "cover", "test", "zero-shot", "200", "71.00%", "9.25%", "63.00%", "95.50%", "+2.35", "(+2.00", "to", "+2.69)",
    ]  # fmt: skip


def test_none_of_these():
    none = NoneOfThese(0.466, False, "orange", 0.05, 0.01525, 0.01277, 0.5975, "", ("orange", "sea"))
    lines = prediction_text(replace(PREDICTION, none_of_these=none)).splitlines()
    assert lines[6:9] == [
        "   none of these:  46.60%  most like orange, of 2 other nouns",
        "",
        "             MCM: 0.01525; 95% of the test images of these classes have at least 0.01277",
    ]
    assert lines[-1] == "95% of the test images have at least 59.75%"
    unknown = replace(none, mcm_threshold=None, probe_threshold=None, note="It is not known.")
    lines = prediction_text(replace(PREDICTION, none_of_these=unknown)).splitlines()
    assert lines[8] == "             MCM: 0.01525; It is not known." and lines[-1] == "            blue:  75.00%"
