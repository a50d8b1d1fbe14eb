"""A page that is opened before the model or the images are there: it says so, and fills in by itself."""

import re
import threading

import pytest
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.errors import DatasetError, ModelError


@pytest.fixture
def late_images(toy_images):
    """An dataset that has to be fetched; the test says when and how that ends."""

    class LateImages(type(toy_images)):
        name, title, archive_bytes = "late", "Late-5", 169_001_437

        def __init__(self):
            self.there, self.fails, self.go = False, False, threading.Event()

        def available(self):
            return self.there

        def labels(self, split="test"):
            self.check()
            return super().labels(split)

        def pixels(self, indices, split="test"):
            self.check()
            return super().pixels(indices, split)

        def check(self):
            if not self.there:
                raise DatasetError("images: Late-5 is not on disk. Fetch it.")

        def download(self, progress=None):
            progress(40, 100)
            assert self.go.wait(30)
            self.go.clear()
            if self.fails:
                raise DatasetError("images: Late-5 cannot be downloaded (no network). Put it into /somewhere.")
            self.there = True

    return LateImages()


@pytest.fixture
def open_toy_page(open_page, serve, tmp_path):
    def start(load, *datasets, **options):
        sets = {each.name: each for each in datasets}
        backend = Backend(load, datasets=sets, default_dataset="toys", head_folders=[tmp_path], **options)
        return open_page(url=serve(backend), ready="#status .banner")

    return start


def test_the_page_answers_while_the_model_loads_and_then_fills_in_by_itself(open_toy_page, toy_encoder, toy_images):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    page = open_toy_page(load, toy_images)
    expect(page.locator("#status")).to_contain_text("tiny is loading", timeout=15_000)
    expect(page.locator("#results .waiting")).to_contain_text("fill in by themselves")
    expect(page.locator("#image .truth")).to_have_text("True label: red")
    page.get_by_label("Test image, 0 to 19", exact=True).fill("6")
    expect(page.locator("#image .truth")).to_have_text("True label: green")
    expect(page.locator("#results .card")).to_have_count(0)
    go.set()
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5, timeout=10_000)
    expect(page.locator("#results .zero-shot .bar.right")).to_contain_text("green")
    expect(page.locator("#status")).to_contain_text("tiny — a toy")
    expect(page.locator("#status")).to_contain_text("none for tiny on Toys-5: not fitted yet")
    expect(page.locator("#results .probe .nothing")).to_contain_text("No head was fitted")
    expect(page.locator("#results .badge")).to_have_count(0)


def test_a_model_that_cannot_be_loaded_is_said(open_toy_page, toy_images):
    def load(name, progress):
        raise ModelError("model: 'toy' is broken; take another.")

    page = open_toy_page(load, toy_images)
    expect(page.locator("#status")).to_contain_text("tiny — could not be loaded")
    expect(page.locator("#alert [role=alert]")).to_contain_text("model: 'toy' is broken; take another.")
    expect(page.locator("#alert .after")).to_be_hidden()


def test_an_image_set_is_fetched_with_progress_fails_is_tried_again_and_is_used(
    open_toy_page, toy_encoder, toy_images, late_images
):
    late = late_images
    page = open_toy_page(toy_encoder, late, toy_images)
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    page.get_by_label("Late-5", exact=True).check()
    expect(page.locator("#alert [role=alert]")).to_contain_text("Late-5 is not on disk")
    late.fails = True
    page.get_by_role("button", name="Get Late-5 (169 MB)").click()
    expect(page.locator("#download")).to_contain_text("40.00")
    expect(page.locator("#get")).to_have_count(0)
    page.get_by_label("Toys-5", exact=True).check()  # the other set works meanwhile
    expect(page.locator("#alert [role=alert]")).to_have_count(0)
    expect(page.locator("#image .source")).to_contain_text("of Toys-5")
    late.go.set()
    expect(page.locator("#download [role=alert]")).to_contain_text("Put it into /somewhere")
    page.get_by_label("Late-5", exact=True).check()
    late.fails = False
    page.get_by_role("button", name="Try again: get Late-5").click()
    late.go.set()
    expect(page.locator("#image .source")).to_contain_text("of Late-5")  # without a restart, without a click
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    expect(page.locator("#alert [role=alert]")).to_have_count(0)
    expect(page.locator("#get")).to_have_count(0)


def test_a_better_model_is_offered_when_it_has_come_and_nothing_typed_is_lost(open_toy_page, toy_encoder, toy_images):
    go = threading.Event()

    def load(name, progress):
        if name == "ViT-B/32":
            progress(30, 100)
            assert go.wait(60)
        return toy_encoder

    page = open_toy_page(load, toy_images, preferred="ViT-B/32")
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    page.locator("#templates textarea").fill("a green {}")
    expect(page.locator("#offer")).to_have_count(0)
    expect(page.locator("#status .other")).to_have_text("ViT-B/32 is on its way: 30% …")
    go.set()
    page.get_by_role("button", name="ViT-B/32 is ready: use it").click()
    expect(page.locator("#status")).to_contain_text("Model: ViT-B/32")
    expect(page.locator("#results .probe")).to_contain_text("the features of ViT-B/32")
    expect(page.locator("#templates textarea")).to_have_value("a green {}")
    expect(page.locator("#offer")).to_have_count(0)
    expect(page).to_have_url(re.compile("model=ViT-B"))


def test_without_a_network_one_line_says_so_and_the_page_goes_on(open_toy_page, toy_encoder, toy_images):
    def load(name, progress):
        if name == "ViT-B/32":
            raise ModelError("model: 'ViT-B/32' cannot be downloaded (no network). Put the file there.")
        return toy_encoder

    page = open_toy_page(load, toy_images, preferred="ViT-B/32")
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    expect(page.locator("#status summary")).to_have_text(
        "ViT-B/32 could not be had; this page goes on with what is here."
    )
    page.locator("#status summary").click()
    expect(page.locator("#status details")).to_contain_text("cannot be downloaded (no network)")


def test_another_model_is_chosen_loads_and_answers(open_toy_page, toy_encoder, toy_images):
    go = threading.Event()

    def load(name, progress):
        if name == "RN50":
            progress(30, 100)
            assert go.wait(60)
        return toy_encoder

    page = open_toy_page(load, toy_images)
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="RN50 (255 MB to download)").click()
    expect(page.locator("#results .waiting")).to_contain_text("RN50 is on its way: 30%")
    go.set()
    expect(page.locator("#results .zero-shot .bar")).to_have_count(5)
    expect(page.locator("#status")).to_contain_text("Model: RN50")
