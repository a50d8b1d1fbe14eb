"""The Prompt Lab's page without a browser: its markup, what its switches write, and long work."""

import re
import threading
from types import SimpleNamespace

import pytest
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE

from clip_demo.errors import Cancelled, ModelError
from clip_demo.evaluation.accuracy import Evaluation
from clip_demo.evaluation.calibration import Bin, Reliability
from clip_demo.evaluation.report import Verdict
from clip_demo.evaluation.significance import Difference
from clip_demo.ui.prompt_lab import plots
from clip_demo.ui.prompt_lab.background import Work, progress_bar
from clip_demo.ui.prompt_lab.calibration import calibration_text
from clip_demo.ui.prompt_lab.confusions import COARSE, confusion_table, images_behind, shown_choices
from clip_demo.ui.prompt_lab.downloads import CHOICES, file_of
from clip_demo.ui.prompt_lab.gallery import PAGE, gallery
from clip_demo.ui.prompt_lab.headline import big_numbers, points, verdict
from clip_demo.ui.prompt_lab.heatmap import heatmap
from clip_demo.ui.prompt_lab.request import arguments, described
from clip_demo.ui.prompt_lab.tables import class_table, names_table, template_table
from clip_demo.ui.prompt_lab.template_switches import (
    NO_ARTICLE,
    article_of,
    ends_with_period,
    toggle,
    with_article,
    with_period,
)
from clip_demo.zero_shot.prompt_set import PromptSet

NBSP, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
EVIL = "<img src=x onerror=alert(1)>\"'"


@pytest.fixture
def asked(toy_backend, tmp_path):
    """What the fields ask for on the toys, whose images are all told apart; blue and white have changed names."""
    toy_backend.fit_probe(folder=tmp_path / "heads")
    classes = "red\ngreen\nwhite\nyellow\nblue"
    return toy_backend, arguments(toy_backend, "toys", "toy", "a {}", classes, False, {})


# --- the switches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, article, written",
    [
        ("a photo of a {}", "the", "a photo of the {}"),
        ("a photo of a small {}.", "none", "a photo of small {}."),
        ("a photo of {}", "a", "a photo of a {}"),
        ("art of an {c}\n{}", "the", "art of the {c}\nthe {}"),
        ("no placeholder", "the", "no placeholder"),
    ],
)
def test_an_article_is_written_before_the_class_name(text, article, written):
    assert with_article(text, article) == written
    assert with_article(written, article) == written


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
def test_the_article_that_stands_there_is_recognised(text, article):
    assert article_of(text) == article


def test_a_final_period_comes_and_goes():
    assert with_period("a {}\n\nthe {}. ", True) == "a {}.\n\nthe {}."
    assert with_period("a {}..\nthe {}", False) == "a {}\nthe {}"
    assert ends_with_period("a {}.\nthe {}.") and not ends_with_period("a {}.\nthe {}") and not ends_with_period("")


def test_a_template_is_switched_on_at_the_end_and_off():
    assert toggle("a {}", "the {}") == "a {}\nthe {}"
    assert toggle("a {}\nthe {}", "a {}") == "the {}"


# --- the numbers -------------------------------------------------------------------------------------------------


def evaluation(difference=None, probe=0.7):
    return Evaluation(0.5837, 0.8656, (), 10_000, difference, probe)


@pytest.mark.parametrize(
    "top1, low, high, kind, said",
    [
        (0.012, 0.008, 0.017, "better", "Better: <b>+1.20 points</b>"),
        (-0.012, -0.017, -0.008, "worse", f"Worse: <b>{MINUS}1.20 points</b>"),
        (0.0001, -0.001, 0.0012, "equal", "No difference that 10,000 images can show: <b>+0.01 points</b>"),
        (0.0, 0.0, 0.0, "equal", "No difference that 10,000 images can show: <b>0.00 points</b>"),
    ],
)  # fmt: skip
def test_noise_is_not_sold_as_progress(top1, low, high, kind, said):
    given = evaluation(Difference(top1, low, high, 0.0004, 1200, 40))
    assert verdict(given, same=False)[0] == kind
    words = verdict(given, same=False)[1]
    assert words.startswith(said) and f"({points(low)} to {points(high)})" in words
    assert "1,200 images became right, 40 became wrong" in words and "&lt; 0.001" in words
    assert verdict(given, same=True) == ("equal", "This is the baseline. Change a word and see.")


