"""What a person does and sees, in a real Chromium, on the real built-in model."""

import re

import pytest
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES
from PIL import Image
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.paths import EXAMPLES

CARDS = ("zero-shot", "probe")


def percents(scores):
    return [f"{100 * score.probability:.2f}\N{NO-BREAK SPACE}%" for score in scores]


def expect_card(page, card, scores):
    shown = page.locator(f"#results .{card}")
    expect(shown.locator(".percent")).to_have_text(percents(scores))
    expect(shown.locator(".label")).to_contain_text([score.label for score in scores])
    if card == "zero-shot":
        expect(shown.locator(".cosine")).to_have_text([f"cosine {score.cosine:.4f}" for score in scores])


def expect_prediction(page, prediction):
    """Wait until the page shows just this prediction."""
    expect_card(page, "zero-shot", prediction.zero_shot)
    assert prediction.linear_probe is not None, "the built-in model's heads are in assets/heads"
    expect_card(page, "probe", prediction.linear_probe.top)


def type_index(page, index):
    page.get_by_label("Test image, 0 to 9999", exact=True).fill(str(index))


def truth_of(backend, dataset, index):
    dataset = backend.datasets[dataset]
    return dataset.classnames[dataset.label(index)]


def test_first_visit_says_what_is_on_and_shows_both_predictions(open_page, backend):
    page = open_page()
    status = page.locator("#status")
    expect(status).to_contain_text("Model: tiny")
    expect(status).to_contain_text("Dataset: Shapes-100")
    expect(status).to_contain_text("Linear-probe head:")
    expect_prediction(page, backend.predict(index=0))
    expect(page.locator("#results .zero-shot .about")).to_have_text("among your 100 classes · 1 template")
    expect(page.locator("#results .probe .about")).to_contain_text("always answers within its own 100 classes")


def test_index_typed_stepped_and_slid(open_page, backend):
    page = open_page()
    type_index(page, 4321)
    expect_prediction(page, backend.predict(index=4321))
    expect(page.locator("#image .truth")).to_have_text(f"True label: {truth_of(backend, 'shapes100', 4321)}")
    assert page.locator("#slider input[type=range]").input_value() == "4321"
    for _ in range(3):  # faster than the server answers: no click is lost
        page.get_by_role("button", name="Next").click()
    expect_prediction(page, backend.predict(index=4324))
    page.get_by_role("button", name="Previous").click()
    expect_prediction(page, backend.predict(index=4323))
    page.locator("#slider input[type=range]").press("Home")
    expect(page.locator("#image .source")).to_contain_text("Test image 0 of")
    expect(page.get_by_label("Test image, 0 to 9999", exact=True)).to_have_value("0")
    page.get_by_role("button", name="Random").click()
    expect(page.locator("#image .source")).not_to_contain_text("Test image 0 of")
    index = int(page.get_by_label("Test image, 0 to 9999", exact=True).input_value())
    expect_prediction(page, backend.predict(index=index))


def test_truth_is_marked_and_agreement_is_said(open_page, backend):
    page = open_page("?images=shapes100&index=12")
    prediction = backend.predict(index=12, top_k=100)
    expect_prediction(page, backend.predict(index=12))
    answers = {"zero-shot": prediction.zero_shot}
    if prediction.linear_probe:
        answers["probe"] = prediction.linear_probe.top
    for card, scores in answers.items():
        labels = [score.label for score in scores]
        place = labels.index(prediction.truth)
        marked = page.locator(f"#results .{card} .bar.right")
        if place < 5:
            expect(marked).to_have_count(1)
            expect(marked).to_contain_text("✓ true")
            expect(marked).to_contain_text(prediction.truth)
        else:
            expect(marked).to_have_count(0)
            expect(page.locator(f"#results .{card} .beyond")).to_contain_text(f"number {place + 1},")
    if prediction.linear_probe:
        said = "Both say" if prediction.agree else "They disagree"
        expect(page.locator("#results .badge")).to_contain_text(said)


