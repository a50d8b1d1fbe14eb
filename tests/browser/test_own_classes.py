"""The tab "Your classes" in a real Chromium, with the real built-in model and drawn photos."""

import io
import json
import zipfile

import numpy as np
import pytest
from playwright.sync_api import expect

from clip_demo.datasets.shapes100 import Shapes100

NAMES = ("red circle", "blue square", "green star")
QUERY = "?dataset=shapes100&tab=teach"


@pytest.fixture(scope="module")
def photos():
    """Four PNG files of each class."""
    dataset, found = Shapes100(), {}
    labels = dataset.labels("test")
    for name in NAMES:
        files = []
        for i in np.flatnonzero(labels == dataset.classnames.index(name))[:4]:
            content = io.BytesIO()
            dataset.image(int(i)).save(content, "PNG")
            files.append({"name": f"{i}.png", "mimeType": "image/png", "buffer": content.getvalue()})
        found[name] = files
    return found


def card(page, number):
    return page.locator(".teach-card").nth(number)


def expect_counts(page, *counts):
    for number, count in enumerate(counts):
        expect(card(page, number).locator(".photos li")).to_have_count(count, timeout=20_000)


def bars(page, test="cat"):
    """Choose an example as the test photo, and return the shares of all classifiers."""
    page.locator(f'[data-do=example][data-name="{test}"]').click()
    expect(page.locator("#teach-what")).to_have_text("An example: cat.")
    expect(page.locator("#teach-bars .true-mark")).to_have_count(0)
    expect(page.locator("#teach-bars .percent")).to_have_count(12, timeout=20_000)
    page.wait_for_function("!clipTeach.predicting && !clipTeach.again && !clipTeach.busy")
    return page.locator("#teach-bars .percent").all_inner_texts()


def test_three_classes_are_taught_saved_found_after_a_reload_and_opened_elsewhere(open_page, photos, browser, tmp_path):
    page = open_page(QUERY, ready=".teach-card")
    expect(page.locator("#teach-bars")).to_contain_text("Add a photo to a class")
    page.get_by_role("button", name="Add a class").click()
    expect(page.locator(".teach-card")).to_have_count(3)
    for number, name in enumerate(NAMES):
        page.get_by_label(f"Name of class {number + 1}").fill(name)
        page.keyboard.press("Tab")
    for number, name in enumerate(NAMES):
        card(page, number).locator("input[type=file]").set_input_files(photos[name])
    expect_counts(page, 4, 4, 4)
    # The last photo is the test photo, and none of the classifiers learned from it.
    expect(page.locator("#teach-what")).to_contain_text("Photo 4 of “green star”: it is left out")
    expect(page.locator("#teach-bars .bar.right.first")).to_have_count(4, timeout=20_000)
    expect(page.locator("#teach-accuracy tbody tr")).to_have_count(4, timeout=30_000)
    expect(page.locator("#teach-accuracy tbody td").first).to_have_text("12 of 12")
    expect(page.locator("#teach-plot .scatterlayer .trace")).to_have_count(4, timeout=20_000)
    taught = bars(page)
    with page.expect_download() as download:
        page.locator(".teach-files summary").click()
        page.get_by_role("button", name="Save (zip)").click()
    download.value.save_as(tmp_path / "own.zip")
    with zipfile.ZipFile(tmp_path / "own.zip") as archive:
        assert [each["name"] for each in json.loads(archive.read("classes.json"))["classes"]] == list(NAMES)
    page.reload()
    expect_counts(page, 4, 4, 4)
    assert page.locator("input.name").evaluate_all("all => all.map((each) => each.value)") == list(NAMES)
    assert bars(page) == taught
    with browser.new_context() as context:  # another visitor
        other = context.new_page()
        other.goto(page.url)
        other.wait_for_selector(".teach-card")
        expect_counts(other, 0, 0)
        other.locator("#teach-zip").set_input_files(tmp_path / "own.zip")
        expect_counts(other, 4, 4, 4)
        assert bars(other) == taught