def test_the_probe_stands_beside_and_a_missing_one_is_said():
    page = big_numbers(evaluation(), "Toys-5", "“a {}”", same=True)
    assert [f"58.37{NBSP}%", f"86.56{NBSP}%", f"70.00{NBSP}%"] == re.findall(r"<strong>(.*?)</strong>", page)
    assert "none fitted" in big_numbers(evaluation(probe=None), "Toys-5", "“a {}”", same=True)


def test_a_baseline_is_said_in_a_few_words(toy_backend):
    own = tuple(toy_backend.datasets["toys"].classnames)
    assert described(toy_backend, "toys", PromptSet(own, ("a {}",), False)) == "“a {}”, the dataset’s own names"
    many = PromptSet(("b", *own[1:]), ("a {}", "{}"), True)
    said = "2 templates, the first “a {}”, names that were typed, underscores as spaces"
    assert described(toy_backend, "toys", many) == said
    assert EVIL not in big_numbers(
        evaluation(), "t", described(toy_backend, "toys", PromptSet(own, (EVIL,), False)), True
    )


def test_the_first_baseline_is_the_articles_template_until_one_is_pinned(toy_backend):
    own = tuple(toy_backend.datasets["toys"].classnames)
    asked = ("toys", "toy", "a {}", "red, green", True)
    assert arguments(toy_backend, *asked, {})["baseline"] == PromptSet(own, (README_TEMPLATE,), False)
    pinned = PromptSet(own, ("the {}",), True)
    given = arguments(toy_backend, *asked, {"toys": pinned})
    assert given == {
        "dataset": "toys", "model": "toy", "classnames": ("red", "green"), "templates": ("a {}",), "replace_underscores": True,
        "baseline": pinned,
    }  # fmt: skip


# --- the parts ---------------------------------------------------------------------------------------------------


def test_the_class_table_is_sorted_and_says_what_changed(asked):
    backend, given = asked
    classes = backend.examine(**given).classes
    table = class_table(classes, "zero_shot", False, picked=2)
    names = re.findall(r'data-pick="\d">(?:.*?)|aria-pressed="(?:true|false)">(.*?)</button>', table)
    assert [name for name in names if name] == ["white", "blue", "red", "green", "yellow"]
    assert table.count(f"{MINUS}100.0") == 2 and table.count('aria-pressed="true"') == 1
    assert f"blue{NBSP}4" in table  # all four white images are called blue
    assert '<th scope="col" aria-sort="ascending"><button type="button" data-sort="zero_shot">' in table
    backwards = class_table(classes, "zero_shot", True, picked=None)
    assert backwards.index(">red<") < backwards.index(">blue<") and 'aria-sort="descending"' in backwards


def test_a_cell_of_the_matrix_leads_to_its_images(asked):
    backend, given = asked
    found, toys = backend.examine(**given), backend.datasets["toys"]
    assert shown_choices(found) == [COARSE, "plain", "mixed", "All classes"]
    table = confusion_table(found, "zero-shot", COARSE, None)
    cells = re.findall(r'data-cell="(\d,\d)".*?aria-label="(.*?)"', table)
    assert cells == [
        ("0,0", "true plain, said plain: 8"),
        ("0,1", "true plain, said mixed: 4"),
        ("1,0", "true mixed, said plain: 4"),
        ("1,1", "true mixed, said mixed: 4"),
    ]
    page = images_behind(found, toys, "zero-shot", COARSE, {"cell": (0, 1), "pages": 1})
    assert "True plain, zero-shot said mixed: 4 images" in page
    assert re.findall(r'data-open="(\d+)"', page) == ["2", "7", "12", "17"]
    page = images_behind(found, toys, "probe", COARSE, {"cell": (0, 1), "pages": 1})
    assert "0 images" in page and "data-open" not in page


