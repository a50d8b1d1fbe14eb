"""The Prompt Lab as a person uses it, in a real Chromium, on the real built-in model."""

import itertools
import json
import re
import threading
import time

import pytest
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES, README_TEMPLATE
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.ui.prompt_lab.headline import points
from clip_demo.zero_shot.prompt_set import PromptSet

SHAPES = "shapes100"


def share(value):
    return f"{100 * value:.2f}\N{NO-BREAK SPACE}%"


def own_names(backend, dataset=SHAPES):
    return tuple(backend.datasets[dataset].classnames)


@pytest.fixture(autouse=True)
def patience():
    """A whole test set is measured for each word: a machine that is busy otherwise may take a while."""
    expect.set_options(timeout=15_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def open_lab(open_page):
    """Open the lab by a click, as a visitor does."""

    def start(query="?images=shapes100&index=5", part=None, **options):
        page = open_page(query, **options)
        page.get_by_role("tab", name="Prompt Lab").click()
        page.wait_for_selector("#lab-big .tile")
        if part:
            page.get_by_role("tab", name=part, exact=True).click()
        return page

    return start


def type_template(page, text):
    page.locator("#lab-templates-field textarea").fill(text)


def expect_numbers(page, evaluation):
    expected = [share(evaluation.top1), share(evaluation.top5), share(evaluation.probe_top1)]
    expect(page.locator("#lab-big .tile strong")).to_have_text(expected)


def test_a_typed_template_is_measured_and_held_against_a_pinned_baseline(open_lab, backend):
    page = open_lab()
    names = own_names(backend)
    first = PromptSet(names, (README_TEMPLATE,), False)
    expect_numbers(page, backend.evaluate(dataset=SHAPES))
    expect(page.locator(".verdict")).to_have_text("This is the baseline. Change a word and see.")
    type_template(page, "the shadow of {}")
    evaluation = backend.evaluate(dataset=SHAPES, templates=["the shadow of {}"], baseline=first)
    expect_numbers(page, evaluation)
    difference = evaluation.difference
    expect(page.locator(".verdict b")).to_have_text(f"{points(difference.top1)} points")
    expect(page.locator(".verdict .interval")).to_have_text(f"({points(difference.low)} to {points(difference.high)})")
    page.get_by_role("button", name="Pin as baseline").click()
    expect(page.locator("#lab-big .caption")).to_contain_text("Baseline: “the shadow of {}”")
    expect(page.locator(".verdict")).to_contain_text("This is the baseline")
    page.get_by_role("radio", name="the", exact=True).check()
    expect(page.locator("#lab-templates-field textarea")).to_have_value("the shadow of the {}")
    pinned = PromptSet(names, ("the shadow of {}",), False)
    expect_numbers(page, backend.evaluate(dataset=SHAPES, templates=["the shadow of the {}"], baseline=pinned))
    expect(page.locator(".verdict .flips")).to_be_visible()
    page.get_by_role("button", name="Back to the first baseline").click()
    expect(page.locator("#lab-big .caption")).to_contain_text(f"Baseline: “{README_TEMPLATE}”")


def test_both_tabs_have_one_wording(open_lab, backend):
    page = open_lab("?images=shapes100&index=8&template=a+{}&spaces=1")
    expect(page.locator("#lab-templates-field textarea")).to_have_value("a {}")
    expect(page.get_by_label("Underscores become spaces", exact=True)).to_be_checked()
    page.get_by_label("Final period").check()
    page.get_by_label("Underscores become spaces", exact=True).uncheck()
    expect_numbers(page, backend.evaluate(dataset=SHAPES, templates=["a {}."]))
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#templates textarea")).to_have_value("a {}.")
    expect(page.get_by_label("Underscores become spaces in prompts")).not_to_be_checked()
    scores = backend.predict(index=8, dataset=SHAPES, templates=["a {}."]).zero_shot
    expect(page.locator("#results .cosine")).to_have_text([f"cosine {each.cosine:.4f}" for each in scores])
    # What is typed in Explore stays when one only looks at the explanation, and goes on into the lab.
    page.locator("#templates textarea").fill("one {}")
    page.get_by_role("tab", name="How it works").click()
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#templates textarea")).to_have_value("one {}")
    page.get_by_role("tab", name="Prompt Lab").click()
    expect_numbers(page, backend.evaluate(dataset=SHAPES, templates=["one {}"]))


def test_a_class_list_of_another_length_is_said_and_stays(open_lab, backend):
    page = open_lab()
    page.locator("#lab-class-list textarea").fill("cat\ndog")
    alert = page.locator("#lab-alert [role=alert]")
    expect(alert).to_contain_text("classnames: 2 came")
    expect(alert).to_contain_text("the numbers below belong to the last valid input")
    expect(page.locator("#lab-class-list textarea")).to_have_value("cat\ndog")
    expect_numbers(page, backend.evaluate(dataset=SHAPES))
    page.get_by_role("button", name="Reset to the dataset’s own names").click()
    expect(alert).to_have_count(0)


def test_classes_and_cells_lead_to_images(open_lab, backend):
    page = open_lab()
    found = backend.examine(dataset=SHAPES)
    table, gallery = page.locator("#lab-class-table"), page.locator("#lab-class-images")
    worst = min(found.classes, key=lambda row: row.zero_shot)
    first = table.locator("tbody tr").first
    expect(first.locator("th")).to_have_text(worst.name)
    expect(page.locator("#lab-class-plot .js-plotly-plot .point")).to_have_count(100)
    table.get_by_role("button", name="Class", exact=True).click()
    expect(first.locator("th")).to_have_text(min(found.names))
    table.get_by_role("button", name=worst.name, exact=True).click()
    expect(gallery.locator("h4")).to_have_text(f"True class {worst.name}: {worst.n} images")
    expect(gallery.locator(".shots button")).to_have_count(24)
    gallery.get_by_role("button", name="Show 24 more").click()
    expect(gallery.locator(".shots img")).to_have_count(48)

    page.get_by_role("tab", name="Confusions", exact=True).click()
    matrix = found.confusion(coarse=True)
    heat, gallery = page.locator("#lab-heatmap"), page.locator("#lab-cell-images")
    row, column = next((i, j) for i in range(20) for j in range(i + 1, 20) if matrix.counts[i][j])
    heat.locator(f"[data-cell='{row},{row}']").focus()
    page.keyboard.press("ArrowRight")  # over the empty cells
    assert page.evaluate("document.activeElement.dataset.cell") == f"{row},{column}"
    page.keyboard.press("Enter")
    said = f"True {matrix.names[row]}, zero-shot said {matrix.names[column]}"
    expect(gallery.locator("h4")).to_contain_text(said)
    expect(gallery.locator(".shots button")).to_have_count(matrix.counts[row][column])
    heat.locator("[data-only]").first.click()
    members = sum(each.coarse == matrix.names[0] for each in found.classes)
    expect(heat.locator("tbody tr")).to_have_count(members)
    page.get_by_role("radio", name="Linear probe").check()
    expect(heat.locator("table.probe")).to_be_visible()


def test_a_image_on_which_they_disagree_opens_in_explore(open_lab, backend):
    page = open_lab(part="Images")
    type_template(page, "the shadow of {}")
    first = PromptSet(own_names(backend), (README_TEMPLATE,), False)
    found = backend.examine(dataset=SHAPES, templates=["the shadow of {}"], baseline=first)
    for kind, name in (("only probe", "Only the probe is right"), ("lost", "Became wrong since the baseline")):
        indices = found.images(kind)
        page.get_by_label(f"{name} ({len(indices):,})", exact=True).check()
        numbers = [str(index) for index in indices[:24]]
        expect(page.locator("#lab-kind-images .shots .number")).to_have_text(numbers)
    index = found.images("only probe")[0]
    page.get_by_label("Only the probe is right").check()
    page.locator(f"#lab-kind-images [data-open='{index}']").click()
    expect(page.locator("#image .source")).to_contain_text(f"Test image {index} of Shapes-100")
    expect(page.locator("#results .badge")).to_contain_text("the probe is right")
    expect(page.locator("#templates textarea")).to_have_value("the shadow of {}")
    expect(page).to_have_url(re.compile(f"index={index}.*template=the\\+shadow"))


def test_templates_and_names_are_tried(open_lab, backend):
    page = open_lab(part="Templates")
    table = page.locator("#lab-template-table")
    first, second = CIFAR100_TEMPLATES[:2]
    expect(table.get_by_role("checkbox")).to_have_count(19)
    expect(table.get_by_role("checkbox", name=README_TEMPLATE, exact=True)).to_be_checked()
    table.get_by_role("checkbox", name=first, exact=True).check()
    expect(page.locator("#lab-templates-field textarea")).to_have_value(f"{README_TEMPLATE}\n{first}")
    table.get_by_role("checkbox", name=README_TEMPLATE, exact=True).uncheck()
    table.get_by_role("checkbox", name=second, exact=True).check()
    expect_numbers(page, backend.evaluate(dataset=SHAPES, templates=[first, second]))
    page.get_by_role("button", name="Measure every template").click()
    rows = backend.templates_report(dataset=SHAPES, templates=[first, second])
    for row in rows:
        line = table.locator("tr", has=page.get_by_role("checkbox", name=row.template, exact=True))
        expect(line.locator("td")).to_have_text([share(row.top1), points(row.gain)], timeout=30_000)
    alone = backend.evaluate(dataset=SHAPES, templates=[CIFAR100_TEMPLATES[17]]).top1
    expect(table.locator("tbody tr").last.locator("td")).to_have_text([share(alone), "–"])

    page.get_by_role("tab", name="Names", exact=True).click()
    page.locator("#lab-wording").get_by_role("button", name=README_TEMPLATE, exact=True).click()
    found = backend.examine(dataset=SHAPES)
    expect_numbers(page, found.evaluation)
    least = min(range(100), key=lambda i: found.classes[i].zero_shot)
    name = found.names[least]
    page.locator("#lab-others textarea").fill("thing\nsomething else")
    tried = backend.try_names(name, ["thing", "something else"], dataset=SHAPES)
    names_table = page.locator("#lab-names-table")
    expect(names_table.locator("tbody th")).to_have_text([name, "thing", "something else"])
    expect(names_table.locator("tbody tr").nth(1)).to_contain_text(share(tried[0].top1))
    names_table.get_by_role("button", name="use it").first.click()
    names = ["thing" if i == least else each for i, each in enumerate(found.names)]
    expect(page.locator("#lab-class-list textarea")).to_have_value("\n".join(names))
    expect_numbers(page, backend.evaluate(dataset=SHAPES, classnames=names))


def test_the_slider_redraws_the_calibration_and_everything_is_a_file(open_lab, backend):
    page = open_lab()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    assert download.value.suggested_filename == "shapes100-tiny-summary.json"
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert rows[0]["top1"] == backend.evaluate(dataset=SHAPES).top1
    page.get_by_role("listbox", name="Download").or_(page.locator("#lab-save input")).first.click()
    page.get_by_role("option", name="Every image").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 10_001

    page.get_by_role("tab", name="Calibration", exact=True).click()
    found = backend.examine(dataset=SHAPES)

    def expect_ece(scale):
        curves = found.calibration(scale)
        expected = [f"{100 * curves[kind].ece:.1f}\N{NO-BREAK SPACE}%" for kind in ("zero-shot", "probe")]
        expect(page.locator("#lab-ece .tile strong")).to_have_text(expected)

    expect_ece(None)
    expect(page.locator("#lab-ece")).to_contain_text("(the model’s own)")
    page.locator("#lab-scale input[type=range]").press("End")
    expect_ece(200)
    expect(page.locator("#lab-reliability .js-plotly-plot")).to_be_visible()
    page.get_by_role("button", name="The model’s own").click()
    expect_ece(None)
    expect(page.locator("#lab-ece")).to_contain_text("(the model’s own)")


def test_phone_has_no_sideways_scroll_and_figures_can_be_read_in_the_dark(open_lab):
    page = open_lab(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    for part, ready in (
        ("Confusions", "#lab-heatmap table"),
        ("Images", "#lab-kind-images .shots"),
        ("Templates", "#lab-template-table table"),
        ("Calibration", "#lab-reliability .js-plotly-plot .xtick text"),
    ):
        page.get_by_role("tab", name=part, exact=True).click()
        page.wait_for_selector(ready)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), part
    ink = page.evaluate("getComputedStyle(document.querySelector('#lab-reliability .xtick text')).fill")
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) > 600
    numbers, names = (page.locator(each).bounding_box() for each in ("#lab-big", "#lab-class-list"))
    assert numbers["y"] < names["y"]  # beside the template, not below a long list


