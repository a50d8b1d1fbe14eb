"""The panels of How it works in a real Chromium, with the real built-in model: what is read is what is computed."""

import re
import threading
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from clip_demo.errors import Cancelled
from clip_demo.serving import heat_maps as serving
from clip_demo.ui.inside.contrastive_batch_view import in_turn
from clip_demo.ui.inside.heat_maps_view import check_sentence, verdict
from clip_demo.ui.inside.meanings_view import exact_sentence, projected_sentence
from clip_demo.ui.inside.panel_text import number, percent1

HERE = Path(__file__).parent
IMAGE = {"index": 12, "dataset": "shapes100"}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
QUICK = {("batch", "phone"), ("meanings", "dark")}
READY = {
    "heat-maps": "#heat-maps-instant .map-verdict",
    "batch": "#batch-matrix td.pair",
    "meanings": "#meanings-projected .plane",
}


@pytest.fixture(autouse=True)
def patience():
    expect.set_options(timeout=40_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def open_panel(open_page):
    """Open a panel by its address."""

    def start(name, query="", **options):
        page = open_page(f"?dataset=shapes100&index=12&tab=how&step={name}{query}", ready="#how", **options)
        page.wait_for_selector(READY[name], timeout=60_000)  # a busy machine may take a while
        return page

    return start


def text_of(html):
    return re.sub(r"<[^>]+>", "", html)


def expect_checks(page, place, maps):
    for kind, heat_map in (("zero-shot", maps.zero_shot), ("probe", maps.probe)):
        card = page.locator(f"{place} .map-card.{kind}")
        expect(card.locator(".check p").first).to_have_text(text_of(check_sentence(heat_map)))
        expect(card.locator(".map-verdict")).to_have_text(text_of(verdict(heat_map)))
        rows = card.locator("tbody tr").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((c) => c.textContent))"
        )
        assert [row[1:] for row in rows] == [[number(value) for value in row] for row in heat_map.values]


def test_heat_maps_have_the_numbers_of_the_inspector(open_panel, backend):
    page = open_panel("heat-maps")
    expect_checks(page, "#heat-maps-instant", backend.inside.instant_maps(check=True, **IMAGE))
    expect(page.locator("#heat-maps-covered .map")).to_have_count(0)
    page.get_by_role("button", name="Run the cover test").click()
    expect_checks(page, "#heat-maps-covered", backend.inside.cover_maps(**IMAGE))
    # Another pair of classes: the cover test is answered at once, without another click.
    page.get_by_label("before this one").click()
    page.locator('[data-testid=dropdown-option][aria-label="purple star"]').click()
    title = "Zero-shot: purple crescent before purple star"
    expect(page.locator("#heat-maps-covered .zero-shot h4")).to_have_text(title)
    maps = backend.inside.cover_maps(first="purple crescent", second="purple star", **IMAGE)
    expect_checks(page, "#heat-maps-covered", maps)


@pytest.mark.long
def test_a_cover_test_can_be_stopped(open_panel, monkeypatch):
    page = open_panel("heat-maps", "&photo=cat")
    pieces, stopped = [], threading.Event()
    covered = serving.HeatMapper._covered

    def endless(self, request, covers, progress=None):
        def first_piece_for_ever(what, done, total):
            pieces.append(done)
            try:
                while True:
                    progress(what, done, total)
                    time.sleep(0.02)
            except Cancelled:
                stopped.set()
                raise

        return covered(self, request, covers, first_piece_for_ever if progress else None)

    monkeypatch.setattr(serving.HeatMapper, "_covered", endless)
    cover, stop = page.locator("#heat-maps-cover"), page.locator("#heat-maps-stop")
    cover.click()
    expect(page.locator("#heat-maps-progress progress")).to_be_visible()
    expect(cover).to_be_disabled()
    stop.click()
    expect(cover).to_be_enabled()
    expect(stop).to_be_hidden()
    expect(page.locator("#heat-maps-progress progress")).to_have_count(0)
    assert stopped.wait(30) and len(pieces) == 1
    expect(page.locator("#heat-maps-covered .map")).to_have_count(0)
    # Another image stops it, too: the maps would be those of the one before.
    stopped.clear()
    cover.click()
    expect(page.locator("#heat-maps-progress progress")).to_be_visible()
    page.get_by_role("button", name="Another image").click()
    assert stopped.wait(30)
    expect(cover).to_be_enabled()
    expect(stop).to_be_hidden()
    expect(page.locator("#heat-maps-progress progress")).to_have_count(0)