def test_within_one_group_the_others_are_one_column(asked):
    backend, given = asked
    table = confusion_table(backend.examine(**given), "zero-shot", "plain", (0, 0))
    assert re.findall(r'data-cell="(\d,\d)"', table) == ["0,0", "1,1"]
    assert re.findall(r'<td class="edge">(\d*)</td>', table) == ["", "", "4"] and "elsewhere" in table
    # One stop of the Tab key, and it is the cell that was clicked.
    assert re.findall(r'data-cell="(\d,\d)" tabindex="0"', table) == ["0,0"]


def test_the_whole_matrix_draws_a_line_between_groups():
    counts = [[5, 0, 0], [1, 4, 0], [0, 2, 3]]
    table = heatmap(["a", "b", "c"], counts, kind="probe", groups=["x", "x", "y"])
    assert table.count('scope="col" class="edge"') == 1 and "<tr class=edge>" in table
    assert re.findall(r"--share:(\d+)", table) == ["100", "45", "89", "63", "77"]


def test_a_matrix_of_a_missing_probe_is_said(toy_backend):
    found = toy_backend.examine(dataset="toys")
    assert "No linear probe was fitted" in confusion_table(found, "probe", COARSE, None)


def said(index):
    return Verdict(index, "cat", "cat", "dog")


def test_the_gallery_shows_24_at_a_time_and_who_was_right():
    page = gallery("Both", range(60), 1, said, lambda index: f"data:{index}")
    assert page.count("<img") == PAGE == 24 and 'data-more="2">Show 24 more of 36<' in page
    assert page.count("✓ cat") == 24 and page.count("✗ dog") == 24 and "Both: 60 images" in page
    page = gallery("Both", range(60), 3, said, lambda index: f"data:{index}")
    assert page.count("<img") == 60 and "data-more" not in page


def test_without_the_images_everything_but_the_thumbnails_is_there():
    page = gallery("Both", [7], 1, said, None)
    assert "The images themselves are not on disk" in page and "<img" not in page
    assert 'data-open="7"' in page and "✗ dog" in page and "Both: 1 image<" in page


def test_templates_show_what_is_on_and_what_was_measured():
    table = template_table(CIFAR100_TEMPLATES[:2], [CIFAR100_TEMPLATES[1]], {CIFAR100_TEMPLATES[1]: 0.41234}, {})
    assert re.findall(r'data-toggle="(.*?)"( checked)?', table) == [
        (CIFAR100_TEMPLATES[0], ""),
        (CIFAR100_TEMPLATES[1], " checked"),
    ]
    assert re.findall(r"<td>(.*?)</td>", table) == ["–", "–", f"41.23{NBSP}%", "–"]


def test_other_names_are_held_against_the_present_one(asked):
    backend, given = asked
    given = {key: value for key, value in given.items() if key != "baseline"}
    present = backend.examine(**given).classes[2]
    table = names_table(present, 0.6, backend.try_names("white", ["blue star", "green blue"], **given))
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr><th scope=\"row\".*?</tr>", table)]
    assert cells[0] == [f"0.0{NBSP}%", f"60.00{NBSP}%", "the present name", ""]
    assert len(cells) == 3 and 'data-use="blue star"' in cells[1][3]


def curve(ece):
    return Reliability(
        (Bin(0.0, 0.5, 0.4, 0.3, 30), Bin(0.5, 0.9, 0.6, 1.0, 9), Bin(0.9, 1.0, None, None, 0)), ece, 0.5, 0.4
    )


