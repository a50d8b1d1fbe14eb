"""The search tab in a real Chromium."""

import re

from playwright.sync_api import expect

from clip_demo.datasets.shapes100 import Shapes100


def open_tab(page):
    page.get_by_role("tab", name="Search").click()


def test_a_sentence_finds_images_and_one_opens_in_explore(open_page, backend):
    page = open_page("?dataset=shapes100&index=3")
    open_tab(page)
    expect(page.locator(".search-examples button")).to_have_count(3)
    page.get_by_placeholder("What do you look for?").fill("a red circle")
    page.keyboard.press("Enter")
    expect(page.locator(".search-about")).to_contain_text(
        "“a red circle”: the nearest of 10,000 test images of Shapes-100, by tiny."
    )
    found = backend.search.find("a red circle", dataset="shapes100", limit=48).images
    tiles = page.locator("#search .found [data-open]")
    expect(tiles.nth(23)).to_have_attribute("data-open", str(found[23].index))
    tiles.nth(23).scroll_into_view_if_needed()  # more come without a click
    expect(tiles).to_have_count(48)
    expect(tiles.first.locator(".number")).to_have_text(f"{found[0].cosine:.3f}")
    expect(page).to_have_url(re.compile(r"search=a\+red\+circle"))
    tiles.nth(1).click()
    expect(page.locator("#explore figcaption .source")).to_contain_text(f"Test image {found[1].index:,} of Shapes-100")


def test_more_like_this_and_like_the_image_on_explore(open_page, backend):
    page = open_page("?dataset=shapes100&index=3&tab=search&search=a+red+square", ready="#search .found")
    first = page.locator("#search .found").first
    expect(page.locator(".search-about")).to_contain_text("“a red square”")
    index = int(first.locator("[data-open]").get_attribute("data-open"))
    first.get_by_role("button", name="More like this").click()
    expect(page.locator(".search-about")).to_contain_text(
        f"Like test image {index:,}: the nearest of 9,999 test images"
    )
    nearest = backend.search.find(index=index, dataset="shapes100").images[0].index
    expect(page.locator("#search .found [data-open]").first).to_have_attribute("data-open", str(nearest))
    page.get_by_placeholder("What do you look for?").fill("blue")
    page.get_by_label("Also similar to the image on the Explore tab").check()
    expect(page.locator(".search-about")).to_contain_text("“blue” and like test image 3 (the sum of both vectors")
    truth = Shapes100.classnames[backend.datasets["shapes100"].label(3)]
    assert truth == "red square"