def test_photos_on_their_way_come_in_order_and_to_their_class_when_another_is_removed(open_page, photos):
    page = open_page(QUERY, ready=".teach-card")
    page.get_by_role("button", name="Add a class").click()
    expect(page.locator(".teach-card")).to_have_count(3)
    held = []
    page.route("**/upload", lambda route: route.continue_() if held else held.append(route))
    for number, name in ((0, "red circle"), (2, "green star"), (1, "blue square")):
        card(page, number).locator("input[type=file]").set_input_files(photos[name][: number + 1])
    page.wait_for_function("clipTeach.adding.length == 3")
    card(page, 0).get_by_role("button", name="Remove the class").click()
    expect(page.locator(".teach-card")).to_have_count(2)
    expect_counts(page, 0, 0)
    held[0].continue_()
    expect_counts(page, 2, 3)
    expect(page.locator("#teach-what")).to_contain_text("Photo 2 of “class 2”")


def test_photos_are_deleted_moved_and_brought_back_with_the_keyboard(open_page, photos):
    page = open_page(QUERY, ready=".teach-card")
    card(page, 0).locator("input[type=file]").set_input_files(photos["red circle"][:3])
    expect_counts(page, 3, 0)
    first = page.get_by_role("button", name="Photo 1 of class 1: test it")
    first.focus()
    page.keyboard.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
    for number, key in ((2, "ArrowRight"), (1, "ArrowLeft")):
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=f"Photo {number} of class 1: test it")).to_be_focused()
    assert page.locator(".photos button").evaluate_all("all => all.map((each) => each.tabIndex)") == [0, -1, -1]
    card(page, 0).get_by_label("Move to").select_option("class 2")
    expect_counts(page, 2, 1)
    page.get_by_role("button", name="Photo 1 of class 1: test it").focus()
    page.keyboard.press("Delete")
    expect_counts(page, 1, 1)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Photo 1 of class 1: test it"
    for counts in ((2, 1), (3, 0)):
        page.get_by_role("button", name="Undo").press("Enter")
        expect_counts(page, *counts)
    page.get_by_label("Name of class 1").fill("class 2")
    page.keyboard.press("Tab")
    expect(page.locator("#teach-message")).to_be_visible()
    expect(page.get_by_label("Name of class 1")).to_have_value("class 1")


def test_photos_are_dropped_and_pasted_where_they_belong(open_page, photos):
    page = open_page(QUERY, ready=".teach-card")
    hand = """([selector, event, field, content]) => {
        const files = new DataTransfer();
        const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
        files.items.add(new File([bytes], "a.png", { type: "image/png" }));
        const target = document.querySelector(selector);
        const made = event === "paste" ? new ClipboardEvent(event, { [field]: files, bubbles: true, cancelable: true })
            : new DragEvent(event, { [field]: files, bubbles: true, cancelable: true });
        target.dispatchEvent(made);
    }"""
    first, second, third = (
        page.evaluate("bytes => btoa(String.fromCharCode(...bytes))", list(each["buffer"]))
        for each in photos["blue square"][:3]
    )
    page.evaluate(hand, [".teach-card:nth-child(2)", "drop", "dataTransfer", first])
    expect_counts(page, 0, 1)
    page.evaluate(hand, [".teach-card:nth-child(1) [data-do=choose]", "paste", "clipboardData", second])
    expect_counts(page, 1, 1)
    page.evaluate(hand, ["#teach-test", "drop", "dataTransfer", third])
    expect(page.locator("#teach-what")).to_have_text("Your photo. It is not kept.")
    expect(page.locator("#teach-bars .percent")).to_have_count(8, timeout=20_000)
    expect_counts(page, 1, 1)


