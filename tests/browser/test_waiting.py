"""A page that is opened before the model or the dataset is available: it says so, and updates without a click."""

import re
import threading

import pytest
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.errors import DatasetError, ModelError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.catalog import BUILT_IN, available_models
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture
def late_dataset(toy_dataset):
    """A dataset whose download ends when the test says so, with success or an error."""

    class LateDataset(type(toy_dataset)):
        name, title, download_bytes = "late", "Late-5", 169_001_437
        sizes = {"train": 50, "test": 10}

        def __init__(self):
            self.there, self.fails, self.go = False, False, threading.Event()

        def available(self):
            return self.there

        def labels(self, split="test"):
            self.check()
            return super().labels(split)

        def images(self, indices, split="test"):
            self.check()
            return super().images(indices, split)

        def check(self):
            if not self.there:
                raise DatasetError("dataset: Late-5 is not on this machine.")

        def download(self, progress=None):
            progress(self.title, 40, 100)
            assert self.go.wait(30)
            self.go.clear()
            if self.fails:
                raise DatasetError("dataset: Late-5 cannot be downloaded; put it into /somewhere.")
            self.there = True

    return LateDataset()


@pytest.fixture
def open_toy_page(open_page, serve, tmp_path):
    """Open the page of a backend whose models are loaded by a function."""

    def start(load, *datasets, query="", ready="#chip button", downloaded=(BUILT_IN,), **options):
        names = list(dict.fromkeys((BUILT_IN, *available_models())))
        backend = Backend(
            ModelPool(load, names, is_downloaded=lambda name: name in downloaded, **options),
            datasets={each.name: each for each in datasets},
            default_dataset="toys",
            stores=Stores.open(tmp_path),
        )
        return open_page(query, url=serve(backend), ready=ready)

    return start


@pytest.fixture
def slow_load(toy_encoder):
    """Loads the toy encoder; a model other than the built-in one stays at 30 % until the event is set."""

    class SlowLoad:
        def __init__(self):
            self.go, self.names = threading.Event(), []

        def __call__(self, name, progress):
            self.names.append(name)
            if name != BUILT_IN:
                progress(name, 30, 100)
                assert self.go.wait(60)
            return toy_encoder

    return SlowLoad()


def bars(page):
    return page.locator("#results .zero-shot .bar")


def test_the_page_works_while_the_model_loads_and_then_shows_the_bars(open_toy_page, toy_encoder, toy_dataset):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    page = open_toy_page(load, toy_dataset)
    expect(page.locator("#status")).to_contain_text("tiny is loading", timeout=15_000)
    expect(page.locator("#results .waiting")).to_contain_text("will appear when the model is ready")
    expect(page.locator("#image .truth")).to_have_text("True label: red")
    page.get_by_label("Test image, 0 to 19", exact=True).fill("6")
    expect(page.locator("#image .truth")).to_have_text("True label: green")
    expect(page.locator("#results .card")).to_have_count(0)
    go.set()
    expect(bars(page)).to_have_count(5, timeout=10_000)
    expect(page.locator("#results .zero-shot .bar.right")).to_contain_text("green")
    expect(page.locator("#status")).to_contain_text("tiny — a toy")
    expect(page.locator("#status")).to_contain_text("none was trained for tiny on Toys-5 yet")
    expect(page.locator("#results .probe .nothing")).to_contain_text("No probe was trained")


def test_a_model_that_cannot_be_loaded_is_reported(open_toy_page, toy_dataset):
    def load(name, progress):
        raise ModelError("model: 'toy' is damaged; use another one.", page="The file of this model is damaged.")

    page = open_toy_page(load, toy_dataset)
    expect(page.locator("#status")).to_contain_text("tiny — could not be loaded")
    expect(page.locator("#alert [role=alert]")).to_contain_text("The file of this model is damaged.")
    expect(page.locator("#alert .after")).to_be_hidden()


def test_a_download_shows_its_progress_fails_is_tried_again_and_the_dataset_is_used(
    open_toy_page, slow_load, toy_dataset, late_dataset
):
    late = late_dataset
    page = open_toy_page(slow_load, late, toy_dataset)
    expect(bars(page)).to_have_count(5)
    page.get_by_label("Late-5", exact=True).check()
    expect(page.locator("#alert [role=alert]")).to_contain_text("Late-5 is not on this machine")
    expect(page.locator("#status")).to_contain_text("Dataset: Late-5")
    expect(page.get_by_label("Test image, 0 to 9", exact=True)).to_be_visible()
    late.fails = True
    page.get_by_role("button", name="Download Late-5 (169 MB)").click()
    expect(page.locator("#download-panel")).to_contain_text("40.00")
    expect(page.locator("#download-dataset")).to_have_count(0)
    page.get_by_label("Toys-5", exact=True).check()  # the other dataset works meanwhile
    expect(page.locator("#alert [role=alert]")).to_have_count(0)
    expect(page.locator("#image .source")).to_contain_text("of Toys-5")
    late.go.set()
    expect(page.locator("#download-panel [role=alert]")).to_contain_text("put it into /somewhere")
    other = page.context.new_page()  # a visitor who did not ask for it is not told
    other.goto(page.url.replace("toys", "late"))
    expect(other.get_by_role("button", name="Try again: download Late-5")).to_be_visible()
    expect(other.locator("#download-panel")).to_be_hidden()
    other.close()
    page.get_by_label("Late-5", exact=True).check()
    late.fails = False
    page.get_by_role("button", name="Try again: download Late-5").click()
    late.go.set()
    expect(page.locator("#image .source")).to_contain_text("of Late-5")  # without a restart or a click
    expect(bars(page)).to_have_count(5)
    expect(page.locator("#alert [role=alert]")).to_have_count(0)
    expect(page.locator("#download-dataset")).to_have_count(0)


