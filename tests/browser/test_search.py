"""The tab "Search" in a real Chromium, with the real built-in model."""

import io
import re

from playwright.sync_api import expect

from clip_demo.datasets.shapes100 import Shapes100

QUERY = "?dataset=shapes100&tab=search"


def search_tab(page):
    return page.get_by_role("tab", name="Search", exact=True)


def test_a_sentence_finds_images_that_lead_to_others_and_into_explore(open_page, backend):
    page = open_page(QUERY, ready="#search .examples button")
    page.get_by_role("button", name="something green").press("Enter")
    images, says = page.locator("#search-images li"), page.locator("#search-says")
    expect(images.first).to_contain_text("green")
    assert page.locator("#search-about").evaluate("(about) => about === document.activeElement")
    # A thousand pixels show more than one page of images; the rest comes as somebody scrolls.
    expect(says).to_have_text(re.compile(r"^(24|48) of 10,000 images, the nearest first.$"))
    page.locator("#search-more").scroll_into_view_if_needed()
    expect(images).to_have_count(72)
    opened = images.locator("[data-open]").evaluate_all("(all) => all.map((each) => Number(each.dataset.open))")
    assert opened[:72] == [each.index for each in backend.search("something green", limit=72).matches]
    assert "find=something+green" in page.url

    images.first.get_by_role("button", name="More like this").click()
    expect(page.locator("#search-about h3")).to_have_text(f"Nearest to test image {opened[0]:,}")
    expect(page.locator("#search-text")).to_have_value("")
    page.get_by_label("What should the image show?").fill("a red circle")
    expect(page.locator("#search-about h3")).to_have_text(f"Nearest to “a red circle” and test image {opened[0]:,}")
    expect(page.locator("#search-about")).to_contain_text("the normalised sum")
    assert f"like={opened[0]}" in page.url and "find=a+red+circle" in page.url
    first = backend.search("a red circle", index=opened[0], dataset="shapes100").matches[0]
    expect(images.first).to_contain_text(first.truth)

    images.first.locator("[data-open]").click()
    expect(page.locator("#image figcaption")).to_contain_text(f"Test image {first.index:,}")
    expect(page).to_have_url(re.compile(rf"index={first.index}\b(?!.*(find|like)=)"))
    page.go_back()
    expect(search_tab(page)).to_have_attribute("aria-selected", "true")
    expect(page.locator("#search-about h3")).to_contain_text("“a red circle” and test image")


def test_a_link_and_a_photo_and_what_is_wrong(open_page, backend):
    page = open_page(f"{QUERY}&find=a+blue+star&like=12", ready="#search-images li")
    expect(page.locator("#search-about h3")).to_have_text("Nearest to “a blue star” and test image 12")
    expect(page.locator("#search-image img")).to_be_visible()
    content = io.BytesIO()
    Shapes100().image(7).save(content, "PNG")
    photo = {"name": "7.png", "mimeType": "image/png", "buffer": content.getvalue()}
    page.locator("#search-file").set_input_files(photo)
    expect(page.locator("#search-about h3")).to_have_text("Nearest to “a blue star” and your photo")
    assert "like=" not in page.url
    broken = {"name": "iphone.heic", "mimeType": "image/heic", "buffer": b"no image"}
    page.locator("#search-file").set_input_files(broken)
    expect(page.locator("#search-message")).to_contain_text("This file is not an image that can be read.")
    expect(page.locator("#search-image img")).to_be_hidden()
    page.locator("#search-file").set_input_files(photo)
    expect(page.locator("#search-image img")).to_be_visible()
    page.get_by_role("button", name="Search without the image").click()
    expect(page.locator("#search-about h3")).to_have_text("Nearest to “a blue star”")
    page.get_by_label("What should the image show?").fill("word " * 80)
    expect(page.locator("#search-message")).to_contain_text("CLIP reads at most 77 tokens")
    expect(page.locator("#search-images li")).to_have_count(0)
    page.get_by_label("What should the image show?").fill("")
    expect(page.locator("#search .examples button")).to_have_count(3)
    expect(page.locator("#search-message .alert")).to_have_count(0)
    # A photo that is dropped anywhere on this tab.
    page.evaluate(
        """(bytes) => {
            const items = new DataTransfer();
            items.items.add(new File([new Uint8Array(bytes)], "7.png", { type: "image/png" }));
            const drop = new DragEvent("drop", { dataTransfer: items, bubbles: true });
            document.querySelector("#search").dispatchEvent(drop);
        }""",
        list(content.getvalue()),
    )
    expect(page.locator("#search-about h3")).to_have_text("Nearest to your photo")
    expect(page.locator("#search-images li").first).to_contain_text(
        backend.search(image=content.getvalue(), dataset="shapes100").matches[0].truth
    )
    expect(page.locator("#search-images li").first).to_contain_text("cosine 1.000")
