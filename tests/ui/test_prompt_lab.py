"""The Prompt Lab without a browser: its HTML, its figures, its switches and its long work."""

import re
import threading
from dataclasses import replace

import gradio as gr
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.errors import Cancelled, ClassnamesError
from clip_demo.evaluation.accuracy import Accuracy
from clip_demo.evaluation.calibration import Bin, Reliability
from clip_demo.evaluation.report import ClassRow, LabelledPrediction
from clip_demo.evaluation.significance import Difference
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.background import BackgroundTask
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.thumbnails import Thumbnails
from clip_demo.ui.background import progress_bar, progress_of
from clip_demo.ui.figure_style import PROBE, ZERO_SHOT
from clip_demo.ui.kept_prompts import keep
from clip_demo.ui.page import build_ui
from clip_demo.ui.prompt_lab import experiments
from clip_demo.ui.prompt_lab.calibration import calibration_text
from clip_demo.ui.prompt_lab.confusions import ALL, COARSE, MAX_SHOWN, cell_gallery, confusion_table, views
from clip_demo.ui.prompt_lab.context import _with_pages
from clip_demo.ui.prompt_lab.downloads import TABLES, file_of
from clip_demo.ui.prompt_lab.figure import class_figure, reliability_figure
from clip_demo.ui.prompt_lab.gallery import MAX_PAGES, PAGE, gallery
from clip_demo.ui.prompt_lab.headline import comparison, describe, headline
from clip_demo.ui.prompt_lab.heatmap import heatmap
from clip_demo.ui.prompt_lab.request import Request, parse_request
from clip_demo.ui.prompt_lab.tables import class_table, names_table, template_table
from clip_demo.ui.prompt_lab.template_switches import (
    NO_ARTICLE,
    article_of,
    ends_with_period,
    toggle,
    with_article,
    with_period,
)
from clip_demo.ui.prompt_lab.text import bdi, points
from clip_demo.zero_shot.prompt_set import PromptSet

NBSP, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
MARKUP = "<img src=x onerror=alert(1)>\"'"


@pytest.fixture
def backend(toy_backend, tmp_path):
    """The toy backend with a head, which classifies every image correctly."""
    toy_backend.fit_probe(folder=tmp_path / "heads")
    return toy_backend


@pytest.fixture
def request_(backend):
    """Class names in which blue and white are exchanged, so that all of their images are misclassified."""
    return parse_request(backend, "toys", "toy", "a {}", "red\ngreen\nwhite\nyellow\nblue", False, {})


# --- switches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, article, expected",
    [
        ("a photo of a {}", "the", "a photo of the {}"),
        ("a photo of a small {}.", "none", "a photo of small {}."),
        ("a photo of {}", "a", "a photo of a {}"),
        ("art of an {c}\n{}", "the", "art of the {c}\nthe {}"),
        ("no placeholder", "the", "no placeholder"),
    ],
)
def test_the_article_stands_before_the_class_name(text, article, expected):
    assert with_article(text, article) == expected
    assert with_article(expected, article) == expected


@pytest.mark.parametrize(
    "text, article",
    [
        ("a photo of a {}", "a"),
        ("the {}\nthe big {}", "the"),
        ("a photo of {}", "none"),
        ("a {}\nthe {}", None),
        ("", None),
    ],
)
def test_the_article_is_read_from_the_templates(text, article):
    assert article_of(text) == article


def test_templates_that_become_equal_without_an_article_are_kept_once():
    with_a = [template for template in CIFAR100_TEMPLATES if " the " not in template]
    without = with_article("\n".join(CIFAR100_TEMPLATES), NO_ARTICLE)
    assert "a photo of small {}." in without.splitlines() and len(without.splitlines()) == len(with_a)
    assert with_article(without, "a").splitlines() == with_a


def test_the_final_period_is_added_and_removed():
    assert with_period("a {}\n\nthe {}. ", True) == "a {}.\n\nthe {}."
    assert with_period("a {}..\nthe {}", False) == "a {}\nthe {}"
    assert ends_with_period("a {}.\nthe {}.") and not ends_with_period("a {}.\nthe {}") and not ends_with_period("")


