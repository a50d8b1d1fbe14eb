"""What a visitor sees after an error that nobody expected, and in a browser that refuses what the page asks for."""

from playwright.sync_api import expect

from clip_demo.ui.event_options import UNEXPECTED

DIMMED = "document.documentElement.classList.contains('clip-waiting')"


def test_an_error_that_nobody_expected_is_said_and_the_page_goes_on(open_page, serve, toy_backend, monkeypatch):
    page = open_page("?index=3", url=serve(toy_backend))
    predict = toy_backend.predict
    monkeypatch.setattr(toy_backend, "predict", lambda **_: {}["a secret"])
    page.fill("#templates textarea", "the {}")
    expect(page.locator(".toast-body")).to_contain_text(UNEXPECTED)
    page.wait_for_function(f"!{DIMMED}")
    monkeypatch.setattr(toy_backend, "predict", predict)
    page.fill("#classes textarea", "yellow, red, blue")
    expect(page.locator("#results .card.zero-shot .bar")).to_have_count(3)
    page.wait_for_function(f"!{DIMMED}")


def test_an_event_outside_the_queue_says_its_error(open_page, serve, toy_backend, monkeypatch):
    page = open_page("?index=3", url=serve(toy_backend))
    with monkeypatch.context() as patch:
        patch.setattr(toy_backend, "status", lambda *_: {}["a secret"])
        page.click("#start-over")
        expect(page.locator("#says")).to_contain_text(UNEXPECTED)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#says")).to_have_count(0)
    page.click("#start-over")
    expect(page.locator("#results .card").first).to_be_visible()


def test_halves_of_characters_leave_the_page_working(open_page, serve, toy_backend):
    page = open_page("?index=3", url=serve(toy_backend))
    page.evaluate(
        r"""() => {
          const field = document.querySelector("#classes textarea");
          field.value = "red\ud83d, green";
          field.dispatchEvent(new Event("input", { bubbles: true }));
        }"""
    )
    expect(page.locator("#results .card.zero-shot .bar")).to_have_count(2)
    page.fill("#classes textarea", "red, green, blue")
    expect(page.locator("#results .card.zero-shot .bar")).to_have_count(3)


REFUSING = """
  const refuse = () => { throw new DOMException("", "SecurityError"); };
  history.replaceState = history.pushState = refuse;
  Object.defineProperty(window, "localStorage", { get: refuse });
  Object.defineProperty(navigator, "clipboard", { get: () => undefined });
  Element.prototype.requestFullscreen = () => undefined; // returns no promise
"""


def test_the_page_works_where_the_browser_refuses_what_it_asks_for(open_page, contexts):
    options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-NZ"}
    contexts(**options).add_init_script(REFUSING)
    page = open_page("?dataset=shapes100&index=5", **options)
    page.fill("#classes textarea", "red circle, green square")
    expect(page.locator("#results .card.zero-shot .bar")).to_have_count(2)
    page.click("#next")
    expect(page.locator("#image")).to_contain_text("Test image 6")
    page.click("#copy-link")
    expect(page.locator("#copied")).to_contain_text("take the link from the address bar")
    page.click("[data-present=enter]")
    page.wait_for_function("document.documentElement.classList.contains('presenting')")
    page.click("[data-present=leave]")
    page.wait_for_function("!document.documentElement.classList.contains('presenting')")
