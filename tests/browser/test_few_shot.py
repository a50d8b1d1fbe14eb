"""The few-shot tab in a real Chromium, and a head that is fitted while the page is open."""

import importlib
import re
import threading
from dataclasses import replace

import pytest
from PIL import Image
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.linear_probe.few_shot_curve import CurvePoint, FewShotCurve, curve_to_csv
from clip_demo.serving.model_pool import ModelPool

EARLY = re.compile(r"an early probe, trained on the first \d+ images of each class")
NBSP = "\N{NO-BREAK SPACE}"
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


def open_tab(page):
    page.get_by_role("tab", name="Few-shot").click()


def test_plotly_is_loaded_when_the_tab_is_opened(open_page, serve, toy_backend, monkeypatch):
    monkeypatch.setattr(toy_backend, "few_shot_curve", lambda dataset, model: CURVE)
    page = open_page(url=serve(toy_backend))
    loaded = "performance.getEntriesByType('resource').some((each) => /plotly/i.test(each.name))"
    assert not page.evaluate(loaded)
    open_tab(page)
    expect(page.locator("#few-shot-plot .scatterlayer .trace")).to_have_count(3, timeout=20_000)  # plotly is large
    assert page.evaluate(loaded)


def test_a_stored_curve_is_shown_and_saved(open_page, serve, toy_backend, monkeypatch, tmp_path):
    monkeypatch.setattr(toy_backend, "few_shot_curve", lambda dataset, model: CURVE)
    page = open_page(url=serve(toy_backend))
    open_tab(page)
    expect(page.locator("#few-shot-plot .errorbars .errorbar")).to_have_count(2, timeout=20_000)
    expect(page.locator("#few-shot-text .summary")).to_contain_text("zero-shot equals a 2-shot probe here")
    expect(page.locator("#few-shot-numbers tr.probe th")).to_have_text(["1", "4"])
    means = page.locator("#few-shot-numbers tr.probe td:nth-child(2)")
    expect(means).to_have_text([f"30.00{NBSP}%", f"70.00{NBSP}%"])
    expect(page.locator("#few-shot-job")).to_be_hidden()  # the curve is complete
    with page.expect_download() as image:
        page.get_by_role("button", name="Save the image (PNG)").click()
    assert image.value.suggested_filename == "toy-toys-few-shot.png"
    image.value.save_as(tmp_path / "curve.png")
    assert Image.open(tmp_path / "curve.png").size == (2200, 1280)
    with page.expect_download() as numbers:
        page.get_by_role("link", name="Save the numbers (CSV)").click()
    numbers.value.save_as(tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == curve_to_csv(CURVE)


@pytest.mark.long
def test_a_phone_does_not_scroll_sideways(open_page, serve, toy_backend, monkeypatch):
    wide = replace(CURVE, crossing=3.5)
    monkeypatch.setattr(toy_backend, "few_shot_curve", lambda dataset, model: wide)
    page = open_page(url=serve(toy_backend), viewport={"width": 390, "height": 844})
    open_tab(page)
    page.wait_for_selector("#few-shot-plot .ytick", timeout=20_000)
    widths = page.evaluate(
        "[document.documentElement.scrollWidth, document.querySelector('#few-shot').getBoundingClientRect().right]"
    )
    assert max(widths) <= 390
    levels = page.locator(":is(h1, h2, h3, h4):visible").evaluate_all("(all) => all.map((each) => each.tagName)")
    assert levels == ["H1", "H2", "H3", "H3"]
    table = page.locator("#few-shot-numbers .scroll")
    assert table.evaluate("(box) => box.scrollWidth <= box.clientWidth")  # no column is cut off


@pytest.fixture
def paused_encoder(toy_encoder):
    """The toy encoder, which pauses after 600 images until `resume` is set."""
    # A job has the lowest priority: on a busy machine, this import alone would take it minutes.
    importlib.import_module("sklearn.linear_model")

    class PausedEncoder(type(toy_encoder)):
        resume = threading.Event()

        def encode_images(self, inputs):
            if self.encoded_images > 600:
                assert self.resume.wait(90)
            return super().encode_images(inputs)

    return PausedEncoder()


@pytest.mark.long
def test_a_job_fits_an_early_head_is_stopped_and_resumed(open_page, serve, toy_dataset, paused_encoder):
    class ManyImages(type(toy_dataset)):
        sizes = {"train": 5 * 200, "test": 20}

    backend = Backend(ModelPool.of(paused_encoder), datasets={"toys": ManyImages()})
    page = open_page(url=serve(backend))
    card, job, status = page.locator("#results .probe"), page.locator("#job"), page.locator("#status")
    expect(card.locator(".nothing")).to_contain_text("No probe was trained")
    expect(job).to_be_hidden()
    card.get_by_role("button", name="Train a probe here").press("Enter")
    expect(job.locator(".pace")).to_contain_text(re.compile(r"[\d,]+ of 1,020 images"), timeout=20_000)
    expect(card.get_by_role("button", name="Train a probe here")).to_be_hidden()
    expect(status).to_contain_text("Job: ", timeout=20_000)
    # The early head appears without a click.
    expect(card.locator(".early")).to_contain_text(EARLY, timeout=40_000)
    expect(card.locator(".bar")).to_have_count(5)
    expect(status).to_contain_text(EARLY, timeout=20_000)
    job.get_by_role("button", name="Stop").click()
    paused_encoder.resume.set()
    expect(job.locator("[data-job=start]")).to_be_visible(timeout=20_000)
    expect(status).not_to_contain_text("Job: ", timeout=20_000)
    job.locator("[data-job=start]").click()
    open_tab(page)
    expect(page.locator("#few-shot-numbers tr.probe").last.locator("th")).to_have_text("200", timeout=40_000)
    expect(page.locator("#few-shot-job")).to_be_hidden()
    page.get_by_role("tab", name="Explore").click()
    expect(status).to_contain_text("1,000 training images")
    expect(card.locator(".early")).to_have_count(0)
    expect(job).to_be_hidden()
