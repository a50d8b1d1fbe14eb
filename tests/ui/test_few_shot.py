"""The few-shot curve and the job that fits a head, on the page but without a browser."""

import base64
import re
from dataclasses import replace

import pytest

from clip_demo.backend import Prediction, Status
from clip_demo.linear_probe.few_shot_curve import CurvePoint, FewShotCurve, curve_to_csv
from clip_demo.linear_probe.head import LinearProbe, ProbeScore, Provenance
from clip_demo.serving.probe_job import ProbeJobStatus
from clip_demo.ui import probe_job_panel as probe_job
from clip_demo.ui.explore.prediction_cards import probe_card
from clip_demo.ui.few_shot import text as probe_words
from clip_demo.ui.few_shot.figure import curve_figure
from clip_demo.ui.status_line import banner
from clip_demo.zero_shot.classifier import ZeroShotScore

SPACE = "\N{NO-BREAK SPACE}"


def point(per_class, *draws):
    mean = sum(draws) / len(draws)
    std = (sum((each - mean) ** 2 for each in draws) / len(draws)) ** 0.5
    return CurvePoint(per_class=per_class, n_train=5 * per_class, mean=mean, std=std, draws=draws)


def curve(*points, crossing=None, complete=True, **more):
    made = dict(
        model="toy",
        model_sha256="70" * 32,
        dataset="toys",
        zero_shot=0.5,
        zero_shot_templates=("a {}",),
        points=points,
        crossing=crossing,
        complete=complete,
        date="2026-01-31",
        versions={"numpy": "2"},
    )
    return FewShotCurve(**{**made, **more})


CROSSING = curve(point(1, 0.2, 0.4), point(2, 0.4, 0.5), point(4, 0.6, 0.8), point(10, 0.9), crossing=2.25)


# --- the words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown, said",
    [
        (CROSSING, "zero-shot equals a <b>2.2-shot</b> probe here."),
        (replace(CROSSING, crossing=12.4), "about <b class=\"probe\">12 labelled images of each class</b>"),
        (curve(point(1, 0.6), crossing=1.0), '<b class="probe">1 labelled image of each class</b> already'),
        (curve(point(1, 0.1), point(10, 0.3)), "With all 10 images of each class the probe is <b>still below</b> it."),
        (curve(point(1, 0.1), point(2, 0.3), complete=False), "Up to 2 labelled images of each class, the points so"),
        (curve(complete=False), "The first point of the probe is on its way."),
    ],
)  # fmt: skip
def test_the_crossing_is_said_in_words(shown, said):
    page = probe_words.verdict(shown, "Toys-5")
    assert said in page
    assert f'<b>toy</b> gets <b class="zero-shot">50.00{SPACE}%</b> on <b>Toys-5</b>' in page


def test_the_table_has_the_numbers_of_the_curve():
    rows = re.findall(r"<tr class='(.*?)'>(.*?)</tr>", probe_words.table(CROSSING))
    cells = [[kind, *re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for kind, row in rows]
    assert cells == [
        ["zero-shot", "zero-shot", f"50.00{SPACE}%", "", "", "", "0"],
        ["probe", "1", f"30.00{SPACE}%", "−20.00", "10.00", "2", "5"],
        ["probe", "2", f"45.00{SPACE}%", "−5.00", "5.00", "2", "10"],
        ["probe", "4", f"70.00{SPACE}%", "+20.00", "10.00", "2", "20"],
        ["probe", "10", f"90.00{SPACE}%", "+40.00", "–", "1", "50"],
    ]


def test_the_paper_is_named_and_the_stand_in_is_not_taken_for_clip():
    assert "section 3.1.5" in probe_words.meaning(CROSSING) and "stand-in" not in probe_words.meaning(CROSSING)
    assert "<b>tiny</b> is a small stand-in" in probe_words.meaning(replace(CROSSING, model="tiny"))


def test_the_link_saves_the_numbers():
    page = probe_words.downloads(replace(CROSSING, model="ViT-B/32"), curve_to_csv(CROSSING))
    assert 'download="ViT-B-32-toys-few-shot.csv"' in page and 'data-image="ViT-B-32-toys-few-shot.png"' in page
    saved = re.search(r'href="data:text/csv;base64,(.*?)"', page).group(1)
    assert base64.b64decode(saved).decode() == curve_to_csv(CROSSING)


def test_no_name_becomes_markup():
    bad = "<img src=x>\"'"
    shown = replace(CROSSING, model=bad, zero_shot_templates=(bad,), versions={bad: bad})
    page = probe_words.verdict(shown, bad) + probe_words.downloads(shown, bad) + probe_words.made(shown)
    page += probe_job.panel(ProbeJobStatus("failed", bad, 0, 0, None, None))
    assert "<img" not in page and "&lt;img" in page


# --- the plot --------------------------------------------------------------------------------------------------------


def test_the_plot_shows_the_curve_in_plain_lists():
    drawn = curve_figure(CROSSING, "Toys-5").to_plotly_json()
    line, probe, crossing = drawn["data"]
    assert line["y"] == [0.5, 0.5] and line["x"][0] < 1 and line["x"][1] > 10
    assert (list(probe["x"]), list(probe["y"])) == ([1, 2, 4, 10], [each.mean for each in CROSSING.points])
    assert list(probe["error_y"]["array"]) == [each.std for each in CROSSING.points]
    assert (list(crossing["x"]), list(crossing["y"])) == ([2.25], [0.5])
    assert drawn["layout"]["xaxis"]["type"] == "log" and drawn["layout"]["meta"] == "toy on Toys-5"
    assert "bdata" not in curve_figure(CROSSING, "Toys-5").to_json()  # plotly's own form of arrays of numpy


def test_without_a_crossing_and_without_points_nothing_is_invented():
    assert len(curve_figure(replace(CROSSING, crossing=None), "Toys-5").data) == 2
    assert len(curve_figure(curve(complete=False), "Toys-5").data) == 0


# --- the job ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds, said",
    [(40, "less than a minute"), (60, "about 1 min"), (5390, "about 90 min"), (9000, "about 2.5 h")],
)  # fmt: skip
def test_the_time_left_is_said_roughly(seconds, said):
    assert probe_job.duration(seconds) == said