def test_the_words_on_calibration_follow_the_scale():
    text = calibration_text({"zero-shot": curve(0.25), "probe": None}, 100.0, 12.5)
    assert "Logit scale <b>100</b> (the model’s own is 12.5)" in text
    assert "at 100 a lead of 0.03 makes a share 20.1 times as large" in text and f"25.0{NBSP}%" in text
    assert "Linear probe" not in text
    assert "(the model’s own)" in calibration_text({"zero-shot": curve(0.25), "probe": curve(0.1)}, 12.5, 12.5)


def test_figures_hold_plain_lists_and_leave_noise_out():
    figure = plots.reliability({"zero-shot": curve(0.25), "probe": None}).to_plotly_json()
    assert [trace["name"] for trace in figure["data"]] == ["as right as sure", "Zero-shot"]
    assert list(figure["data"][1]["x"]) == [40.0]  # a bin of 9 images is not drawn
    rows = [
        SimpleNamespace(name="cat", zero_shot=0.5, probe=0.75),
        SimpleNamespace(name="dog", zero_shot=0.5, probe=0.5),
    ]
    drawn = plots.probe_against_zero_shot(rows).to_json()
    assert "bdata" not in drawn and '"y":[75.0]' in drawn and '"text":["dog"]' in drawn


def test_nothing_typed_becomes_markup(asked):
    backend, given = asked
    found = backend.examine(
        **{**given, "classnames": (EVIL, "green", "white", "yellow", "blue"), "templates": (f"{EVIL} {{}}",)}
    )
    drawn = [
        class_table(found.classes, "name", False, None),
        confusion_table(found, "zero-shot", "All classes", None),
        gallery(EVIL, [0], 1, lambda index: Verdict(0, EVIL, EVIL, EVIL), None),
        template_table([EVIL], [], {}, {}),
    ]
    assert not any("<img" in page for page in drawn) and all("&lt;img" in page for page in drawn)


@pytest.mark.parametrize("what", CHOICES)
def test_everything_is_a_file(asked, what):
    backend, given = asked
    wiring = SimpleNamespace(backend=backend)
    name, text = file_of(wiring, given, what, "csv")
    assert re.fullmatch(r"toys-toy-[a-z-]+\.csv", name) and len(text.splitlines()) > 1
    name, text = file_of(wiring, given, what, "json")
    assert name.endswith(".json") and text.startswith("[")


# --- long work ---------------------------------------------------------------------------------------------------


def test_long_work_tells_how_far_it_is():
    go = threading.Event()

    def call(progress):
        progress("prompts", 3, 10)
        assert go.wait(10)
        return "done"

    work = Work(call, patience=0.02)
    notes = work.notes()
    while next(notes) != ("prompts", 3, 10):
        pass
    go.set()
    assert set(notes) <= {("prompts", 3, 10)} and work.result() == "done"
    assert "3 of 10 prompts" in progress_bar("prompts", 3, 10)


def test_long_work_stops_when_nobody_listens_any_more():
    go = threading.Event()

    def call(progress):
        assert go.wait(10)
        progress("prompts", 4, 10)

    notes = (work := Work(call, patience=0.01)).notes()
    next(notes)
    notes.close()  # as Gradio does with a handler that is cancelled
    go.set()
    with pytest.raises(Cancelled):
        work.result()


def test_what_goes_wrong_in_long_work_is_handed_on():
    def call(progress):
        raise ModelError("model: gone.")

    with pytest.raises(ModelError, match="gone"):
        Work(call).result()


def test_an_article_comes_back_to_its_place():
    with_a = [template for template in CIFAR100_TEMPLATES if " the " not in template]
    without = with_article("\n".join(CIFAR100_TEMPLATES), NO_ARTICLE)
    assert "a photo of small {}." in without.splitlines() and len(without.splitlines()) == len(with_a)
    assert with_article(without, "a").splitlines() == with_a