def test_a_template_is_added_at_the_end_or_removed():
    assert toggle("a {}", "the {}") == "a {}\nthe {}"
    assert toggle("a {}\nthe {}", "a {}") == "the {}"
    assert toggle("a {c}\nthe {}", "a {}") == "the {}"


# --- requests ----------------------------------------------------------------------------------------------------


def test_the_baseline_is_the_readme_template_until_another_is_pinned(toy_backend, toy_dataset):
    fields = ("toys", "toy", "a {}", "red, green", True)
    typed = PromptSet(("red", "green"), ("a {}",), True)
    assert parse_request(toy_backend, *fields, "") == Request(
        toy_dataset, "toy", typed, PromptSet.for_dataset(toy_dataset)
    )
    pinned = PromptSet(toy_dataset.classnames, ("the {}",), True)
    assert parse_request(toy_backend, *fields, keep("", "toys", pinned)).baseline == pinned
    # Explore's A may have any names; a test set needs one for each class.
    short = keep("", "toys", PromptSet(("red", "green")))
    assert parse_request(toy_backend, *fields, short).baseline == PromptSet.for_dataset(toy_dataset)


def test_a_request_is_checked_when_it_is_made(toy_backend):
    with pytest.raises(ClassnamesError):
        parse_request(toy_backend, "toys", "toy", "a {}", "red", False, "")


# --- headline ----------------------------------------------------------------------------------------------------


def accuracy(difference=None, probe=0.7):
    per_class = (0.5837,) * 100
    return Accuracy(0.5837, 0.8656, per_class, 0.5837, True, 10_000, difference, probe, probe)


@pytest.mark.parametrize(
    "top1, low, high, p_value, kind, text",
    [
        (0.012, 0.008, 0.017, 0.0004, "better", "Better: <b>+1.20 points</b>"),
        (-0.012, -0.017, -0.008, 0.0004, "worse", f"Worse: <b>{MINUS}1.20 points</b>"),
        (0.0005, 0.0001, 0.0012, 0.0625, "equal", "No significant difference on 10,000 images: <b>+0.05 points</b>"),
        (0.0001, -0.001, 0.0012, 0.9, "equal", "No significant difference on 10,000 images: <b>+0.01 points</b>"),
        (0.0, 0.0, 0.0, 1.0, "equal", "No significant difference on 10,000 images: <b>0.00 points</b>"),
    ],
)  # fmt: skip
def test_only_a_significant_difference_is_called_better_or_worse(top1, low, high, p_value, kind, text):
    result = accuracy(Difference(top1, low, high, p_value, 1200, 40))
    css, html = comparison(result, same=False)
    assert css == kind and html.startswith(text) and f"({points(low)} to {points(high)})" in html
    assert "1,200 images became correct, 40 became wrong" in html and ("&lt; 0.001" in html) == (p_value < 0.001)
    css, html = comparison(result, same=True)
    assert css == "equal" and "1,200" not in html


def test_the_headline_has_both_predictors_and_the_baseline(request_):
    html = headline(accuracy(), request_)
    assert re.findall(r"<strong>(.*?)</strong>", html) == [f"58.37{NBSP}%", f"86.56{NBSP}%", f"70.00{NBSP}%"]
    assert describe(request_.baseline, request_.dataset) in html
    assert "not fitted" in headline(accuracy(probe=None), request_)


def test_a_prompt_set_is_described_briefly(toy_dataset):
    names = toy_dataset.classnames
    assert describe(PromptSet(names, ("a {}",)), toy_dataset) == "“a {}”, the dataset’s own class names"
    edited = PromptSet(("b", *names[1:]), ("a {}", "{}"), True)
    expected = "an average of 2 templates beginning with “a {}”, edited class names, underscores as spaces"
    assert describe(edited, toy_dataset) == expected


def headline_event(demo):
    """Return the last answer of the event that fills the headline, for a model."""
    show_headline = next(each.fn for each in demo.fns.values() if each.name == "show_headline")

    def answer(model):
        *_, last = show_headline("toys", model, "a {}", "red\ngreen\nblue\nyellow\nwhite", False, {})
        return last

    return answer