def test_nothing_is_computed_before_the_lab_is_opened_and_long_work_stops(
    open_page, serve, tmp_path, toy_encoder, toy_images
):
    backend = Backend(toy_encoder, datasets={"toys": toy_images}, head_folders=[tmp_path], feature_folders=[tmp_path])
    page = open_page("?images=toys", url=serve(backend))
    page.locator("#templates textarea").fill("a green {}")
    expect(page.locator("#results .zero-shot .bar.right")).to_be_visible()
    assert toy_encoder.encoded_images == 1
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-big .tile strong")).to_have_count(3)
    expect(page.locator("#lab-big .tile.probe strong")).to_have_text("none fitted")
    assert toy_encoder.encoded_images == 21

    stopped = threading.Event()

    def endless(*, progress, **asked):
        try:
            for done in itertools.count():
                progress("prompts", done, 1_000_000)
                time.sleep(0.02)
        finally:
            stopped.set()

    backend.templates_report = endless
    page.get_by_role("tab", name="Templates", exact=True).click()
    page.get_by_role("button", name="Measure every template").click()
    expect(page.locator("#lab-progress")).to_contain_text("of 1,000,000 prompts")
    assert not stopped.is_set()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#lab-progress progress")).to_have_count(0)
    assert stopped.wait(10)