def test_the_preferred_model_is_offered_when_it_is_ready_and_typed_text_is_kept(open_toy_page, slow_load, toy_dataset):
    page = open_toy_page(slow_load, toy_dataset, preferred="ViT-B/32")
    expect(bars(page)).to_have_count(5)
    page.locator("#templates textarea").fill("a green {}")
    expect(page.locator("#offer")).to_have_count(0)
    expect(page.locator("#status .other")).to_have_text("ViT-B/32 is downloading: 30% …")
    slow_load.go.set()
    page.get_by_role("button", name="ViT-B/32 is ready: use it").click()
    expect(page.locator("#status")).to_contain_text("Model: ViT-B/32")
    expect(page.locator("#results .probe")).to_contain_text("No probe was trained for ViT-B/32")
    expect(page.locator("#templates textarea")).to_have_value("a green {}")
    expect(page.locator("#offer")).to_have_count(0)
    expect(page).to_have_url(re.compile("model=ViT-B"))


def test_a_preferred_model_that_cannot_be_downloaded_is_reported_in_one_line(open_toy_page, toy_encoder, toy_dataset):
    def load(name, progress):
        if name == "ViT-B/32":
            raise ModelError("model: 'ViT-B/32' cannot be downloaded; put the file there.")
        return toy_encoder

    page = open_toy_page(load, toy_dataset, preferred="ViT-B/32")
    expect(bars(page)).to_have_count(5)
    expect(page.locator("#status summary")).to_contain_text("ViT-B/32 could not be loaded")
    page.locator("#chip button").click()
    page.locator("#status summary").click()
    expect(page.locator("#status details")).to_contain_text("cannot be downloaded")


def test_a_model_chosen_in_the_dropdown_is_loaded(open_toy_page, slow_load, toy_dataset):
    page = open_toy_page(slow_load, toy_dataset)
    expect(bars(page)).to_have_count(5)
    page.locator("#chip button").click()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="RN50 (255 MB to download)").click()
    expect(page.locator("#results .waiting")).to_contain_text("RN50 is downloading: 30%")
    slow_load.go.set()
    expect(bars(page)).to_have_count(5)
    expect(page.locator("#status")).to_contain_text("Model: RN50")


def test_a_link_to_a_model_that_is_not_downloaded_waits_for_a_click(open_toy_page, slow_load, toy_dataset):
    page = open_toy_page(slow_load, toy_dataset, query="?model=RN50x64", ready="#results .waiting")
    expect(page.locator("#results .waiting")).to_contain_text("RN50x64 is not loaded.")
    expect(page.locator("#status")).to_contain_text("RN50x64 — not loaded")
    page.locator("#templates textarea").fill("a green {}")  # typing starts nothing either
    expect(page).to_have_url(re.compile("template=a\\+green"))
    assert slow_load.names == [BUILT_IN]
    page.get_by_role("button", name="Download and load RN50x64 (1,352 MB)").click()
    expect(page.locator("#results .waiting")).to_contain_text("RN50x64 is downloading: 30%")
    expect(page.locator("#status")).to_contain_text("RN50x64 is downloading: 30%")
    slow_load.go.set()
    expect(bars(page)).to_have_count(5)
    expect(page.locator("#status")).to_contain_text("RN50x64 — a toy")
    assert slow_load.names == [BUILT_IN, "RN50x64"]


@pytest.mark.long
def test_a_model_that_was_dropped_from_memory_is_loaded_again(open_toy_page, slow_load, toy_dataset):
    slow_load.go.set()
    page = open_toy_page(
        slow_load,
        toy_dataset,
        query="?model=RN50",
        ready="#results .card",
        downloaded=available_models(),
        idle_seconds=0,
    )
    other = page.context.new_page()
    other.goto(page.url.replace("model=RN50", "model=RN101"))
    expect(other.locator("#results .probe")).to_contain_text("No probe was trained for RN101")
    other.close()
    assert slow_load.names == [BUILT_IN, "RN50", "RN101"]
    page.locator("#templates textarea").fill("a green {}")
    expect(page).to_have_url(re.compile("template=a\\+green"))
    expect(page.locator("#results .probe")).to_contain_text("No probe was trained for RN50")
    expect(page.locator("#status")).to_contain_text("RN50 — a toy")
    assert slow_load.names == [BUILT_IN, "RN50", "RN101", "RN50"]