def test_templates_and_classes_are_edited(open_page, backend):
    page = open_page("?images=shapes100&index=5")
    page.locator("#templates textarea").fill("a blurry {}\na drawing of a {}")
    expect_prediction(page, backend.predict(index=5, templates=["a blurry {}", "a drawing of a {}"]))
    names = ["red circle", "blue_star", "{{x}} ${y} <b>&", "nothing at all"]
    page.locator("#classes textarea").fill(", ".join(names))
    templates = ["a blurry {}", "a drawing of a {}"]
    expect_prediction(page, backend.predict(index=5, templates=templates, classnames=names))
    expect(page.locator("#results .zero-shot .about")).to_have_text("among your 4 classes · 2 templates")
    total = sum(float(text[:-2]) for text in page.locator("#results .zero-shot .percent").all_text_contents())
    assert total == pytest.approx(100, abs=0.03)
    page.get_by_label("Underscores become spaces in prompts").check()
    expect_prediction(page, backend.predict(index=5, templates=templates, classnames=names, replace_underscores=True))
    page.get_by_role("button", name="18 CIFAR-100 templates").click()
    expect_prediction(
        page, backend.predict(index=5, templates=CIFAR100_TEMPLATES, classnames=names, replace_underscores=True)
    )
    page.locator("#reset").click()
    expect_prediction(page, backend.predict(index=5, templates=CIFAR100_TEMPLATES, replace_underscores=True))
    assert page.locator("#classes textarea").input_value().split("\n") == list(backend.datasets["shapes100"].classnames)


def test_typing_letter_by_letter_ends_in_the_last_state(open_page, backend):
    page = open_page("?images=shapes100&index=8")
    page.locator("#templates textarea").press("Control+a")
    page.locator("#templates textarea").press_sequentially("one very bright {} here", delay=15)
    expect_prediction(page, backend.predict(index=8, templates=["one very bright {} here"]))
    for _ in range(5):  # Gradio's own `input` event would not see this
        page.locator("#templates textarea").press("Backspace")
    expect_prediction(page, backend.predict(index=8, templates=["one very bright {}"]))
    expect(page.locator("#alert .alert")).to_have_count(0)


def test_an_error_is_said_beside_the_results_and_the_typed_text_stays(open_page, backend):
    page = open_page("?images=shapes100&index=5")
    page.locator("#templates textarea").fill("a photo of a {")
    alert = page.locator("#alert [role=alert]")
    expect(alert).to_contain_text("templates: 'a photo of a {' has no {}")
    expect(page.locator("#templates textarea")).to_have_value("a photo of a {")
    expect(page.locator(".toast-body")).to_have_count(0)
    assert float(page.locator("#results").evaluate("each => getComputedStyle(each).opacity")) < 0.6
    page.locator("#templates textarea").fill("a photo of a {}")
    expect(alert).to_have_count(0)
    expect_prediction(page, backend.predict(index=5))
    type_index(page, 10000)
    expect(alert).to_contain_text("index: 10000 is not in the test split of Shapes-100")
    page.get_by_role("button", name="Previous").click()
    expect(alert).to_have_count(0)
    expect_prediction(page, backend.predict(index=9998))
    page.locator("#classes textarea").fill("cat, Cat")
    expect(alert).to_contain_text("make the same prompt")


def test_own_images_uploaded_and_from_the_examples(open_page, backend, tmp_path):
    page = open_page()
    page.get_by_label("Your own image").first.check()
    expect(page.locator("#set-side")).to_be_hidden()
    path = tmp_path / "photo with alpha.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 100).convert("RGB").save(path)
    page.locator("#photo input[type=file]").set_input_files(path)
    expect_prediction(page, backend.predict(image=path))
    expect(page.locator("#own-side .truth")).to_contain_text("no true label")
    bad = tmp_path / "text.png"
    bad.write_text("this is no image")
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).first.click()
    page.locator("#photo input[type=file]").set_input_files(bad)
    expect(page.locator("#alert [role=alert]")).to_contain_text("is not an image that can be read")
    example = sorted(EXAMPLES.glob("*.jpg"))[1]
    page.locator("#examples button").nth(1).click()
    expect_prediction(page, backend.predict(image=example))
    expect(page.locator("#alert .alert")).to_have_count(0)


