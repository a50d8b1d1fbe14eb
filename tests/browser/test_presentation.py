"""The presentation view in a real Chromium, with the real built-in model."""

import io
import re

import pytest
import segno
from PIL import Image
from playwright.sync_api import expect

from clip_demo.datasets.example_photos import example_photos
from clip_demo.paths import EXAMPLES
from clip_demo.ui.presentation import LONGEST_ADDRESS, qr_code

PROJECTORS = [{"width": 1920, "height": 1080}, {"width": 1366, "height": 768}]


@pytest.fixture
def present(open_page):
    """Open the page and its presentation view."""

    def start(query=""):
        page = open_page(query)
        page.set_viewport_size(PROJECTORS[0])
        page.get_by_role("button", name="Present: fill the screen").click()
        expect(page.get_by_role("region", name="Presentation view")).to_be_focused()
        return page

    return start


def read_aloud(page):
    """Return all names in Chromium's own accessibility tree."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return "\n".join(str(node["name"]["value"]) for node in nodes if not node["ignored"] and "name" in node)


def expect_silence(page, *words):
    """Wait until none of the words is in the accessibility tree, which Chromium updates after the page."""
    for _ in range(20):
        if not any(word in read_aloud(page) for word in words):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"one of {words} is read aloud")


def expect_image(page, index):
    expect(page.locator("#image .source")).to_contain_text(f"Test image {index} of")
    expect(page.locator("html")).not_to_have_class(re.compile("clip-waiting"))


def guess(page, name):
    page.locator("#presentation [data-guess]").get_by_text(name, exact=True).click()


def expect_points(page, of_class, of_clip):
    expect(page.locator("#presentation .score")).to_have_text(f"Class {of_class} : {of_clip} CLIP")


def test_the_back_row_can_read_it(present):
    page = present("?dataset=shapes100&index=12")
    parts = [".truth", "#verdict strong", ".card h2", ".bar .label", ".bar .percent"]
    sizes = page.evaluate(
        "(all) => all.map((one) => [...document.querySelectorAll(`#explore ${one}`)].map("
        "(each) => parseFloat(getComputedStyle(each).fontSize)))",
        parts,
    )
    assert {part: min(found) for part, found in zip(parts, sizes, strict=True) if min(found) < 32} == {}
    expect(page.locator("#presentation .used")).to_have_text("tiny · Shapes-100")
    expect(page.locator("#presentation .prompt b")).to_have_text("a photo of a {}")


LONG = "%0A".join(f"the {each} of the long names that do not fit on one line" for each in "abcde")


@pytest.mark.parametrize("query", ["?dataset=shapes100&index=9", f"?dataset=shapes100&index=12&classes={LONG}"])
def test_everything_fits_on_the_screen(present, query):
    page = present(query)
    for size in PROJECTORS:
        page.set_viewport_size(size)
        boxes = page.evaluate(
            "() => [...document.querySelectorAll('#image :is(img, .truth), #verdict p, #results :is(.card, .bar), "
            "#presentation :is(header, footer) button, #presentation .keys')].map((each) => "
            "each.getBoundingClientRect()).filter((box) => box.width).map((box) => [box.left, box.top, box.right, "
            "box.bottom])"
        )
        assert len(boxes) > 18
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= size["width"] and 0 <= top < bottom <= size["height"]
        buttons = page.locator("#presentation button:visible").all()
        assert len(buttons) == 5
        assert min(side for each in buttons for side in list(each.bounding_box().values())[2:]) >= 44
        cards = page.locator("#results .card").all()
        assert len(cards) == 2
        for card in cards:  # nothing is cut off, and no bar lies over what follows it
            assert card.evaluate("(card) => card.scrollHeight <= card.clientHeight")
            assert card.locator(".bars").evaluate("(bars) => bars.scrollHeight <= bars.clientHeight + 1")


def test_arrow_keys_step_through_the_example_photos(present):
    page = present("?dataset=shapes100&photo=cat")
    image, names = page.locator("#image img"), list(example_photos().values())
    for key, n in (("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", -1), ("ArrowRight", 0)):
        photo = names[n]
        page.keyboard.press(key)
        expect(image).to_have_attribute("alt", f"Example photo: {photo.label}")


def test_arrow_keys_step_and_escape_leaves(present):
    page = present("?dataset=shapes100&index=9")
    page.keyboard.press("ArrowRight")
    expect_image(page, 10)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect_image(page, 8)
    expect_silence(page, "Few-shot", "Class list")
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('body, #presentation button')")
    page.keyboard.press("Escape")
    button = page.get_by_role("button", name="Present: fill the screen")
    expect(button).to_be_focused()
    expect(page.get_by_role("tab", name="Few-shot")).to_be_visible()
    expect(page.get_by_role("region", name="Presentation view")).to_be_hidden()
    index = page.locator("#index input")
    index.focus()
    page.keyboard.press("ArrowRight")  # moves the cursor, as in any field
    expect(index).to_have_value("8")


def test_it_leaves_with_the_full_screen_and_with_its_button(present):
    page = present()
    page.wait_for_function("document.fullscreenElement")
    page.evaluate("document.exitFullscreen()")
    expect(page.get_by_role("button", name="Present: fill the screen")).to_be_focused()
    page.get_by_role("tab", name="Few-shot").click()
    page.get_by_role("button", name="Present: fill the screen").click()
    expect(page.locator("#results .card.zero-shot")).to_be_visible()  # the tab Explore
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("button", name="Present: fill the screen")).to_be_focused()


def test_a_class_guesses_before_the_answer_is_seen(present, backend):
    first, second = backend.predict(index=9), backend.predict(index=10)
    truth = first.truth
    assert first.zero_shot[0].label == truth, "CLIP gets a point for the first image"
    page = present("?dataset=shapes100&index=9")
    page.keyboard.press("g")
    for hidden in ("#results .card.zero-shot", "#verdict p", "#image .truth"):
        expect(page.locator(hidden)).to_be_hidden()
    expect_silence(page, "True label", "%", f"Test image 9 of Shapes-100: {truth}")
    names = page.locator("#presentation [data-guess] span").all_text_contents()
    assert sorted(names) == sorted(score.label for score in first.zero_shot)
    assert names != [score.label for score in first.zero_shot]
    page.keyboard.press(str(names.index(truth) + 1))
    page.keyboard.press("Space")
    expect(page.locator("#results .card.zero-shot")).to_be_visible()
    expect(page.locator("#image .truth")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=f"Class: {truth}, right")).to_contain_text(
        f"CLIP: {truth}, right"
    )
    expect_points(page, 1, 1)
    page.keyboard.press("ArrowRight")
    expect_image(page, 10)
    expect(page.locator("#results .card.zero-shot")).to_be_hidden()
    guess(page, next(score.label for score in second.zero_shot if score.label != second.truth))
    page.keyboard.press("Space")  # the pointer was on a button, but Space reveals
    points = 1, 1 + (second.zero_shot[0].label == second.truth)
    expect_points(page, *points)
    page.keyboard.press("ArrowLeft")
    expect_image(page, 9)
    guess(page, truth)
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("#presentation .outcome")).to_contain_text("already been counted")
    expect_points(page, *points)
    page.get_by_role("button", name="Reset score").click()
    expect_points(page, 0, 0)
    page.keyboard.press("Escape")
    assert truth in page.locator("#image img").get_attribute("alt")


def test_a_true_label_without_a_bar_is_a_candidate(present, backend):
    page = present("?dataset=shapes100&index=9&classes=dog,cat,red circle,blue star,house,tree")
    page.keyboard.press("g")
    truth = backend.predict(index=9).truth
    guess(page, truth)
    expect(page.locator("#presentation [data-guess]")).to_have_count(5)
    page.keyboard.press("Space")
    expect_points(page, 1, 0)


def test_a_photo_without_a_true_label_gives_no_points(present):
    page = present()
    page.keyboard.press("Escape")
    page.locator("#source").get_by_label("Your photo").check()
    page.locator("#photo input[type=file]").set_input_files(EXAMPLES / "cat.jpg")
    expect(page.locator("#photo img")).to_be_visible()
    expect(page.locator("#results .bar.right")).to_have_count(0)
    page.get_by_role("button", name="Present: fill the screen").click()
    page.keyboard.press("g")
    page.keyboard.press("1")
    page.keyboard.press("Space")
    expect(page.locator("#presentation .outcome")).to_have_text("Your own photo has no true label: no points.")
    expect(page.locator("#photo img")).to_be_visible()
    expect_points(page, 0, 0)


def modules(page):
    """Return the modules of the code on the screen, True for dark, read from its pixels."""
    svg = page.locator("#presentation .svg svg")
    expect(svg).to_be_visible()
    image = Image.open(io.BytesIO(svg.screenshot())).convert("L")
    n = int(svg.get_attribute("viewBox").split()[2])
    assert image.width / n >= 8
    middle = [round((i + 0.5) * image.width / n) for i in range(n)]
    return [[image.getpixel((x, y)) < 128 for x in middle] for y in middle]


def test_a_qr_code_leads_to_the_same_state(browser, url):
    address = url.replace("127.0.0.1", "classroom.test") + "?dataset=shapes100&index=12"
    page = browser.new_page(viewport=PROJECTORS[0])
    page.goto(f"{address}&__theme=dark")
    page.wait_for_selector("#results .card")
    expected = segno.make_qr(f"{address}&model=tiny", error="l")
    for classes, note in (("", ""), ("red circle, blue star\n" * 30, "The class list is left out")):
        if classes:
            page.locator("#classes textarea").fill(classes)
            page.wait_for_function("location.search.includes('classes')")
        page.get_by_role("button", name="Present: fill the screen").click()
        page.keyboard.press("q")
        assert modules(page) == [[bool(each) for each in row] for row in expected.matrix_iter(border=4)]
        expect(page.locator("#presentation .note")).to_contain_text(note)
        page.keyboard.press("q")
        expect(page.locator("#presentation .svg")).to_be_hidden()
        page.keyboard.press("Escape")
    page.close()


def test_no_qr_code_for_an_address_that_leads_nowhere(present):
    page = present()
    page.get_by_role("button", name="QR code").click()
    expect(page.get_by_role("dialog")).to_contain_text("Open the page under this computer’s address in the network")
    expect(page.locator("#presentation .svg svg")).to_have_count(0)
    link = "(from) => clipPresentation.link(from)"
    for host in ("localhost", "127.0.1.1:7860", "[::1]:7860", "0.0.0.0:7860"):
        assert page.evaluate(link, f"http://{host}/?index=1")[0] == ""
    assert page.evaluate(link, "http://192.168.1.7:7860/?index=1#top") == ["http://192.168.1.7:7860/?index=1", ""]
    assert page.evaluate(link, f"http://a.test/?template={'a' * LONGEST_ADDRESS}&classes=a")[0] == ""
    page.keyboard.press("Escape")  # closes the code only
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("region", name="Presentation view")).to_be_focused()


def test_only_short_http_addresses_are_drawn():
    assert qr_code("https://example.org").startswith("<svg")
    for refused in ("javascript:alert(1)", "", None, 7, "http://\ud800", "http://" + "a" * LONGEST_ADDRESS):
        assert qr_code(refused) == ""
    assert "script" not in qr_code("http://a.test/?a=<script>")
