"""A page whose model runs in a real deployment that dies and comes back."""

import time

from playwright.sync_api import expect
from served_encoder import ServedEncoder

from clip_demo.backend import Backend


def test_the_page_says_what_is_missing_keeps_what_is_there_and_goes_on_by_itself(open_page, serve):
    encoder = ServedEncoder("--model", "tiny")
    try:
        page = open_page(url=serve(Backend.open("auto", dataset="shapes100", encoder=encoder.url)))
        chip, classes, results = page.locator("#chip"), page.locator("#classes textarea"), page.locator("#results")
        expect(chip).to_contain_text("tiny · Shapes-100 · probe")
        port = encoder.port
        encoder.kill()
        classes.fill("arrow, wombat")
        start = time.monotonic()
        expect(chip).to_contain_text("tiny does not answer")
        assert time.monotonic() - start < 8
        alert = page.get_by_role("alert").filter(has_text="The computer that runs tiny does not answer.")
        expect(alert).to_contain_text("What was computed before still works")
        expect(results.locator(".card").first).to_contain_text("brown arrow")  # the bars of before
        expect(classes).to_have_value("arrow, wombat")
        encoder = ServedEncoder("--model", "tiny", port=port)
        expect(results.locator(".card").first).to_contain_text("wombat")  # without a click
        expect(chip).to_contain_text("tiny · Shapes-100 · probe")
        expect(alert).to_have_count(0)
        page.get_by_role("tab", name="How it works").click()
        expect(page.get_by_role("img", name="The image; nothing cut off")).to_be_visible()
    finally:
        encoder.kill()
