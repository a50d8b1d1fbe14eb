"""The tab "How it works" in a real Chromium with the real built-in model: its steps have the numbers of Explore."""

import re

import pytest
from playwright.sync_api import expect

from clip_demo.datasets.example_photos import example_photos
from clip_demo.inside.walk import without
from clip_demo.ui.html import percent, signed
from clip_demo.ui.inside.walk_view import STEPS
from clip_demo.zero_shot.prompt_set import PromptSet
from clip_demo.zero_shot.templates import README_TEMPLATE

NAMES = [step.name for step in STEPS]
CAT, SHAPE = "?photo=cat&tab=how", "?dataset=shapes100&index=12&tab=how"


def bars(page, place):
    """Return label, cosine and share of each bar as text."""
    texts = """bars => bars.map((bar) => [".label bdi", ".cosine", ".percent"].map(
        (part) => bar.querySelector(part)?.textContent.replace("\\u00a0", " ") ?? ""))"""
    return page.locator(f"{place} .bar").evaluate_all(texts)


def open_walk(open_page, query, **options):
    page = open_page(query, ready="#inside-walk .walk", **options)
    expect(page.locator("#inside-walk section.step:visible")).to_have_count(1)
    return page


def go_to(page, step):
    page.locator(f'#inside-walk nav [data-step="{step}"]').click()
    expect(page.locator(f"#step-{step}")).to_be_visible()
    return page.locator(f"#step-{step}")


def cat(backend, **options):
    """Return the walk that the page shows for the photo of a cat."""
    photo = example_photos()["cat"]
    return backend.inside.walk(image=photo.path, prompts=PromptSet(photo.classnames, (README_TEMPLATE,)), **options)


@pytest.mark.parametrize("query", [CAT, SHAPE])
def test_all_steps_have_the_numbers_of_explore(open_page, backend, query):
    page = open_walk(open_page, query)
    walk = cat(backend, dataset="shapes100") if query == CAT else backend.inside.walk(index=12, dataset="shapes100")
    term = walk.cosine.most[0]
    facts = {
        "image": f"{walk.image.original.width:,} × {walk.image.original.height:,} pixels",
        "tokens": f"{len(walk.prompts[0].tokens)} of 77 places",
        "vectors": f"{term.dimension + 1} of 256: image {signed(term.image)}, text {signed(term.weight)}",
        "cosine": f"cosine {signed(walk.cosine.value)}",
        "scale": signed(walk.classes[1].logit, 2),
        "softmax": percent(walk.classes[0].probability),
        "probe": signed(walk.probe.first.logit, 3),
        "difference": walk.agreement.probe,
    }
    for i, name in enumerate(NAMES):
        section = page.locator("#inside-walk section.step:visible")
        expect(section).to_have_attribute("data-name", name)
        expect(section).to_contain_text(facts[name])
        expect(section.locator(".task")).to_have_count(1)
        if i + 1 < len(NAMES):
            section.get_by_role("button", name="Next").click()
            expect(page).to_have_url(re.compile(f"step={NAMES[i + 1]}(&|$)"))
    expect(page.get_by_role("heading", level=2).filter(visible=True)).to_have_text(re.compile("Why they differ"))
    explore = {kind: bars(page, f"#results .card.{kind}") for kind in ("zero-shot", "probe")}
    assert len(explore["zero-shot"]) == len(explore["probe"]) == 5
    assert {kind: bars(page, f"#step-difference .side.{kind}") for kind in explore} == explore
    assert bars(page, "#step-softmax")[:5] == explore["zero-shot"]
    shares = page.locator("#step-probe .numbers tbody td:last-child").all_inner_texts()
    assert [share.replace("\xa0", " ") for share in shares] == [share for _, _, share in explore["probe"][:2]]


def test_shares_move_and_cosines_stay_when_classes_are_taken_away(open_page, backend):
    page = open_walk(open_page, f"{CAT}&dataset=shapes100&step=softmax")
    walk, before = cat(backend, dataset="shapes100"), bars(page, "#step-softmax")
    section = page.locator("#step-softmax")
    for removed in ({"cat"}, {"cat", "car"}):
        section.get_by_role("checkbox", name=list(removed)[-1] if removed == {"cat"} else "car").uncheck()
        expected = {each.label: percent(each.probability) for each in without(walk.classes, removed)}
        after = bars(page, "#step-softmax")
        assert [(name, cosine) for name, cosine, _ in after] == [(name, cosine) for name, cosine, _ in before]
        assert {name: share for name, _, share in after} == {
            each.label: expected.get(each.label, "not on the list").replace("\xa0", " ") for each in walk.classes
        }
    expect(section.locator(".sum")).to_contain_text("monkey: weight 1 of 1.00")
    for name in [each.label for each in walk.classes if each.label not in ("cat", "car", "house")]:
        section.get_by_role("checkbox", name=name).uncheck()
    expect(section.locator(".sum")).to_have_text("house: weight 1 of 1.0000 = 100.00\xa0%")  # however badly it fits
    expect(section.get_by_role("checkbox", name="house")).to_be_disabled()
    section.get_by_role("button", name="Put all back").click()
    assert bars(page, "#step-softmax") == before


