"""The Prompt Lab in a real Chromium, with the real built-in model."""

import itertools
import json
import re
import threading

import pytest
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.prompt_lab import experiments
from clip_demo.ui.prompt_lab.gallery import KINDS
from clip_demo.ui.prompt_lab.headline import describe
from clip_demo.ui.prompt_lab.text import points
from clip_demo.zero_shot.prompt_set import PromptSet
from clip_demo.zero_shot.templates import README_TEMPLATE

SHAPES = "shapes100"


def percent(value, digits=2):
    return f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


@pytest.fixture(autouse=True)
def patience():
    """Every input is evaluated on a whole test set, which may take a while on a busy machine."""
    expect.set_options(timeout=15_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def open_lab(open_page):
    """Open the lab by a click, as a visitor does."""

    def start(query="?dataset=shapes100&index=5", section=None, **options):
        page = open_page(query, **options)
        page.get_by_role("tab", name="Prompt Lab").click()
        page.wait_for_selector("#lab-headline .tile")
        if section:
            page.get_by_role("tab", name=section, exact=True).click()
        return page

    return start


@pytest.fixture
def prompts(backend):
    """The default prompt set of Shapes-100, which is the first baseline."""
    return PromptSet.for_dataset(backend.datasets[SHAPES])


def fill_template(page, text):
    page.locator("#lab-templates-field textarea").fill(text)


def expect_headline(page, report):
    accuracy = report.accuracy
    expected = [percent(accuracy.top1), percent(accuracy.top5), percent(accuracy.probe_top1)]
    expect(page.locator("#lab-headline .tile strong")).to_have_text(expected)


def test_a_typed_template_is_compared_with_a_pinned_baseline(open_lab, backend, prompts):
    page = open_lab()
    summary, caption = page.locator("#lab-headline .summary"), page.locator("#lab-headline .caption")
    expect_headline(page, backend.evaluate(prompts))
    expect(summary.locator("b")).to_have_count(0)  # the baseline is not compared with itself
    fill_template(page, "the shadow of {}")
    typed = prompts.varied(templates=["the shadow of {}"])
    report = backend.evaluate(typed, baseline=prompts)
    expect_headline(page, report)
    difference = report.accuracy.difference
    expect(summary.locator("b")).to_have_text(f"{points(difference.top1)} points")
    expect(summary.locator(".interval")).to_have_text(f"({points(difference.low)} to {points(difference.high)})")
    page.get_by_role("button", name="Pin as baseline").click()
    expect(caption).to_contain_text(describe(typed, backend.datasets[SHAPES]))
    expect(summary.locator("b")).to_have_count(0)
    page.get_by_role("radio", name="the", exact=True).check()
    expect(page.locator("#lab-templates-field textarea")).to_have_value("the shadow of the {}")
    expect_headline(page, backend.evaluate(prompts.varied(templates=["the shadow of the {}"]), baseline=typed))
    expect(summary.locator(".flips")).to_be_visible()
    page.get_by_role("button", name="Reset the baseline").click()
    expect(caption).to_contain_text(describe(prompts, backend.datasets[SHAPES]))


@pytest.mark.long
def test_both_tabs_have_the_same_prompt_set(open_lab, backend, prompts):
    page = open_lab("?dataset=shapes100&index=8&template=a+{}&replace_underscores=1")
    switch = page.get_by_label("Underscores become spaces", exact=True)
    expect(page.locator("#lab-templates-field textarea")).to_have_value("a {}")
    expect(switch).to_be_checked()
    page.get_by_label("Full stop at the end").check()
    switch.uncheck()
    edited = prompts.varied(templates=["a {}."])
    expect_headline(page, backend.evaluate(edited))
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#templates textarea")).to_have_value("a {}.")
    expect(page.get_by_label("No underscores")).not_to_be_checked()
    scores = backend.predict(index=8, dataset=SHAPES, prompts=edited).zero_shot
    expect(page.locator("#results .cosine")).to_have_text([f"cosine {each.cosine:.4f}" for each in scores])
    # The text in Explore survives a visit to another tab, and is carried over to the lab.
    page.locator("#templates textarea").fill("one {}")
    page.get_by_role("tab", name="How it works").click()
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#templates textarea")).to_have_value("one {}")
    page.get_by_role("tab", name="Prompt Lab").click()
    expect_headline(page, backend.evaluate(prompts.varied(templates=["one {}"])))


@pytest.mark.long
def test_a_list_of_explore_that_is_not_the_test_sets_stays_in_explore(open_page, serve, toy_backend, toy_dataset):
    page = open_page("?dataset=toys", url=serve(toy_backend))
    explore, lab = page.locator("#classes textarea"), page.locator("#lab-class-list textarea")
    note, numbers = page.locator("#lab-note"), page.locator("#lab-headline .tile strong")
    own = ", ".join(toy_dataset.classnames)
    edited = own.replace("yellow", "pink")

    def open_tab(name):
        page.get_by_role("tab", name=name).click()

    page.locator("#templates textarea").fill("one {}")
    explore.fill("cat, dog,\nbird")
    open_tab("Prompt Lab")
    expect(note).to_have_text("Explore’s list has 3 names, but the test set has 5 classes: the lab uses its own names.")
    expect(lab).to_have_value(own)
    expect(page.locator("#lab-templates-field textarea")).to_have_value("one {}")
    expect(numbers.first).to_have_text(percent(1.0))
    expect(page.locator("#lab-alert [role=alert]")).to_have_count(0)
    # The lab keeps names that were edited there, too.
    lab.fill(edited)
    fill_template(page, "two {}")
    open_tab("Explore")
    expect(page.locator("#templates textarea")).to_have_value("two {}")
    expect(explore).to_have_value("cat, dog,\nbird")
    for other in ("Explore", "How it works"):
        open_tab(other)
        open_tab("Prompt Lab")
        expect(lab).to_have_value(edited)
        expect(note).to_be_visible()
    # A whole list travels in both directions, whether it has commas or lines.
    open_tab("Explore")
    explore.fill(own.replace("red", "crimson").replace("\n", ", "))
    open_tab("Prompt Lab")
    expect(lab).to_have_value("crimson, green, blue, yellow, white")
    expect(note).to_be_hidden()
    lab.fill(edited)
    open_tab("Explore")
    expect(explore).to_have_value(edited)


def test_the_labs_names_are_those_of_the_chosen_dataset(open_page, serve, toy_backend, toy_dataset):
    class Others(type(toy_dataset)):
        name, title, classnames = "others", "Others-5", ("one", "two", "three", "four", "five")

    toy_backend.datasets["others"] = Others()
    page = open_page("?dataset=toys&classes=cat%0Adog", url=serve(toy_backend))
    lab = page.locator("#lab-class-list textarea")
    for dataset, expected in ((None, toy_dataset), ("Others-5", Others)):
        page.get_by_role("tab", name="Explore").click()
        if dataset:
            page.get_by_label(dataset).check()
        page.get_by_role("tab", name="Prompt Lab").click()
        expect(lab).to_have_value(", ".join(expected.classnames))
        expect(page.locator("#lab-note")).to_contain_text("2 names, but the test set has 5 classes")


def test_a_class_list_of_the_wrong_length_is_reported_and_kept(open_lab, backend, prompts):
    page = open_lab()
    page.locator("#lab-class-list textarea").fill("cat\ndog")
    alert = page.locator("#lab-alert [role=alert]")
    expect(alert).to_contain_text("The list has 2 class names, but Shapes-100 has 100 classes.")
    expect(alert).to_contain_text("The numbers below are those of before.")
    expect(page.locator("#lab-class-list textarea")).to_have_value("cat\ndog")
    expect_headline(page, backend.evaluate(prompts))
    page.get_by_role("button", name="Reset to the dataset’s own names").click()
    expect(alert).to_have_count(0)


def test_classes_and_cells_lead_to_images(open_lab, backend):
    page = open_lab()
    report = backend.evaluate(dataset=SHAPES)
    table, gallery = page.locator("#lab-class-table"), page.locator("#lab-class-images")
    worst = min(report.classes, key=lambda row: row.zero_shot)
    first = table.locator("tbody tr").first
    expect(first.locator("th")).to_have_text(worst.name)
    expect(page.locator("#lab-class-plot .js-plotly-plot .point")).to_have_count(100)
    table.get_by_role("button", name="Class", exact=True).click()
    expect(first.locator("th")).to_have_text(min(report.names))
    table.get_by_role("button", name=worst.name, exact=True).click()
    expect(gallery.locator("h3")).to_have_text(f"True class {worst.name}: {worst.n} images")
    expect(gallery.locator(".images button")).to_have_count(24)
    gallery.get_by_role("button", name="Show 24 more").click()
    expect(gallery.locator("img")).to_have_count(48)

    page.get_by_role("tab", name="Confusions", exact=True).click()
    matrix = report.confusion(coarse=True)
    heat, gallery = page.locator("#lab-heatmap"), page.locator("#lab-cell-images")
    row, column = next((i, j) for i in range(20) for j in range(i + 1, 20) if matrix.counts[i][j])
    heat.locator(f"[data-cell='{row},{row}']").focus()
    page.keyboard.press("ArrowRight")  # skips empty cells
    assert page.evaluate("document.activeElement.dataset.cell") == f"{row},{column}"
    page.keyboard.press("Enter")
    title = f"True {matrix.names[row]}, zero-shot predicted {matrix.names[column]}"
    expect(gallery.locator("h3")).to_contain_text(title)
    levels = page.locator(":is(h1, h2, h3, h4):visible").evaluate_all("(all) => all.map((each) => each.tagName)")
    assert levels == ["H1", "H2", "H3"]
    expect(gallery.locator(".images button")).to_have_count(matrix.counts[row][column])
    heat.locator("[data-group]").first.click()
    members = sum(each.coarse == matrix.names[0] for each in report.classes)
    expect(heat.locator("tbody tr")).to_have_count(members)
    page.get_by_role("radio", name="Linear probe").check()
    expect(heat.locator("table.probe")).to_be_visible()


def test_an_image_opens_in_explore(open_lab, backend, prompts):
    page = open_lab(section="Images")
    fill_template(page, "the shadow of {}")
    report = backend.evaluate(prompts.varied(templates=["the shadow of {}"]), baseline=prompts)
    for kind in ("lost", "only probe"):
        indices = report.images(kind)
        page.get_by_label(f"{KINDS[kind]} ({len(indices):,})", exact=True).check()
        numbers = [str(index) for index in indices[:24]]
        expect(page.locator("#lab-kind-images .number")).to_have_text(numbers)
    legend = page.locator("#lab-kind-images .legend")
    for part in ("indigo: zero-shot", "amber: linear probe", "✓ right", "✗ wrong"):
        expect(legend).to_contain_text(part)
    index = report.images("only probe")[0]  # the list that is shown; no other one is loading
    page.locator(f"#lab-kind-images [data-open='{index}']").click()
    expect(page.locator("#image .source")).to_contain_text(f"Test image {index:,} of Shapes-100")
    expect(page.locator("#verdict")).to_contain_text(re.compile("The probe says .*, and is right"))
    expect(page.locator("#templates textarea")).to_have_value("the shadow of {}")
    expect(page).to_have_url(re.compile(f"index={index}.*template=the\\+shadow"))


def test_templates_and_names_are_measured(open_lab, backend, prompts, monkeypatch):
    monkeypatch.setattr(experiments, "AT_ONCE", 30)  # a busy machine
    page = open_lab(section="Templates")
    table = page.locator("#lab-template-table")
    first, second = CIFAR100_TEMPLATES[:2]
    expect(table.get_by_role("checkbox")).to_have_count(19)
    expect(table.get_by_role("checkbox", name=README_TEMPLATE, exact=True)).to_be_checked()
    table.get_by_role("checkbox", name=first, exact=True).check()
    expect(page.locator("#lab-templates-field textarea")).to_have_value(f"{README_TEMPLATE}\n{first}")
    table.get_by_role("checkbox", name=README_TEMPLATE, exact=True).uncheck()
    table.get_by_role("checkbox", name=second, exact=True).check()
    ensemble = prompts.varied(templates=[first, second])
    expect_headline(page, backend.evaluate(ensemble))
    for row in backend.ablate_templates(ensemble):
        line = table.locator("tr", has=page.get_by_role("checkbox", name=row.template, exact=True))
        expect(line.locator("td")).to_have_text([percent(row.top1), points(row.gain)], timeout=30_000)
    alone = backend.evaluate(prompts.varied(templates=[CIFAR100_TEMPLATES[17]])).accuracy.top1
    expect(table.locator("tbody tr").last.locator("td")).to_have_text([percent(alone), "–"])

    page.get_by_role("tab", name="Names", exact=True).click()
    page.locator("#lab-prompts").get_by_role("button", name=README_TEMPLATE, exact=True).click()
    report = backend.evaluate(prompts)
    expect_headline(page, report)
    page.locator("#lab-names-field textarea").fill("thing\nsomething else")
    names_table = page.locator("#lab-names-table")
    expect(names_table.locator("tbody th")).to_contain_text(["", "thing", "something else"])
    name = names_table.locator("tbody th").first.inner_text()
    chosen = report.names.index(name)
    accuracies = [row.zero_shot for row in backend.evaluate(ensemble).classes]
    assert accuracies[chosen] == min(accuracies)  # the tab was drawn when the ensemble was on
    rows = backend.compare_names(name, ["thing", "something else"], prompts)
    expect(names_table.locator("tbody tr").nth(1)).to_contain_text(percent(rows[0].top1))
    names_table.get_by_role("button", name="Use").first.click()
    names = ["thing" if i == chosen else each for i, each in enumerate(report.names)]
    expect(page.locator("#lab-class-list textarea")).to_have_value("\n".join(names))
    expect_headline(page, backend.evaluate(prompts.varied(classnames=names)))


def test_the_tables_are_downloaded_as_files(open_lab, backend):
    page = open_lab()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    assert download.value.suggested_filename == "shapes100-tiny-summary.json"
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert rows[0]["top1"] == backend.evaluate(dataset=SHAPES).accuracy.top1
    page.get_by_role("listbox", name="Download").or_(page.locator("#lab-save input")).first.click()
    page.get_by_role("option", name="Every image").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 10_001


def test_the_slider_changes_the_calibration(open_lab, backend):
    page = open_lab(section="Calibration")
    report, text = backend.evaluate(dataset=SHAPES), page.locator("#lab-calibration-text")

    def expect_errors(scale):
        curves = report.calibration(scale).values()
        expect(text.locator(".tile strong")).to_have_text([percent(each.ece, digits=1) for each in curves])

    expect_errors(None)
    expect(text).to_contain_text("(the model’s own)")
    page.locator("#lab-scale input[type=range]").press("End")
    expect_errors(200)
    expect(page.locator("#lab-reliability .js-plotly-plot")).to_be_visible()
    page.get_by_role("button", name="Reset to the model’s own").click()
    expect_errors(None)
    expect(text).to_contain_text("(the model’s own)")


@pytest.mark.long
def test_a_phone_does_not_scroll_sideways(open_lab):
    page = open_lab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    for section, ready in (
        ("Confusions", "#lab-heatmap table"),
        ("Images", "#lab-kind-images .images"),
        ("Templates", "#lab-template-table table"),
        ("Calibration", "#lab-reliability .js-plotly-plot .xtick text"),
    ):
        page.get_by_role("tab", name=section, exact=True).click()
        page.wait_for_selector(ready)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), section
        buttons = page.locator("#lab :is(button, label:has(> input)):visible")
        assert buttons.evaluate_all("(all) => all.every((each) => each.getBoundingClientRect().height >= 44)"), section
    headline, names = (page.locator(each).bounding_box() for each in ("#lab-headline", "#lab-class-list"))
    assert headline["y"] < names["y"]  # beside the template, above the long list


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_figures_have_the_colours_of_the_theme(open_lab, scheme):
    page = open_lab(color_scheme=scheme)
    page.wait_for_selector("#lab-class-plot .point")
    page.get_by_role("tab", name="Calibration", exact=True).click()
    page.wait_for_selector("#lab-reliability .point")
    page.get_by_role("tab", name="Few-shot").click()
    page.wait_for_selector("#few-shot-plot .point", timeout=20_000)
    for selector, attribute, variable in (
        ("#lab-class-plot .trace:nth-child(2) .point", "fill", "--probe"),
        ("#lab-class-plot .trace:nth-child(3) .point", "fill", "--zero-shot"),
        ("#lab-reliability .trace:nth-child(1) .js-line", "stroke", "--quiet"),
        ("#lab-reliability .trace:nth-child(2) .js-line", "stroke", "--zero-shot"),
        ("#lab-reliability .trace:nth-child(2) .point", "fill", "--zero-shot"),
        ("#lab-reliability .trace:nth-child(3) .js-line", "stroke", "--probe"),
        ("#lab-reliability .xtick text", "fill", "--ink"),
        ("#lab-reliability .legendtext", "fill", "--ink"),
        ("#few-shot-plot .trace:nth-child(1) .js-line", "stroke", "--zero-shot"),
        ("#few-shot-plot .trace:nth-child(2) .js-line", "stroke", "--probe"),
        ("#few-shot-plot .trace:nth-child(2) .errorbar path", "stroke", "--probe"),
        ("#few-shot-plot .trace:nth-child(3) .point", "stroke", "--ink"),
        ("#few-shot-plot .annotation-text", "fill", "--ink"),
    ):
        drawn, theme = page.locator(selector).first.evaluate(
            """(element, [attribute, variable]) => {
                const probe = document.createElement("span");
                probe.style.color = `var(${variable})`;
                element.closest(".gradio-container").append(probe);
                return [getComputedStyle(element)[attribute], getComputedStyle(probe).color];
            }""",
            [attribute, variable],
        )
        assert drawn == theme, selector