def expect_batch(page, batch):
    expect(page.locator("#batch-tiles strong").first).to_have_text(number(batch.loss, 3))
    shown = page.locator("#batch-matrix tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.firstChild.textContent))"
    )
    assert shown == [[number(value) for value in row] for row in batch.cosines]
    expect(page.locator("#batch-loss dd").last).to_contain_text(f"= {number(batch.loss, 3)}")


def test_the_batch_follows_its_captions_and_the_training(open_panel, backend):
    page = open_panel("batch")
    images = in_turn(backend.inside.batch_images())[:8]
    sources, captions = [each.source for each in images], [each.caption for each in images]
    moment, note = page.locator("#batch-moment input[type=range]"), page.locator("#batch-note")
    expect_batch(page, backend.inside.contrastive_batch(sources=sources, snapshot=7))
    moment.focus()
    page.keyboard.press("Home")
    expect(note).to_contain_text("Before the training")
    expect_batch(page, backend.inside.contrastive_batch(sources=sources, snapshot=0))
    # A caption is edited: the training cannot be replayed.
    field = page.get_by_label("Caption of image 1, cat")
    field.fill("a photo of a dog.")
    field.press("Enter")
    expect(note).to_contain_text("You changed the captions")
    expect(moment).to_be_disabled()
    expect_batch(page, backend.inside.contrastive_batch(["a photo of a dog.", *captions[1:]], sources=sources))
    page.get_by_role("button", name="Put them back").click()
    expect(note).to_contain_text("Before the training")
    expect(moment).to_be_enabled()
    # Two captions are swapped, by keyboard: the button keeps the focus, and the caption can be moved on.
    page.get_by_role("button", name="Swap caption 1 with the one below").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Swap caption 2 with the one below")).to_be_focused()
    swapped = [captions[1], captions[0], *captions[2:]]
    expect(field).to_have_value(swapped[0])
    expect(note).to_contain_text("You changed the captions")
    expect_batch(page, backend.inside.contrastive_batch(swapped, sources=sources))


@pytest.mark.long
def test_an_empty_caption_is_refused_with_a_sentence(open_panel):
    page = open_panel("batch")
    field = page.get_by_label("Caption of image 2, red circle")
    field.fill("  ")
    field.press("Tab")
    expect(page.locator("#batch-message [role=alert]")).to_contain_text("Type a caption of 1 to 500 characters")


@pytest.mark.long
def test_the_matrix_shows_shares(open_panel, backend):
    page = open_panel("batch")
    images = in_turn(backend.inside.batch_images())[:8]
    batch = backend.inside.contrastive_batch(sources=[each.source for each in images], snapshot=7)
    for view, values in (("Shares of each row", batch.to_text), ("Shares of each column", batch.to_image)):
        page.get_by_role("radio", name=view).check()
        expect(page.locator("#batch-matrix td.pair").first).to_contain_text(f"{100 * values[0, 0]:.0f}")
        expect(page.locator("#batch-matrix .loss").first).to_have_text("−ln")


def test_the_maps_of_meanings_have_the_numbers_of_the_inspector(open_panel, backend):
    page = open_panel("meanings")
    where = {"dataset": "shapes100", "star": {"index": 12}}
    prompts = ("a photo of a purple crescent", "a photo of a yellow crescent")
    plot = backend.inside.exact_plot(*prompts, **where)
    expect(page.locator("#meanings-exact .plane-sentence")).to_have_text(exact_sentence(plot))
    page.locator("#meanings-b input").fill("a photo of a cat")
    plot = backend.inside.exact_plot(prompts[0], "a photo of a cat", **where)
    expect(page.locator("#meanings-exact .plane-sentence")).to_have_text(exact_sentence(plot))
    expect(page.locator("#meanings-exact .dot[d]")).to_have_count(500)
    shown = backend.inside.map_of_meanings(**where)
    tiles = page.locator("#meanings-projected .tile strong")
    kept = [percent1(sum(shown.variance)), percent1(shown.prompts_kept), percent1(shown.neighbours_kept)]
    expect(tiles).to_have_text([*kept, number(shown.modality_gap)])
    expect(page.locator("#meanings-projected .nearest li")).to_have_text(
        [f"{near.label} {number(near.cosine, 4)}" for near in shown.nearest]
    )
    # A new class gets a point, and the page says that its word is guessed.
    page.locator("#meanings-added input").fill("zebra")
    expect(page.locator("#meanings-projected .name.added")).to_have_text(["zebra"])
    expect(page.locator("#meanings-projected .words")).to_contain_text("zebra: never seen with an image")
    added = backend.inside.map_of_meanings(added=["zebra"], **where)
    expect(page.locator("#meanings-projected .plane")).to_have_attribute("aria-label", projected_sentence(added))
    page.get_by_label("Centre each modality").check()
    expect(page.locator("#meanings-projected .map-verdict")).to_contain_text("Distorted")
    centred = backend.inside.map_of_meanings(added=["zebra"], centred=True, **where)
    expect(tiles.first).to_have_text(percent1(sum(centred.variance)))


