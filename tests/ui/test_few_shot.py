"""The few-shot tab and the job that fits a head, without a browser."""

import base64
import re
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
from helpers import wait_for

from clip_demo.backend import Prediction
from clip_demo.errors import ArtifactError
from clip_demo.linear_probe.few_shot_curve import CurvePoint, FewShotCurve, curve_to_csv
from clip_demo.linear_probe.head import LinearProbe, ProbeScore, Provenance
from clip_demo.progress import duration
from clip_demo.serving.model_handle import ModelStatus
from clip_demo.serving.probe_job import Plan, ProbeJobStatus
from clip_demo.ui.event_options import press
from clip_demo.ui.explore.prediction_cards import probe_card
from clip_demo.ui.few_shot import text
from clip_demo.ui.few_shot.figure import curve_figure
from clip_demo.ui.figure_style import INK, PROBE, ZERO_SHOT
from clip_demo.ui.page import build_ui
from clip_demo.ui.probe_job_panel import panel, preparation_line
from clip_demo.ui.status_line import status_line
from clip_demo.zero_shot.classifier import ZeroShotScore

NBSP = "\N{NO-BREAK SPACE}"
MARKUP = "<img src=x>\"'"


def point(per_class, *draws):
    mean = sum(draws) / len(draws)
    std = (sum((each - mean) ** 2 for each in draws) / len(draws)) ** 0.5
    return CurvePoint(per_class=per_class, n_train=5 * per_class, mean=mean, std=std, draws=draws)


def curve(*points, crossing=None, complete=True):
    return FewShotCurve(
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


CROSSING = curve(point(1, 0.2, 0.4), point(2, 0.4, 0.5), point(4, 0.6, 0.8), point(10, 0.9), crossing=2.25)


# --- text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shown, expected",
    [
        (CROSSING, "zero-shot equals a <b>2.2-shot</b> probe here."),
        (replace(CROSSING, crossing=12.4), 'about <b class="probe">12 labelled images of each class</b>'),
        (curve(point(1, 0.6), crossing=1.0), 'only <b class="probe">1 labelled image of each class</b>'),
        (curve(point(1, 0.1), point(10, 0.3)), "With all 10 images of each class, the probe is <b>still below</b> it."),
        (curve(point(1, 0.1), point(2, 0.3), complete=False), "With up to 2 labelled images of each class"),
        (curve(complete=False), "The first point of the probe is being computed."),
    ],
)
def test_the_summary_names_the_crossing(shown, expected):
    html = text.summary(shown, "Toys-5")
    assert expected in html
    assert f'<b>toy</b> reaches <b class="zero-shot">50.00{NBSP}%</b> on <b>Toys-5</b>' in html


