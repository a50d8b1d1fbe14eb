"""The few-shot curve, and a head that is fitted while one looks on."""

import importlib
import re
import threading

import pytest
from PIL import Image
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.linear_probe.few_shot_curve import CurvePoint, FewShotCurve, curve_to_csv

EARLY = re.compile(r"an early head, from the first \d+ images of each class")
SPACE = "\N{NO-BREAK SPACE}"
CURVE = FewShotCurve(
    model="toy",
    model_sha256="70" * 32,
    dataset="toys",
    zero_shot=0.5,
    zero_shot_templates=("a {}",),
    points=(CurvePoint(1, 5, 0.3, 0.1, (0.2, 0.4)), CurvePoint(4, 20, 0.7, 0.1, (0.6, 0.8))),
    crossing=2.0,
    complete=True,
    date="2026-01-31",
    versions={"numpy": "2"},
)


@pytest.fixture
def waiting_backend(toy_encoder, toy_images, tmp_path):
    """The small encoder, which waits half-way, and images enough for an early head and a better one."""
    # A job is the last in the queue for the processor: on a busy machine this import alone would take it minutes.
    importlib.import_module("sklearn.linear_model")

    class Waiting(type(toy_encoder)):
        go = threading.Event()

        def encode_pixels(self, batch):
            if self.encoded_images > 600:  # of 1,020: enough for an early head, which then stays for a while
                assert self.go.wait(90)
            return super().encode_pixels(batch)

    class Many(type(toy_images)):
        sizes = {"train": 5 * 200, "test": 20}

    return Backend(Waiting(), datasets={"toys": Many()}, head_folders=[tmp_path / "heads"])


def open_tab(page):
    page.get_by_role("tab", name="Few-shot").click()


def test_the_stored_curve_is_drawn_and_saved_and_plots_load_only_then(open_page, serve, toy_backend, tmp_path):
    toy_backend.curve = lambda dataset, model: CURVE
    page = open_page(url=serve(toy_backend))
    loaded = "performance.getEntriesByType('resource').some((each) => /plotly/i.test(each.name))"
    assert not page.evaluate(loaded)
    open_tab(page)
    expect(page.locator("#few-shot-plot .scatterlayer .trace")).to_have_count(3, timeout=20_000)  # plotly is large
    assert page.evaluate(loaded)
    expect(page.locator("#few-shot-plot .errorbars .errorbar")).to_have_count(2)
    expect(page.locator("#few-shot-words .verdict")).to_contain_text("zero-shot equals a 2-shot probe here")
    expect(page.locator("#few-shot-numbers tr.probe th")).to_have_text(["1", "4"])
    means = page.locator("#few-shot-numbers tr.probe td:nth-child(2)")
    expect(means).to_have_text([f"30.00{SPACE}%", f"70.00{SPACE}%"])
    expect(page.locator("#few-shot-job")).to_be_hidden()  # nothing is left to do
    with page.expect_download() as image:
        page.get_by_role("button", name="Save the image (PNG)").click()
    assert image.value.suggested_filename == "toy-toys-few-shot.png"
    image.value.save_as(tmp_path / "curve.png")
    assert Image.open(tmp_path / "curve.png").size == (2200, 1280)
    with page.expect_download() as numbers:
        page.get_by_role("link", name="Save the numbers (CSV)").click()
    numbers.value.save_as(tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == curve_to_csv(CURVE)


def test_a_head_is_fitted_by_a_click_serves_early_is_stopped_and_gone_on_with(open_page, serve, waiting_backend):
    page = open_page(url=serve(waiting_backend))
    card, job = page.locator("#results .probe"), page.locator("#job")
    expect(card.locator(".nothing")).to_contain_text("No head was fitted")
    expect(job).to_be_hidden()
    card.get_by_role("button", name="Fit a head here").press("Enter")
    expect(job.locator(".pace")).to_contain_text(re.compile(r"[\d,]+ of 1,020 images"), timeout=20_000)
    expect(card.get_by_role("button", name="Fit a head here")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("Job: ", timeout=20_000)
    # Nobody clicks: the early head comes by itself, is called what it is, and answers.
    expect(card.locator(".early")).to_contain_text(EARLY, timeout=40_000)
    expect(card.locator(".bar")).to_have_count(5)
    expect(page.locator("#status")).to_contain_text(EARLY, timeout=20_000)
    job.get_by_role("button", name="Stop").click()
    waiting_backend.encoder.go.set()
    expect(job.get_by_role("button", name="Go on")).to_be_visible(timeout=20_000)
    expect(page.locator("#status")).not_to_contain_text("Job: ", timeout=20_000)
    job.get_by_role("button", name="Go on").click()
    open_tab(page)
    expect(page.locator("#few-shot-numbers tr.probe").last.locator("th")).to_have_text("200", timeout=40_000)
    expect(page.locator("#few-shot-job")).to_be_hidden()
    page.get_by_role("tab", name="Explore").click()
    expect(page.locator("#status")).to_contain_text("1,000 images")
    expect(card.locator(".early")).to_have_count(0)
    expect(job).to_be_hidden()
