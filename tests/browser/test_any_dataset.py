"""The whole page with datasets of the host's own: few unbalanced classes, large images, long titles."""

import pytest
from helpers import SmallDataset
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool

TITLE = "Birds of our school garden, spring 2026 – Vögel im Schulgarten"


@pytest.fixture
def own_datasets(tmp_path):
    """A backend with a head that lacks a class, and a class without test images; and a dataset of two classes."""
    garden = SmallDataset(
        {"train": {"red": 6, "Grüner_Kreis": 0, "cat": 5}, "test": {"red": 3, "Grüner_Kreis": 1, "cat": 0}},
        image_sizes=[(1600, 900), (300, 2000)],
        name="garden",
        title=TITLE,
    )
    two = SmallDataset({"train": {"cat": 6, "dog": 4}, "test": {"cat": 3, "dog": 1}}, name="two", title="Two")
    datasets, stores = {"garden": garden, "two": two, "shapes100": Shapes100()}, Stores.open(tmp_path)
    backend = Backend(ModelPool.open("tiny"), datasets=datasets, stores=stores)
    backend.fit_probe("garden", folder=stores.heads.folders[-1], curve_folder=stores.curves.folders[-1])
    return backend


def assert_tiles_are_wide_enough(page):
    """Assert that the headline's numbers do not overlap, also those of perfect predictions."""
    tiles = page.locator("#lab-headline .tile")
    for width in (1000, 600, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        tiles.locator("strong").evaluate_all("(all) => all.forEach((each) => (each.textContent = '100.00\\u00a0%'))")
        assert tiles.evaluate_all("(all) => all.every((each) => each.scrollWidth <= each.clientWidth)")


def test_every_tab_works_with_any_dataset(open_page, serve, own_datasets):
    page = open_page("?dataset=garden&index=1", url=serve(own_datasets))
    assert page.locator("#image img").evaluate("image => image.clientHeight") < 400
    expect(page.locator("#results")).to_contain_text("2 classes; ignores your list")
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("#image .source")).to_contain_text("image 0")
    page.get_by_role("button", name="Present").click()
    ratio = page.locator("#image img").evaluate("(image) => image.clientWidth / image.clientHeight")
    assert ratio > 1.7  # no empty space in its frame
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.locator("#image .source")).to_contain_text("image 1")
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page.locator("#lab-headline")).to_contain_text("Its mean per class")
    assert_tiles_are_wide_enough(page)
    page.get_by_role("tab", name="Confusions", exact=True).click()
    expect(page.locator("#lab-heatmap")).to_contain_text("Grüner_Kreis")
    expect(page.locator("#lab-view")).to_be_hidden()
    page.get_by_role("tab", name="Images", exact=True).click()
    page.get_by_label("Both right").check()
    expect(page.locator("#lab-kind-images img").first).to_be_visible()
    page.get_by_role("tab", name="Few-shot").click()
    expect(page.locator("#few-shot")).to_contain_text("Images of each class, at most")
    page.get_by_role("tab", name="How it works").click()
    expect(page.get_by_text("300 × 2,000 pixels")).to_be_visible()
    page.get_by_role("tab", name="Explore").click()
    page.locator("#dataset input").click()
    page.get_by_role("option", name="Two", exact=True).click()
    expect(page.locator("#results")).to_contain_text("picks among your 2 classes")
    expect(page.locator("#readme-image")).to_be_hidden()


def test_a_long_title_does_not_widen_a_phone(open_page, serve, own_datasets):
    page = open_page("?dataset=garden&index=0", url=serve(own_datasets), viewport={"width": 390, "height": 844})
    expect(page.locator(".chip")).to_contain_text(TITLE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