def test_the_table_has_the_numbers_of_the_curve():
    rows = re.findall(r"<tr class='(.*?)'>(.*?)</tr>", text.table(CROSSING))
    cells = [[kind, *re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for kind, row in rows]
    assert cells == [
        ["zero-shot", "zero-shot", f"50.00{NBSP}%", "", "", "", "0"],
        ["probe", "1", f"30.00{NBSP}%", "−20.00", "10.00", "2", "5"],
        ["probe", "2", f"45.00{NBSP}%", "−5.00", "5.00", "2", "10"],
        ["probe", "4", f"70.00{NBSP}%", "+20.00", "10.00", "2", "20"],
        ["probe", "10", f"90.00{NBSP}%", "+40.00", "–", "1", "50"],
    ]


def test_the_paper_is_cited_and_the_built_in_model_is_called_a_stand_in():
    assert "section 3.1.5" in text.meaning(CROSSING) and "stand-in" not in text.meaning(CROSSING)
    assert "<b>tiny</b> is a small stand-in" in text.meaning(replace(CROSSING, model="tiny"))


def test_the_link_saves_the_numbers():
    html = text.downloads(replace(CROSSING, model="ViT-B/32"), curve_to_csv(CROSSING))
    assert 'download="ViT-B-32-toys-few-shot.csv"' in html and 'data-image="ViT-B-32-toys-few-shot.png"' in html
    saved = re.search(r'href="data:text/csv;base64,(.*?)"', html).group(1)
    assert base64.b64decode(saved).decode() == curve_to_csv(CROSSING)


def test_words_are_explained_and_large_numbers_are_grouped():
    html = text.table(curve(point(2000, 0.2, 0.4)))
    assert "<th>2,000</th>" in html and "<td>10,000</td>" in html and "standard deviation" in html
    assert "2,000 labelled images of each class" in text.summary(curve(point(2000, 0.2), complete=False), "Toys-5")
    assert "learns from 4 images of each class" in text.meaning(CROSSING)


def test_a_curve_to_come_is_announced():
    loading = ModelStatus("toy", "", "loading", None, "toy is loading.", None)
    for html in (text.no_curve(loading, "Toys-5", False), text.no_curve(loading, "Toys-5", True)):
        assert 'role="status"' in html


def test_names_are_escaped():
    shown = replace(CROSSING, model=MARKUP, zero_shot_templates=(MARKUP,), versions={MARKUP: MARKUP})
    html = text.summary(shown, MARKUP) + text.downloads(shown, MARKUP) + text.origin(shown)
    html += text.no_curve(ModelStatus(MARKUP, "", "loading", None, MARKUP, None), MARKUP, False)
    html += panel(ProbeJobStatus("failed", MARKUP, 0, 0, None, None))
    assert "<img" not in html and "&lt;img" in html


# --- figure ------------------------------------------------------------------------------------------------------


def test_the_figure_shows_the_curve_in_plain_lists_and_the_common_colours():
    figure = curve_figure(CROSSING, "Toys-5").to_plotly_json()
    line, probe, crossing = figure["data"]
    assert line["y"] == [0.5, 0.5] and line["x"][0] < 1 and line["x"][1] > 10
    assert (list(probe["x"]), list(probe["y"])) == ([1, 2, 4, 10], [each.mean for each in CROSSING.points])
    assert list(probe["error_y"]["array"]) == [each.std for each in CROSSING.points]
    assert (list(crossing["x"]), list(crossing["y"])) == ([2.25], [0.5])
    assert (line["line"]["color"], probe["line"]["color"], crossing["marker"]["color"]) == (ZERO_SHOT, PROBE, INK)
    assert figure["layout"]["xaxis"]["type"] == "log" and figure["layout"]["meta"] == "toy on Toys-5"
    assert "bdata" not in curve_figure(CROSSING, "Toys-5").to_json()  # plotly's encoding of NumPy arrays


def test_only_known_points_and_crossings_are_drawn():
    assert len(curve_figure(replace(CROSSING, crossing=None), "Toys-5").data) == 2
    assert len(curve_figure(curve(complete=False), "Toys-5").data) == 0


def test_a_curve_that_was_tested_on_a_part_of_the_test_images_says_so():
    part = replace(CROSSING, n_test=1_000)
    assert "on the first 1,000 test images of <b>Toys-5</b>." in text.summary(part, "Toys-5")
    assert "on the same 1,000 test images only" in text.origin(part)
    for html in (text.summary(CROSSING, "Toys-5"), text.origin(CROSSING)):
        assert "test images" not in html


# --- the job -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seconds, expected",
    [(40, "less than a minute"), (60, "about 1 min"), (5390, "about 90 min"), (9000, "about 2.5 h")],
)  # fmt: skip
def test_the_time_left_is_rounded(seconds, expected):
    assert duration(seconds) == expected


def test_the_panel_shows_the_progress_of_a_job_and_a_button_that_stops_it():
    html = panel(ProbeJobStatus("encoding", "Encoding Toys-5", 1500, 6000, 41.26, 700.0))
    assert f"1,500 of 6,000 images (25{NBSP}%) · 41 images/s · about 12 min of encoding left" in html
    assert 'value="0.2500"' in html and 'data-job="stop"' in html and 'data-job="start"' not in html
    html = panel(ProbeJobStatus("waiting", "Waiting for toy", 0, 0, None, None))
    assert "<progress" in html and "value=" not in html


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_job_that_ended_early_can_be_started_again(state):
    html = panel(ProbeJobStatus(state, "Something happened.", 5, 10, None, None))
    assert "Something happened." in html and 'data-job="start"' in html and 'data-job="stop"' not in html