def test_nothing_is_encoded_before_the_lab_is_opened(open_page, serve, toy_backend, toy_encoder):
    page = open_page("?dataset=toys", url=serve(toy_backend))
    page.locator("#templates textarea").fill("a green {}")
    expect(page.locator("#results .zero-shot .bar.right")).to_be_visible()
    assert toy_encoder.encoded_images == 1
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-headline .tile strong")).to_have_count(2)
    expect(page.locator("#lab-headline .tile.probe strong")).to_have_text("not fitted")
    assert toy_encoder.encoded_images == 21


def test_a_button_stops_the_measurement_of_templates(open_page, serve, toy_backend, monkeypatch):
    started, stopped, end = threading.Event(), threading.Event(), threading.Event()

    def endless(prompts, *, progress, **where):
        try:
            for done in itertools.count():
                progress("prompts", done, 1_000_000)
                started.set()
                if end.wait(0.02):
                    return ()
        finally:
            stopped.set()

    monkeypatch.setattr(toy_backend, "ablate_templates", endless)
    page = open_page("?dataset=toys", url=serve(toy_backend))
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-headline .tile strong")).to_have_count(2)
    page.get_by_role("tab", name="Templates", exact=True).click()
    try:
        assert started.wait(10)
        expect(page.locator("#lab-progress")).to_contain_text("of 1,000,000 prompts")
        assert not stopped.is_set()
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#lab-progress progress")).to_have_count(0)
        assert stopped.wait(10)
        stopped.clear()
        page.get_by_role("button", name="Measure every template").click()
        expect(page.locator("#lab-progress")).to_contain_text("of 1,000,000 prompts")
        page.get_by_role("button", name="Stop").click()
        assert stopped.wait(10)
    finally:
        end.set()