def test_a_model_that_is_not_downloaded_is_not_loaded_by_drawing(toy_encoder, toy_dataset, tmp_path):
    loaded = []

    def load(name, progress):
        loaded.append(name)
        return toy_encoder

    pool = ModelPool(load, ["tiny", "RN50", "RN50x64"], is_downloaded=lambda name: name != "RN50x64")
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    assert backend.encoder().name == "toy"
    answer = headline_event(build_ui(backend))
    _, html, *_, timer = answer("RN50x64")
    assert 'data-job="load"' in html and not timer.active and loaded == ["tiny"]
    # One that is on disk, but not in memory, is loaded again.
    _, _, *_, timer = answer("RN50")
    assert timer.active and backend.encoder("RN50") and loaded == ["tiny", "RN50"]
    _, html, *_, timer = answer("RN50")
    assert 'class="headline"' in html and not timer.active


def test_a_model_that_is_no_longer_on_offer_is_an_error(backend):
    assert backend.encoder().name == "toy"
    message, html, *_ = headline_event(build_ui(backend))("gone")
    assert "This model is not available here." in message and 'role="alert"' in message and html == gr.skip()


def test_no_event_of_the_lab_takes_a_full_status(backend, monkeypatch):
    assert backend.encoder().name == "toy"
    answer = headline_event(build_ui(backend))
    monkeypatch.setattr(backend, "status", lambda *_: pytest.fail("a full status was taken"))
    _, html, *_ = answer("toy")
    assert 'class="headline"' in html


# --- sections ----------------------------------------------------------------------------------------------------


def test_the_class_table_is_sorted_and_shows_changes(backend, request_):
    classes = request_.evaluate(backend).classes
    table = class_table(classes, "zero_shot", False, picked=2)
    names = re.findall(r'aria-pressed="(?:true|false)"><bdi>(.*?)</bdi></button>', table)
    assert names == ["white", "blue", "red", "green", "yellow"]
    assert table.count(f"{MINUS}100.0") == 2 and table.count('aria-pressed="true"') == 1
    assert f"<bdi>blue</bdi>{NBSP}4" in table  # all four white images are predicted as blue
    assert '<th scope="col" aria-sort="ascending"><button type="button" data-sort="zero_shot">' in table
    descending = class_table(classes, "zero_shot", True, picked=None)
    assert descending.index("><bdi>red<") < descending.index("><bdi>blue<") and 'aria-sort="descending"' in descending


def test_a_cell_of_the_matrix_leads_to_its_images(backend, request_, toy_dataset):
    report = request_.evaluate(backend)
    assert views(report) == [COARSE, "plain", "mixed", ALL]
    table = confusion_table(report, "zero-shot", COARSE, None)
    assert re.findall(r'data-cell="(\d,\d)".*?aria-label=".*?: (\d)"', table) == [
        ("0,0", "8"),
        ("0,1", "4"),
        ("1,0", "4"),
        ("1,1", "4"),
    ]
    html = cell_gallery(Thumbnails(), report, toy_dataset, "zero-shot", COARSE, (0, 1), 1)
    assert re.findall(r'data-open="(\d+)"', html) == ["2", "7", "12", "17"] and html.count("<img") == 4
    html = cell_gallery(Thumbnails(), report, toy_dataset, "probe", COARSE, (0, 1), 1)
    assert "0 images" in html and "data-open" not in html
    assert (
        cell_gallery(Thumbnails(), report, toy_dataset, "probe", COARSE, (0, 2), 1) == ""
    )  # of a dataset with more groups


def test_in_one_group_the_other_classes_are_one_column(backend, request_):
    table = confusion_table(request_.evaluate(backend), "zero-shot", "plain", (0, 0))
    assert re.findall(r'data-cell="(\d,\d)"', table) == ["0,0", "1,1"]
    assert re.findall(r'<td class="edge">(\d*)</td>', table) == ["", "", "4"] and "other classes" in table
    # The Tab key stops only at the picked cell.
    assert re.findall(r'data-cell="(\d,\d)" tabindex="0"', table) == ["0,0"]