@pytest.mark.long
def test_the_rest_of_a_long_list_counts(open_page, backend):
    page = open_walk(open_page, f"{SHAPE}&step=softmax")
    walk = backend.inside.walk(index=12, dataset="shapes100")
    section = page.locator("#step-softmax")
    expect(section.locator(".bar")).to_have_count(10)
    expect(section.locator(".rest")).to_contain_text("The 90 other classes of the list")
    section.get_by_role("checkbox", name=walk.classes[0].label).uncheck()
    left = without(walk.classes, {walk.classes[0].label})
    expect(section.locator(".rest .percent")).to_have_text(percent(sum(each.probability for each in left[9:])))


@pytest.mark.long
def test_the_sharpness_is_that_of_explore(open_page, backend):
    page = open_walk(open_page, f"{CAT}&dataset=shapes100&step=scale")
    slider = page.get_by_role("slider", name="Sharpness").filter(visible=True)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("sharpness=1(&|$)"))
    walk = cat(backend, dataset="shapes100", logit_scale=2 * backend.encoder("tiny").logit_scale)
    expect(page.locator("#step-scale .scale").first).to_have_text(f"{walk.logit_scale:.2f}")
    logits = [signed(each.logit, 2) for each in walk.classes[:5]]
    assert page.locator("#step-scale .logit").all_inner_texts() == logits
    expect(page.locator("#results .card.zero-shot .percent").first).to_have_text(percent(walk.classes[0].probability))
    expect(page.locator("#step-difference .zero-shot .percent").first).to_have_text(
        percent(walk.classes[0].probability)
    )
    expect(slider).to_be_focused()  # although the step was drawn again


def test_another_class_is_followed(open_page, backend):
    page = open_walk(open_page, f"{CAT}&dataset=shapes100&step=tokens")
    page.get_by_label("Follow the class").select_option("monkey")
    walk = cat(backend, dataset="shapes100", classname="monkey")
    expect(page.locator("#step-tokens .prompt")).to_have_text("“a photo of a monkey”")
    numbers = [int(text) for text in page.locator("#step-tokens .tokens span:not(.unseen)").all_inner_texts()]
    assert numbers == [token.number for token in walk.prompts[0].tokens]
    expect(go_to(page, "cosine")).to_contain_text(f"cosine {signed(walk.cosine.value)}")
    expect(page.get_by_label("Follow the class")).to_have_value("monkey")


def test_a_pointer_and_keys_read_the_numbers(open_page, backend):
    page = open_walk(open_page, f"{CAT}&dataset=shapes100&step=nonsense")
    read_parts(page.locator("#step-image"))  # an unknown step opens the first
    go_to(page, "cosine")
    cosine = cat(backend, dataset="shapes100").cosine

    def reading(i):
        values = (cosine.image[i], cosine.text[i], cosine.products[i])
        return f"{i + 1} of 256: " + ", ".join(
            f"{name} {signed(value)}" for name, value in zip(("image", "text", "product"), values, strict=True)
        )

    section = page.locator("#step-cosine")
    box = section.locator("svg.cells").nth(1).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 4.5 / 32, box["y"] + box["height"] * 2.5 / 8)  # row 3, column 5
    expect(section.locator("output")).to_have_text(reading(68))
    section.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    expect(section.locator("output")).to_have_text(reading(69))
    expect(section.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("^70: image"))
    most = cosine.most[2].dimension
    section.get_by_role("button", name=str(most + 1), exact=True).first.click()
    expect(section.locator("output")).to_have_text(reading(most))


def read_parts(section):
    page = section.page
    section.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(section.locator("output")).to_have_text(re.compile("1 of 9: row 1, column 1; mean colour: red "))
    box = section.locator(".input .frame").bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
    expect(section.locator("output")).to_have_text(re.compile("6 of 9: row 2, column 3"))
    assert section.locator(".part .pixels").evaluate("part => part.style.backgroundPosition") == "100% 50%"


def test_an_address_opens_its_step_and_going_back_leads_to_the_one_before(open_page):
    page = open_walk(open_page, f"{CAT}&step=vectors")
    expect(page.locator("#step-vectors")).to_be_visible()
    expect(page.locator('#inside-walk nav [aria-current="step"]')).to_have_text("3 Vectors")
    page.wait_for_timeout(1100)  # faster steps share an entry in the history
    go_to(page, "softmax")
    page.go_back()
    expect(page.locator("#step-vectors")).to_be_visible()
    page.go_forward()
    expect(page.locator("#step-softmax")).to_be_visible()
    page.get_by_role("tab", name="Explore").click()
    expect(page).not_to_have_url(re.compile("step="))
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#step-softmax")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=how&step=softmax"))