def test_a_panel_follows_explore_while_it_is_open_and_has_an_address(open_page, backend):
    page = open_page("?dataset=shapes100&index=12&tab=how", ready="#step-meanings")
    page.get_by_role("button", name="The map of meanings").click()
    expect(page).to_have_url(re.compile("step=meanings"))
    expect(page.locator("#step-meanings > button")).to_have_attribute("aria-expanded", "true")
    nearest = page.locator("#meanings-projected .nearest li")
    first = backend.inside.map_of_meanings(dataset="shapes100", star={"index": 12}).nearest
    expect(nearest.first).to_contain_text(first[0].label)
    expect(page.locator("#heat-maps-instant .map")).to_have_count(0)  # a closed panel costs nothing
    page.get_by_role("tab", name="Explore").click()
    page.locator("#next").click()
    page.get_by_role("tab", name="How it works").click()
    second = backend.inside.map_of_meanings(dataset="shapes100", star={"index": 13}).nearest
    expect(nearest).to_have_text([f"{near.label} {number(near.cosine, 4)}" for near in second])
    page.get_by_role("button", name="The map of meanings").click()  # closes it: the address names the walk again
    expect(page).to_have_url(re.compile("step=image"))


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        pytest.param(name, setting, marks=() if (name, setting) in QUICK else pytest.mark.long)
        for name in READY
        for setting in ("light", "dark", "phone")
    ],
)
def test_panels_are_accessible(open_panel, name, setting):
    page = open_panel(
        name, f"&__theme={'dark' if setting == 'dark' else 'light'}", **(PHONE if setting == "phone" else {})
    )
    expect(page.locator(f"#step-{name} > button")).to_be_in_viewport()
    top = page.locator(f"#step-{name}").evaluate("panel => panel.getBoundingClientRect().top")
    assert abs(top) < 2  # the address leads to its first line
    if name == "heat-maps":
        page.get_by_role("button", name="Run the cover test").click()
        expect(page.locator("#heat-maps-covered .map-verdict")).to_have_count(2)
    page.wait_for_timeout(300)  # colours are animated
    for path in (HERE / "axe" / "axe.min.js", HERE / "probes.js"):
        page.add_script_tag(path=path)
    violations = page.evaluate("probes.violations([])")
    assert [each for each in violations if each["ours"] or f"#step-{name}" in each["target"]] == []
    assert page.evaluate("probes.overflow()") <= 0
    if setting == "phone":
        inside = f"document.querySelector('#step-{name}')"
        names = page.evaluate(f"[...{inside}.querySelectorAll('*')].map((each) => probes.name(each))")
        small = [each for each in page.evaluate("probes.targets()") if min(each["width"], each["height"]) < 44]
        assert [each for each in small if each["name"] in names] == []


def test_the_presentation_view_shows_what_the_address_names(open_panel):
    page = open_panel("batch", viewport={"width": 1920, "height": 1080})
    present = page.get_by_role("button", name="Present")
    present.click()
    expect(page.locator("#step-batch h2")).to_be_focused()
    expect(page.locator("#inside-walk nav")).to_be_hidden()
    expect(page.locator("#step-meanings")).to_be_hidden()
    expect(page.locator(".followed p")).to_have_text("Test image 12 of Shapes-100: purple crescent · model tiny")
    # The whole matrix is seen; its captions stand beside it.
    expect(page.locator("#batch-matrix td.pair").last).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Leave").click()
    expect(present).to_be_focused()
    page.locator('#inside-walk nav [data-step="cosine"]').click()
    present.click()
    expect(page.locator("#heading-cosine")).to_be_focused()
    expect(page.locator("#step-batch")).to_be_hidden()  # although it is open


def test_high_contrast_keeps_what_the_panels_show(open_panel):
    page = open_panel("heat-maps", forced_colors="active")

    def colour(selector, name="backgroundColor"):
        return page.locator(selector).first.evaluate(f"element => getComputedStyle(element)['{name}']")

    assert colour("#heat-maps-instant .check-bars .track span") != colour("#heat-maps-instant .check-bars .track")
    assert colour("#heat-maps-instant .map .for", "fill") == "rgb(249, 115, 22)"
    assert colour("#heat-maps-instant .map-verdict", "borderTopStyle") == "solid"
    legend = "element => getComputedStyle(element, '::before').backgroundColor"
    assert page.locator("#heat-maps-instant .map-legend .for").evaluate(legend) == "rgb(249, 115, 22)"