def test_the_whole_matrix_has_a_line_between_groups():
    counts = [[5, 0, 0], [1, 4, 0], [0, 2, 3]]
    table = heatmap(["a", "b", "c"], counts, kind="probe", groups=["x", "x", "y"])
    assert table.count('scope="col" class="edge"') == 1 and table.count('<tr class="edge">') == 1
    assert re.findall(r"--share:(\d+)", table) == ["100", "45", "89", "63", "77"]


def test_a_large_matrix_shows_the_classes_with_the_most_errors(toy_encoder, toy_dataset, tmp_path):
    class Large(type(toy_dataset)):
        classnames = (*toy_dataset.classnames, *(f"class {i}" for i in range(MAX_SHOWN)))
        coarse_names, coarse_of = ("all",), (0,) * (MAX_SHOWN + 5)

    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": Large()}, stores=Stores.open(tmp_path))
    # The classes 2 and 5 have exchanged their names, so all images of class 2 are misclassified.
    names = ("red", "green", "class 0", "yellow", "white", "blue", *Large.classnames[6:])
    report = backend.evaluate(PromptSet(names), dataset="toys")
    for view in (ALL, "all"):
        table = confusion_table(report, "zero-shot", view, None)
        assert table.count('<th scope="row">') == MAX_SHOWN and "other classes" in table
        assert 'data-cell="2,5"' in table


def test_a_matrix_without_a_probe_is_reported(toy_backend, toy_dataset):
    report = toy_backend.evaluate(dataset="toys")
    assert "No linear probe" in confusion_table(report, "probe", COARSE, None)
    assert cell_gallery(Thumbnails(), report, toy_dataset, "probe", COARSE, (0, 0), 1) == ""


def labelled(n):
    return [LabelledPrediction(index, "cat", "cat", "dog") for index in range(n)]


def test_the_gallery_shows_a_page_at_a_time_and_which_predictions_are_right():
    image = b"a thumbnail"
    html = gallery("Both", 60, 1, labelled(PAGE), [image] * PAGE)
    assert html.count("<img") == PAGE == 24 and 'data-more="2">Show 24 more of 36<' in html
    assert html.count("✓ <bdi>cat</bdi>") == 24 and html.count("✗ <bdi>dog</bdi>") == 24 and "Both: 60 images" in html
    html = gallery("Both", 60, 3, labelled(60), [image] * 60)
    assert html.count("<img") == 60 and "data-more" not in html


@pytest.mark.parametrize(
    ("sent", "pages"), [(2, 2), ("3", 3), (1_000_000, MAX_PAGES), (-5, 1), (1e400, 7), ("x", 7), (None, 7), ([], 7)]
)
def test_the_pages_of_a_gallery_have_a_limit_whatever_a_client_sends(sent, pages):
    assert _with_pages({"pages": 7, "cell": None}, sent) == {"pages": pages, "cell": None}


def test_the_last_page_of_a_large_gallery_says_how_many_images_are_not_shown():
    html = gallery("Both", 1000, MAX_PAGES, labelled(PAGE * MAX_PAGES), None)
    assert html.count("data-open") == 480 and "data-more" not in html
    assert "520 more are not shown. Choose a class or a cell to see fewer at a time." in html


def test_without_the_images_only_the_thumbnails_are_missing():
    html = gallery("Both", 1, 1, labelled(1), None, "They are away.")
    assert "They are away. The predictions were stored earlier." in html and "<img" not in html
    assert 'data-open="0"' in html and "✗ <bdi>dog</bdi>" in html and "Both: 1 image<" in html


def test_the_gallery_says_what_its_colours_and_marks_mean():
    legend = re.compile(r'<p class="caption legend">.*?</p>')
    shown = legend.search(gallery("Both", 1, 1, labelled(1), None)).group()
    for part in ("indigo: zero-shot", "amber: linear probe", "✓ right", "✗ wrong"):
        assert part in shown
    without_probe = [LabelledPrediction(0, "cat", "cat", None)]
    shown = legend.search(gallery("Both", 1, 1, without_probe, None)).group()
    assert "indigo: zero-shot" in shown and "amber" not in shown
    assert not legend.search(gallery("Both", 0, 1, [], None))