@pytest.mark.parametrize(
    ("state", "action", "label"),
    [
        ("encoding", "stop", "Stop"),
        ("paused", "finish", "Train on all images"),
        ("stopped", "prepare", "Resume"),
        ("failed", "prepare", "Try again"),
    ],
)
def test_the_line_of_a_preparation_has_the_button_for_what_comes_next(state, action, label):
    job = ProbeJobStatus(state, "A <sentence>.", 5, 10, None, 60.0, "toy on Toys-5", 2, share=0.5)
    html = preparation_line(job)
    assert f'data-job="{action}">{label}</button>' in html and html.count("data-job") == 1
    doing = f"encoding images, 50{NBSP}%, about 1 min left"
    running = f"Getting ready for toy on Toys-5: step 2 of 4, a first linear probe ({doing})."
    assert (running if state == "encoding" else "A &lt;sentence&gt;.") in html
    assert ("python -m clip_demo prepare" in html) == (state == "paused")
    assert "data-job" not in preparation_line(job, may_start=False)
    assert bool(preparation_line(job, may_start=False)) == (state == "encoding")


def test_there_is_no_line_without_a_preparation_and_after_it():
    assert preparation_line(None) == preparation_line(ProbeJobStatus("done", "Done.", 10, 10, None, None)) == ""


def test_a_paused_job_offers_the_rest():
    html = panel(ProbeJobStatus("paused", "A first probe is ready.", 5, 10, None, 5400.0))
    assert 'data-job="start">Train on all images</button>' in html


def test_there_is_no_panel_without_a_job_and_after_it():
    assert panel(None) == panel(ProbeJobStatus("done", "Done.", 10, 10, None, None)) == ""


def test_buttons_do_only_what_is_known(toy_backend, monkeypatch):
    calls = []
    for name in ("start_probe_job", "stop_probe_job", "load_model"):
        monkeypatch.setattr(toy_backend, name, lambda *values, name=name: calls.append((name, *values)))
    for name in ("start", "finish"):
        monkeypatch.setattr(toy_backend.preparation, name, lambda name=name: calls.append((name,)))
    for action in ("start", "stop", "load", "prepare", "finish", "delete", 7):
        press(toy_backend, SimpleNamespace(job=action), "toys", "toy")
    press(toy_backend, SimpleNamespace(), "toys", "toy")
    assert calls == [
        ("start_probe_job", "toys", "toy"),
        ("stop_probe_job",),
        ("load_model", "toy"),
        ("start",),
        ("finish",),
    ]


# --- events ------------------------------------------------------------------------------------------------------


@pytest.fixture
def draw(toy_backend):
    """The event that draws the tab: text, plot, numbers, panel, facts and timer."""
    assert toy_backend.encoder().name == "toy"
    return next(each.fn for each in build_ui(toy_backend).fns.values() if each.name == "draw_curve")


def test_one_event_takes_one_status(toy_backend, draw, monkeypatch):
    taken, status = [], toy_backend.status
    monkeypatch.setattr(toy_backend, "status", lambda *names: taken.append(names) or status(*names))
    draw("toys", "toy", ())
    assert taken == [("toy", "toys")]


def test_a_curve_is_drawn_again_only_when_it_has_changed(toy_backend, draw, monkeypatch):
    shown, plot, _, offer, facts, timer = draw("toys", "toy", ())
    assert "no curve" in shown and not plot.visible and 'data-job="start"' in offer and not timer.active
    assert draw("toys", "toy", facts)[:3] == [gr.skip()] * 3
    monkeypatch.setattr(toy_backend, "few_shot_curve", lambda *_: CROSSING)
    shown, plot, _, offer, facts, _ = draw("toys", "toy", facts)
    assert "2.2-shot" in shown and plot.visible and offer == ""
    assert draw("toys", "toy", facts)[:3] == [gr.skip()] * 3


def test_a_curve_is_offered_after_a_job_that_made_none(toy_backend, draw):
    toy_backend.preparation.start(Plan(fit=False))
    wait_for(lambda: not toy_backend.preparation.status.running)
    assert toy_backend.preparation.status.state == "done" and 'data-job="start"' in draw("toys", "toy", ())[3]


def test_a_press_that_is_refused_is_queued_so_that_the_page_says_why(toy_backend):
    # Gradio shows no error message of an event outside the queue.
    presses = [each.queue for each in build_ui(toy_backend).fns.values() if each.name in ("pressed", "press_button")]
    assert presses == 6 * [True]  # three places on the Explore tab, and on three other tabs