def test_a_class_is_recorded_by_a_webcam_that_is_asked_for_and_stops(browser_with_webcam, url):
    page = browser_with_webcam.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url + QUERY)
    page.wait_for_selector(".teach-card")
    assert page.evaluate("clipTeach.stream") is None  # not before it is asked for
    expect(page.locator("#teach-privacy")).to_contain_text("The photo itself is deleted at once")
    for number in range(2):
        card(page, number).locator("[data-do=record]").focus()
        if number == 0:
            page.keyboard.press("Enter")
            expect(card(page, 0).get_by_text("Hold to record")).to_be_visible()
            page.wait_for_function("document.querySelector('#teach-video').videoWidth > 0")
        page.keyboard.down(" ")
        page.wait_for_function(f"clipTeach.classes[{number}].keys.length >= 2", timeout=20_000)
        page.keyboard.up(" ")
    page.locator("[data-do=webcam]").click()
    expect(page.locator("#teach-what")).to_contain_text("These images are not kept.")
    expect(page.locator("#teach-bars .percent")).to_have_count(8, timeout=20_000)
    page.wait_for_function("!clipTeach.busy && !clipTeach.flushing")
    before = card(page, 1).locator(".photos li").count()
    page.locator(".teach-card >> nth=1").locator("[data-do=record]").evaluate(
        """button => {
            button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, button: 0 }));
            button.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
        }"""
    )
    expect(card(page, 1).locator(".photos li")).to_have_count(before + 1, timeout=20_000)
    # Stopped beside the cards, it leaves the photo that was added last as the test photo.
    page.locator(".teach-all [data-do=stop-webcam]").click()
    expect(page.locator("#teach-what")).to_contain_text(f"Photo {before + 1} of “class 2”: it is left out")
    expect(page.locator("#teach-bars .true-mark").first).to_be_visible(timeout=20_000)
    card(page, 0).locator("[data-do=record]").click()
    expect(card(page, 0).get_by_text("Hold to record")).to_be_visible()
    page.get_by_role("tab", name="Explore").click()
    page.wait_for_function("clipTeach.stream === null", timeout=20_000)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_what_a_command_hides_hands_the_focus_on(open_page, photos):
    page = open_page(QUERY, ready=".teach-card")
    page.get_by_role("button", name="Add a class").click()
    card(page, 0).locator("input[type=file]").set_input_files(photos["red circle"][:2])
    expect_counts(page, 2, 0, 0)
    # Only other classes are offered, so that nothing looks as if the photo had been moved.
    move = card(page, 0).get_by_label("Move to")
    assert move.locator("option:not(:disabled)").all_inner_texts() == ["class 2", "class 3"]
    move.focus()
    move.select_option("class 2")
    expect_counts(page, 1, 1, 0)
    expect(page.get_by_role("button", name="Photo 1 of class 2: test it")).to_be_focused()
    page.get_by_role("button", name="Remove the class class 3").press("Enter")
    expect(page.locator(".teach-card")).to_have_count(2)
    page.wait_for_function("!clipTeach.busy")
    assert focused(page) == "Name of class 2"
    page.get_by_role("button", name="Start anew").press("Enter")
    expect_counts(page, 0, 0)
    expect(page.locator("#teach-says")).to_have_text("Removed. Undo brings it back.")
    expect(page.get_by_role("button", name="Add a class")).to_be_focused()


def test_without_a_choice_a_photo_that_is_left_is_tested(open_page, photos):
    page = open_page(QUERY, ready=".teach-card")
    for number, name in enumerate(NAMES[:2]):
        card(page, number).locator("input[type=file]").set_input_files(photos[name][:1])
        expect(card(page, number).locator(".photos li")).to_have_count(1, timeout=20_000)
    page.get_by_role("button", name="Photo 1 of class 2: test it").press("Delete")
    expect_counts(page, 1, 0)
    expect(page.locator("#teach-what")).to_contain_text("Photo 1 of “class 1”: it is left out")
    page.get_by_role("button", name="Photo 1 of class 1: test it").press("Delete")
    expect_counts(page, 0, 0)
    expect(page.locator("#teach-what")).to_contain_text("Until you choose one")
    expect(page.locator("#teach-shown")).to_be_hidden()  # no image of a photo that is gone


def test_a_message_is_in_view_on_a_phone_and_goes_with_the_next_action(open_page):
    page = open_page(QUERY, ready=".teach-card", viewport={"width": 390, "height": 500})
    for count in (3, 4, 5):
        page.get_by_role("button", name="Add a class").click()
        expect(page.locator(".teach-card")).to_have_count(count)
    field = page.get_by_label("Name of class 5")
    field.click()
    page.keyboard.type("class 1")  # in place of the first name
    page.keyboard.press("Enter")
    message = page.locator("#teach-message")
    expect(message).to_contain_text("A class needs a name that no other class has")
    expect(message).to_be_in_viewport(ratio=1)
    expect(field).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(message).to_be_hidden()
    field.fill("class 1")
    page.keyboard.press("Enter")
    expect(message).to_be_visible()
    page.locator("#teach h2").dispatch_event("click")
    expect(message).to_be_hidden()
    field.click()
    page.keyboard.type("pear")
    page.keyboard.press("Enter")
    page.wait_for_function("clipTeach.classes[4].name === 'pear'")