def test_every_class_name_is_isolated_from_the_direction_of_the_text_around_it(backend, request_, toy_dataset):
    report = request_.evaluate(backend)
    rows = backend.compare_names("white", ["blue star"], request_.prompts, dataset="toys")
    for html in (
        class_table(report.classes, "name", False, None),
        confusion_table(report, "zero-shot", COARSE, None),
        confusion_table(report, "zero-shot", ALL, None),
        cell_gallery(Thumbnails(), report, toy_dataset, "zero-shot", ALL, (2, 4), 1),
        names_table(report.classes[2], 0.6, rows),
    ):
        names = re.findall(r">[^<>]*\b(?:red|blue|yellow|white|plain|mixed)\b[^<>]*(?=<(/?\w+))", html)
        assert names and set(names) == {"/bdi"}


def test_the_template_table_shows_what_is_selected_and_measured():
    first, second = CIFAR100_TEMPLATES[:2]
    table = template_table([first, second], [second], {second: 0.41234}, {})
    assert re.findall(r'data-toggle="(.*?)"( checked)?', table) == [(first, ""), (second, " checked")]
    assert re.findall(r"<td>(.*?)</td>", table) == ["–", "–", f"41.23{NBSP}%", "–"]


def test_other_names_are_compared_with_the_current_one(backend, request_):
    current = request_.evaluate(backend).classes[2]
    rows = backend.compare_names("white", ["blue star", "green blue"], request_.prompts, dataset="toys")
    table = names_table(current, 0.6, rows)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr><th scope=\"row\".*?</tr>", table)]
    assert cells[0] == [f"0.0{NBSP}%", f"60.00{NBSP}%", "current name", ""]
    assert len(cells) == 3 and 'data-use="blue star"' in cells[1][3]


def curve(ece):
    bins = (Bin(0.0, 0.5, 0.4, 0.3, 30), Bin(0.5, 0.9, 0.6, 1.0, 9), Bin(0.9, 1.0, None, None, 0))
    return Reliability(bins, ece, 0.5, 0.4)


def test_the_calibration_text_depends_on_the_scale():
    html = calibration_text({"zero-shot": curve(0.25), "probe": None}, 100.0, 12.5)
    assert "<b>100</b> (the model’s own is 12.5)" in html and "gets 20.1 times" in html and f"25.0{NBSP}%" in html
    assert "Linear probe" not in html and "expected calibration error, ECE" in html
    assert "(the model’s own)" in calibration_text({"zero-shot": curve(0.25), "probe": curve(0.1)}, 12.5, 12.5)


def test_figures_hold_plain_lists_in_the_common_colours():
    figure = reliability_figure({"zero-shot": curve(0.25), "probe": None}).to_plotly_json()
    diagonal, zero_shot = figure["data"]
    assert list(zero_shot["x"]) == [0.4]  # a bin of 9 images is not drawn
    assert zero_shot["line"]["color"] == zero_shot["marker"]["color"] == ZERO_SHOT != diagonal["line"]["color"]
    cat = ClassRow("cat", "animals", 4, 0.5, 0.75, None, ())
    figure = class_figure([cat, replace(cat, name="dog", probe=0.5)])
    assert "bdata" not in figure.to_json()  # plotly's encoding of NumPy arrays
    _, better, others = figure.to_plotly_json()["data"]
    assert (list(better["text"]), list(better["y"]), better["marker"]["color"]) == (["cat"], [0.75], PROBE)
    assert (list(others["text"]), others["marker"]["color"]) == (["dog"], ZERO_SHOT)


def measuring_events(demo):
    """Return the event that measures the templates at once, and the one of the button."""
    events = [each.fn for each in demo.fns.values() if getattr(each.fn, "func", None) is experiments._run]
    return sorted(events, key=lambda event: not event.args[1])