def test_the_timer_is_active_while_the_curve_will_change(toy_backend, draw, monkeypatch):
    status = toy_backend.status("toy", "toys")
    loading = replace(status.model, state="loading", message="toy is loading")
    job = ProbeJobStatus("encoding", "Encoding", 1, 2, None, None)
    for change in ({"model": loading}, {"job": job}):
        monkeypatch.setattr(toy_backend, "status", lambda *_, change=change: replace(status, **change))
        assert draw("toys", "toy", ())[-1].active


def test_a_model_that_is_not_loaded_is_offered_and_not_loaded(toy_backend, draw, monkeypatch):
    status = toy_backend.status("toy", "toys")
    absent = replace(status, model=replace(status.model, state="absent"))
    monkeypatch.setattr(toy_backend, "status", lambda *_: absent)
    monkeypatch.setattr(toy_backend, "load_model", lambda *_: pytest.fail("a model is being loaded"))
    *_, offer, _, timer = draw("toys", "toy", ())
    assert 'data-job="load"' in offer and not timer.active


def test_a_model_that_is_no_longer_on_offer_is_not_offered(draw):
    shown, *_, offer, _, timer = draw("toys", "gone", ())
    assert "<b>gone</b> could not be loaded" in shown and offer == "" and not timer.active


def test_a_damaged_curve_is_reported(toy_backend, draw, monkeypatch):
    def damaged(*_):
        raise ArtifactError("curve: damaged")

    monkeypatch.setattr(toy_backend, "few_shot_curve", damaged)
    with pytest.raises(gr.Error, match=ArtifactError("curve: damaged").page_message):
        draw("toys", "toy", ())


# --- heads: none, an early one, one that was fitted on all images -----------------------------------------------------


def head(n_train):
    recipe = {"C": 0.316, "max_iter": 1000, "n_iter": 9, "random_state": 0, "normalized": False}
    more = {"n_test": 20, "test_accuracy": 0.4, "versions": {}, "date": "2026-01-31"}
    return Provenance(model="toy", model_sha256="70" * 32, dataset="toys", n_train=n_train, **recipe, **more)


def card(toy_dataset, provenance, **more):
    probe = provenance and LinearProbe(provenance, (ProbeScore("red", 0.9),))
    return probe_card(
        Prediction("toy", "toys", 0, "red", (ZeroShotScore("red", 0.9, 0.2),), probe),
        toy_dataset,
        may_start=True,
        **more,
    )


def test_without_a_head_a_button_fits_one(toy_dataset, monkeypatch):
    html = card(toy_dataset, None)
    assert 'data-job="start"' in html and "python -m clip_demo fit-probe --model toy" in html
    monkeypatch.setattr(toy_dataset, "available", lambda: False)
    html = card(toy_dataset, None)
    assert "data-job" not in html and "download <b>Toys-5</b> first" in html


def test_nobody_is_asked_to_fit_what_is_being_made_ready(toy_dataset):
    html = card(toy_dataset, None, coming=True)
    assert "A probe of <b>toy</b> on <b>Toys-5</b> is being trained. It will appear here." in html
    assert "data-job" not in html and "data-job" not in card(toy_dataset, head(20), coming=True)


def test_an_early_head_is_named_until_all_images_are_used(toy_dataset):
    early = card(toy_dataset, head(20))
    assert "trained on the first 4 images of each class" in early and 'data-job="start"' in early
    whole = card(toy_dataset, head(50))
    assert "early" not in whole and "data-job" not in whole


def test_the_status_line_names_an_early_head_and_a_job(toy_backend, toy_dataset):
    assert toy_backend.encoder().name == "toy"
    status = toy_backend.status()
    line = status_line(replace(status, head=head(20), running_job="Encoding <Toys-5>"), toy_dataset)
    assert "an early probe, trained on the first 4 images of each class; right on <strong>40.0" in line
    assert "Job:</span> " in line and "Encoding &lt;Toys-5&gt;" in line
    line = status_line(replace(status, head=head(50)), toy_dataset)
    assert (
        "trained on all 50 training images; right on <strong>40.0" in line and "early" not in line and "Job" not in line
    )