def test_the_walk_by_keyboard(open_page):
    page = open_walk(open_page, CAT)
    page.locator("#step-image").get_by_role("button", name="Next").focus()
    for name in NAMES[1:]:
        page.keyboard.press("Enter")
        expect(page.locator(f"#heading-{name}")).to_be_focused()  # read aloud
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.onward .next')"):
                break
    expect(page.locator("#step-difference")).to_be_visible()


def test_the_steps_follow_another_image(open_page):
    page = open_walk(open_page, f"{SHAPE}&step=difference")
    page.get_by_role("button", name="Another image").click()
    expect(page.locator(".followed p")).not_to_contain_text("Test image 12 ")
    expect(page).to_have_url(re.compile("tab=how&step=difference&.*index="))
    index = re.search(r"index=(\d+)", page.url)[1]
    expect(page.locator(".followed p")).to_contain_text(f"Test image {int(index):,} of Shapes-100")
    page.get_by_role("button", name="Edit in Explore").click()
    expect(page.locator("#results .card").first).to_be_visible()


@pytest.mark.parametrize("query", [CAT, pytest.param(SHAPE, marks=pytest.mark.long)])
def test_a_phone_scrolls_in_one_direction_only(open_page, query):
    page = open_walk(open_page, query, viewport={"width": 390, "height": 844}, has_touch=True)
    for name in NAMES:
        go_to(page, name)
        wide = """() => [document.documentElement, ...document.querySelectorAll("#how :is(section, .sideways, .row)")]
            .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1)
            .map((each) => each.className)"""
        assert (name, page.evaluate(wide)) == (name, [])


def test_the_presentation_view_shows_one_step_and_moves_with_the_arrow_keys(open_page):
    page = open_walk(open_page, f"{CAT}&step=vectors", viewport={"width": 1920, "height": 1080})
    page.get_by_role("button", name="Present").click()
    expect(page.locator("#heading")).to_be_hidden()
    heading = page.locator("#heading-vectors")
    expect(heading).to_be_focused()
    assert heading.evaluate("h => h.getBoundingClientRect().height") > 30
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    for name in NAMES:
        expect(page.locator(f"#heading-{name}")).to_be_focused()
        hidden = page.evaluate("new Promise(requestAnimationFrame).then(() => how.scrollHeight - how.clientHeight)")
        assert (name, hidden) == (name, 0)  # nothing to scroll
        page.keyboard.press("ArrowRight")
    # After the last step, the panels.
    expect(page).to_have_url(re.compile("step=heat-maps"))
    expect(page.locator("#step-heat-maps h2")).to_be_focused()
    expect(page.locator("#step-difference")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#heading-difference")).to_be_focused()
    expect(page.locator("#step-heat-maps")).to_be_hidden()
    page.keyboard.press("q")
    expect(page.get_by_role("dialog", name="QR code of this page")).to_contain_text("Open the page under")
    expect(page.locator("#heading-difference")).to_be_hidden()
    page.keyboard.press("ArrowLeft")  # does nothing while the code is shown
    page.keyboard.press("Escape")
    expect(page.locator("#heading-difference")).to_be_focused()
    page.get_by_role("button", name="Another image").click()
    expect(page.locator(".followed p")).to_contain_text("Example photo: cup")
    page.keyboard.press("Escape")
    expect(page.locator("#heading")).to_be_visible()
    expect(page.locator("#present button")).to_be_focused()


def test_the_built_in_model_is_shown_until_another_one_is_ready(open_page):
    page = open_walk(open_page, f"{CAT}&model=RN50")
    expect(page.locator(".walk .note")).to_have_text("RN50 is not ready yet. Until then, the built-in model is shown.")
    expect(page.locator(".followed p")).to_contain_text("model tiny")


@pytest.mark.long
def test_words_that_cannot_be_used_are_named(open_page):
    page = open_page("?photo=cat&classes=cat&tab=how", ready="#inside-message .alert")
    expect(page.locator("#inside-message")).to_contain_text("“cat” is the only class name")


def test_high_contrast_keeps_numbers_and_shares(open_page):
    page = open_walk(open_page, f"{CAT}&step=cosine", forced_colors="active")

    def colour(selector, name):
        return page.locator(selector).first.evaluate(f"element => getComputedStyle(element)['{name}']")

    ground = colour("#step-cosine", "backgroundColor")
    assert {colour(f"#step-cosine path.{sign}", "fill") for sign in ("plus", "minus")}.isdisjoint({ground})
    go_to(page, "softmax")
    assert colour("#step-softmax .track span", "backgroundColor") != colour("#step-softmax .track", "backgroundColor")