@pytest.mark.long
def test_stored_features_replace_a_dataset_that_is_not_available(open_page, serve, tmp_path):
    absent = Backend.open("tiny", dataset=SHAPES, data_root=tmp_path)
    page = open_page("?dataset=cifar100&index=3637", url=serve(absent))
    page.get_by_role("tab", name="Prompt Lab").click()
    expect_headline(page, absent.evaluate(dataset="cifar100"))
    page.get_by_role("tab", name="Images", exact=True).click()
    gallery = page.locator("#lab-kind-images")
    expect(gallery).to_contain_text("The images are not available")
    expect(gallery.locator(".images button")).to_have_count(24)
    expect(gallery.locator("img")).to_have_count(0)


def test_the_lab_is_filled_when_the_model_is_ready(open_page, serve, toy_encoder, toy_dataset):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    backend = Backend(ModelPool(load, ["tiny"]), datasets={"toys": toy_dataset})
    page = open_page("?dataset=toys", url=serve(backend), ready="#chip button")
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-headline .waiting")).to_contain_text("The numbers will appear")
    go.set()
    expect(page.locator("#lab-headline .tile strong").first).to_have_text(percent(1.0))
    expect(page.locator("#lab-class-table tbody tr")).to_have_count(5)


@pytest.mark.long
def test_a_model_is_loaded_by_a_button_of_the_lab(open_page, serve, toy_encoder, toy_dataset):
    loaded = []

    def load(name, progress):
        loaded.append(name)
        return toy_encoder

    pool = ModelPool(load, ["tiny", "RN50"], is_downloaded=lambda name: name == "tiny")
    backend = Backend(pool, datasets={"toys": toy_dataset})
    page = open_page("?dataset=toys&model=RN50", url=serve(backend), ready="#chip button")
    page.get_by_role("tab", name="Prompt Lab").click()
    button = page.locator("#lab-headline").get_by_role("button")
    expect(button).to_contain_text("RN50")
    assert loaded == ["tiny"]
    button.click()
    expect(page.locator("#lab-headline .tile strong").first).to_have_text(percent(1.0))
    expect(page.locator("#status")).to_contain_text("RN50 — a toy")


def test_hidden_classes_are_measured_again_for_another_number_and_another_choice(open_lab, backend):
    page = open_lab(section="None of these")
    rows, details = page.locator(".lab-table.detection tbody tr"), page.locator(".detection-details")

    def expect_measured(**asked):
        measured = backend.hide_classes(dataset=SHAPES, **asked)
        expect(details).to_contain_text(f"Hidden: {', '.join(measured.hidden)}.")
        expect(rows.first.locator("td").first).to_have_text(percent(measured.neglabel.auroc, 1))

    expect_measured()
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Hide other classes").click()
    expect_measured(seed=1)
    page.locator("#lab-hidden input[type=number]").fill("3")
    page.keyboard.press("Enter")
    expect_measured(hidden=3, seed=1)