def test_without_the_images_everything_but_thumbnails_is_there(open_page, serve, tmp_path):
    absent = Backend.open("tiny", dataset=SHAPES, data_root=tmp_path)
    page = open_page("?images=cifar100&index=3637", url=serve(absent))
    page.get_by_role("tab", name="Prompt Lab").click()
    expect_numbers(page, absent.evaluate(dataset="cifar100"))
    page.get_by_role("tab", name="Images", exact=True).click()
    gallery = page.locator("#lab-kind-images")
    expect(gallery).to_contain_text("The images themselves are not on disk")
    expect(gallery.locator(".shots button")).to_have_count(24)
    expect(gallery.locator("img")).to_have_count(0)


def test_the_lab_fills_in_by_itself_when_the_model_is_there(open_page, serve, tmp_path, toy_encoder, toy_images):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    backend = Backend(load, datasets={"toys": toy_images}, head_folders=[tmp_path], feature_folders=[tmp_path])
    page = open_page("?images=toys", url=serve(backend), ready="#status .banner")
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-big .waiting")).to_contain_text("The numbers fill in by themselves")
    go.set()
    expect(page.locator("#lab-big .tile strong").first).to_have_text(share(1.0))
    expect(page.locator("#lab-class-table tbody tr")).to_have_count(5)