def test_a_link_shows_the_same_again(open_page, backend):
    page = open_page("?images=shapes100&index=77&__theme=light")
    page.locator("#templates textarea").fill("a {} & more\nthe {}")
    page.locator("#classes textarea").fill("red circle\nblue_star\ncat")
    page.get_by_label("Underscores become spaces in prompts").check()
    expected = backend.predict(
        index=77,
        templates=["a {} & more", "the {}"],
        classnames=["red circle", "blue_star", "cat"],
        replace_underscores=True,
    )
    expect_prediction(page, expected)
    expect(page).to_have_url(re.compile("spaces=1"))
    assert "__theme=light" in page.url
    again = open_page("?" + page.url.partition("?")[2])
    expect_prediction(again, expected)
    expect(again.locator("#templates textarea")).to_have_value("a {} & more\nthe {}")
    expect(again.get_by_label("Underscores become spaces in prompts")).to_be_checked()


def test_a_broken_link_says_what_is_wrong(open_page, backend):
    page = open_page("?images=nowhere&index=seven&spaces=maybe")
    alert = page.locator("#alert [role=alert]")
    expect(alert).to_contain_text("images: 'nowhere' in the address is unknown")
    expect(alert).to_contain_text("'seven' in the address is not a number")
    expect_prediction(page, backend.predict(index=0))
    page = open_page("?images=shapes100&index=123456", ready="#alert .alert")
    expect(page.locator("#alert .alert")).to_contain_text("index: 123456 is not in the test split")


def test_keyboard_alone_reaches_and_uses_every_control(open_page, backend):
    page = open_page("?images=shapes100&index=3")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.closest('[id]:not([id^=component]):not([id^=range])')?.id"))
    for name in (
        "source",
        "dataset",
        "index",
        "random",
        "slider",
        "templates",
        "replace_underscores",
        "classes",
        "reset",
    ):
        assert name in seen, f"{name} cannot be reached with Tab: {seen}"
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect_prediction(page, backend.predict(index=4))
    page.locator("#slider input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect_prediction(page, backend.predict(index=5))
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_has_no_sideways_scroll_and_follows_the_systems_colours(open_page, scheme):
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    zero_shot, probe = (page.locator(f"#results .{card}").bounding_box() for card in CARDS)
    assert probe["y"] > zero_shot["y"] + zero_shot["height"] - 1  # one under the other
    ground = page.evaluate("getComputedStyle(document.querySelector('#results .card')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")
    page.get_by_role("tab", name="How it works").click()
    expect(page.get_by_role("heading", name="linear probe", exact=False).last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_cifar100_snake_of_the_article(open_page, backend, cifar100):
    page = open_page("?images=cifar100&index=3637")
    expect(page.locator("#image .truth")).to_have_text("True label: snake")
    prediction = backend.predict(dataset="cifar100", index=3637)
    expect_prediction(page, prediction)
    assert prediction.linear_probe is not None
    expect(page.locator("#results .badge")).to_contain_text("Both say" if prediction.agree else "They disagree")


def test_an_untouched_class_list_follows_the_dataset(open_page, backend, cifar100):
    page = open_page("?images=shapes100&index=3")
    page.get_by_label("CIFAR-100", exact=True).check()
    expect_prediction(page, backend.predict(dataset="cifar100", index=3))
    expect(page.locator("#classes textarea")).to_have_value("\n".join(cifar100.classnames))
    page.locator("#classes textarea").fill("red square\nblue_star")
    page.get_by_label("Shapes-100", exact=True).check()
    expect_prediction(page, backend.predict(dataset="shapes100", index=3, classnames=["red square", "blue_star"]))
    expect(page.locator("#classes textarea")).to_have_value("red square\nblue_star")


def test_without_the_images_stored_features_answer(open_page, serve, tmp_path):
    """CIFAR-100 is not on disk: an index still gives both predictions and the true label."""
    absent = Backend.open("tiny", dataset="shapes100", data_root=tmp_path)
    page = open_page("?images=cifar100&index=3637", url=serve(absent))
    expect(page.locator("#image .gone")).to_contain_text("run python -m clip_demo download cifar100")
    expect(page.locator("#image .truth")).to_have_text("True label: snake")
    prediction = absent.predict(dataset="cifar100", index=3637)
    assert prediction.truth == "snake" and prediction.linear_probe is not None
    expect_prediction(page, prediction)
    expect(page.get_by_role("button", name="Get CIFAR-100 (169 MB)")).to_be_visible()