def test_templates_are_measured_once_and_again_after_a_change(backend, monkeypatch):
    assert backend.encoder().name == "toy"
    at_once, _ = measuring_events(build_ui(backend))
    prompts = ("red\ngreen\nwhite\nyellow\nblue", False, {})
    measured, progress, measure, stop = list(at_once("toys", "toy", "a {}\nthe {}", *prompts, experiments._Measured()))[
        -1
    ]
    assert measured.top1["the {}"] == 0.6 and measured.gain == {"a {}": 0.0, "the {}": 0.0}
    assert (progress, measure.visible, stop.visible) == ("", False, False)
    calls, ablate = [], backend.ablate_templates
    monkeypatch.setattr(backend, "ablate_templates", lambda prompts, **more: calls.append(1) or ablate(prompts, **more))
    assert list(at_once("toys", "toy", "a {}\nthe {}", *prompts, measured))[-1][0] == gr.skip() and not calls
    changed, *_ = list(at_once("toys", "toy", "a {}", *prompts, measured))[-1]
    assert changed.gain == {} and changed.top1 == measured.top1 and len(calls) == 1  # only the ensemble is new


def test_a_measurement_that_takes_too_long_is_stopped_and_offered(backend, monkeypatch):
    assert backend.encoder().name == "toy"
    cancelled = threading.Event()

    def endless(prompts, *, progress, **where):
        try:
            while not cancelled.wait(0.02):
                progress("prompts", 1, 1_000_000)
        finally:
            cancelled.set()

    monkeypatch.setattr(backend, "ablate_templates", endless)
    monkeypatch.setattr(experiments, "AT_ONCE", 0.1)
    at_once, clicked = measuring_events(build_ui(backend))
    values = ("toys", "toy", "a {}", "red\ngreen\nwhite\nyellow\nblue", False, {})
    measured, progress, measure, stop = list(at_once(*values, experiments._Measured()))[-1]
    assert measured.slow == "toy" and (progress, measure.visible, stop.visible) == ("", True, False)
    assert cancelled.wait(10)
    # Not tried again after the next change, until the visitor clicks.
    assert len(list(at_once(*values, measured))) == 1
    cancelled.clear()
    steps = clicked(*values, measured)
    assert "of 1,000,000 prompts" in next(steps)[1]
    steps.close()
    assert cancelled.wait(10)


def test_typed_text_is_escaped(backend, toy_dataset):
    names = (MARKUP, "green", "white", "yellow", "blue")
    request = Request(toy_dataset, "toy", PromptSet(names, (f"{MARKUP} {{}}",)), PromptSet(names))
    report = request.evaluate(backend)
    html = [
        class_table(report.classes, "name", False, None),
        confusion_table(report, "zero-shot", ALL, None),
        gallery(bdi(MARKUP), 1, 1, [LabelledPrediction(0, MARKUP, MARKUP, MARKUP)], None),
        template_table([MARKUP], [], {}, {}),
        headline(report.accuracy, replace(request, baseline=request.prompts)),
    ]
    assert not any("<img" in each for each in html) and all("&lt;img" in each for each in html)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_downloaded(backend, request_, name):
    filename, text = file_of(backend, request_, name, "csv")
    assert re.fullmatch(r"toys-toy-[a-z-]+\.csv", filename) and len(text.splitlines()) > 1
    filename, text = file_of(backend, request_, name, "json")
    assert filename.endswith(".json") and text.startswith("[")


# --- long work ---------------------------------------------------------------------------------------------------


def test_progress_is_shown_until_the_task_is_done():
    reported, go = threading.Event(), threading.Event()

    def work(progress):
        progress("prompts", 3, 10)
        reported.set()
        assert go.wait(10)

    task = BackgroundTask(work, "test")
    assert reported.wait(10)
    steps = progress_of(task, interval=0)
    assert next(steps) == ("prompts", 3, 10)
    go.set()
    assert task.wait(10) and list(steps) == []
    assert "3 of 10 prompts" in progress_bar(("prompts", 3, 10)) and "<progress" not in progress_bar(None)


def test_a_task_is_cancelled_when_its_handler_is_closed():
    go = threading.Event()

    def work(progress):
        assert go.wait(10)
        progress("prompts", 4, 10)

    task = BackgroundTask(work, "test")
    steps = progress_of(task, interval=0)
    next(steps)
    steps.close()  # as Gradio does when a handler is cancelled
    go.set()
    with pytest.raises(Cancelled):
        task.result()