def test_the_panel_says_how_far_the_job_is_and_can_be_stopped():
    page = probe_job.panel(ProbeJobStatus("encoding", "Encoding Toys-5", 1500, 6000, 41.26, 700.0))
    assert f"1,500 of 6,000 images (25{SPACE}%) · 41 images/s · about 12 min of encoding left" in page
    assert 'value="0.2500"' in page and 'data-job="stop"' in page and 'data-job="start"' not in page
    page = probe_job.panel(ProbeJobStatus("waiting", "Waiting for toy", 0, 0, None, None))
    assert "<progress" in page and "value=" not in page


@pytest.mark.parametrize("state, button", [("failed", "Try again"), ("stopped", "Go on")])
def test_a_job_that_ended_early_can_be_taken_up_again(state, button):
    page = probe_job.panel(ProbeJobStatus(state, "Something happened.", 5, 10, None, None))
    assert "Something happened." in page and 'data-job="start"' in page and f">{button}</button>" in page


def test_there_is_no_panel_where_there_is_nothing_to_say():
    assert probe_job.panel(None) == probe_job.panel(ProbeJobStatus("done", "Done.", 10, 10, None, None)) == ""


# --- heads: none, an early one, one that knows all images ----------------------------------------------------------


def head(n_train):
    recipe = {"C": 0.316, "max_iter": 1000, "n_iter": 9, "random_state": 0, "normalized": False}
    more = {"n_test": 20, "test_accuracy": 0.4, "versions": {}, "date": "2026-01-31"}
    return Provenance(model="toy", model_sha256="70" * 32, dataset="toys", n_train=n_train, **recipe, **more)


def card(toy_images, provenance):
    probe = provenance and LinearProbe(provenance, (ProbeScore("red", 0.9),))
    return probe_card(Prediction("toy", "toys", 0, "red", (ZeroShotScore("red", 0.9, 0.2),), probe), toy_images)


def test_where_there_is_no_head_a_button_fits_one(toy_images, monkeypatch):
    page = card(toy_images, None)
    assert 'data-job="start">Fit a head here</button>' in page and "python -m clip_demo fit-probe --model toy" in page
    monkeypatch.setattr(toy_images, "available", lambda: False)
    page = card(toy_images, None)
    assert "data-job" not in page and "get the images of <b>Toys-5</b> first" in page


def test_an_early_head_is_called_one_until_all_images_are_known(toy_images):
    early = card(toy_images, head(20))
    assert "This is an early head, from the first 4 images of each class." in early and 'data-job="start"' in early
    whole = card(toy_images, head(50))
    assert "early" not in whole and "data-job" not in whole


def test_the_status_line_names_an_early_head_and_a_job():
    status = Status("toy", "a toy", "ready", "", (), "toys")
    line = banner(status, "toys", head(20), early="an early head", job="Encoding <Toys-5>")
    assert "toys</strong>, an early head, 20 images, C=0.316" in line
    assert "Job:</span> " in line and "Encoding &lt;Toys-5&gt;" in line
    line = banner(status, "toys", head(50))
    assert "toys</strong>, 50 images, C=0.316" in line and "early" not in line and "Job" not in line
