"""The Explore tab in a real Chromium, with the real built-in model."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.errors import ClipDemoError
from clip_demo.paths import EXAMPLES
from clip_demo.zero_shot.prompt_set import PromptSet
from clip_demo.zero_shot.templates import CIFAR100_TEMPLATES

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
    """Wait until the page shows exactly this prediction."""
    expect_card(page, "zero-shot", prediction.zero_shot)
    assert prediction.linear_probe is not None, "the built-in model's heads are in assets/heads"
    expect_card(page, "probe", prediction.linear_probe.top)


def index_field(page):
    return page.get_by_label("Test image, 0 to 9999", exact=True)


def truth_of(backend, dataset, index):
    dataset = backend.datasets[dataset]
    return dataset.classnames[dataset.label(index)]


def message_of(function):
    with pytest.raises(ClipDemoError) as raised:
        function()
    return str(raised.value)


@pytest.fixture
def prompts(backend):
    """Return prompt sets of Shapes-100 with some parts replaced."""
    return PromptSet.for_dataset(backend.datasets["shapes100"]).varied


def test_a_first_visit_shows_the_status_and_both_predictions(open_page, backend):
    page = open_page()
    status = page.locator("#status")
    expect(status).to_contain_text("Model: tiny")
    expect(status).to_contain_text("Dataset: Shapes-100")
    expect(status).to_contain_text("Linear-probe head:")
    expect_prediction(page, backend.predict(index=0))
    expect(page.locator("#results .zero-shot .about")).to_have_text("among your 100 classes · 1 template")
    expect(page.locator("#results .probe .about")).to_contain_text("always predicts one of its own 100 classes")


def test_the_index_can_be_typed_stepped_and_dragged(open_page, backend):
    page = open_page()
    index_field(page).fill("4321")
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
    expect(index_field(page)).to_have_value("0")
    page.get_by_role("button", name="Random").click()
    expect(page.locator("#image .source")).not_to_contain_text("Test image 0 of")
    expect_prediction(page, backend.predict(index=int(index_field(page).input_value())))


def test_the_true_label_and_the_agreement_are_marked(open_page, backend):
    page = open_page("?dataset=shapes100&index=12")
    prediction = backend.predict(index=12, top_k=100)
    expect_prediction(page, backend.predict(index=12))
    for card, scores in {"zero-shot": prediction.zero_shot, "probe": prediction.linear_probe.top}.items():
        position = [score.label for score in scores].index(prediction.truth)
        marked = page.locator(f"#results .{card} .bar.right")
        if position < 5:
            expect(marked).to_have_count(1)
            expect(marked).to_contain_text("✓ true")
            expect(marked).to_contain_text(prediction.truth)
        else:
            expect(marked).to_have_count(0)
            expect(page.locator(f"#results .{card} .beyond")).to_contain_text(f"number {position + 1},")
    expect(page.locator("#results .badge")).to_contain_text("Both say" if prediction.agree else "They disagree")


def test_templates_and_classes_can_be_edited(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=5")
    templates = ["a blurry {}", "a drawing of a {}"]
    page.locator("#templates textarea").fill("\n".join(templates))
    expect_prediction(page, backend.predict(index=5, prompts=prompts(templates=templates)))
    names = ["red circle", "blue_star", "{{x}} ${y} <b>&", "nothing at all"]
    page.locator("#classes textarea").fill(", ".join(names))
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, templates)))
    expect(page.locator("#results .zero-shot .about")).to_have_text("among your 4 classes · 2 templates")
    total = sum(float(text[:-2]) for text in page.locator("#results .zero-shot .percent").all_text_contents())
    assert total == pytest.approx(100, abs=0.03)
    page.get_by_label("Underscores become spaces in prompts").check()
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, templates, True)))
    page.get_by_role("button", name="18 CIFAR-100 templates").click()
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, CIFAR100_TEMPLATES, True)))
    page.locator("#reset").click()
    expect_prediction(page, backend.predict(index=5, prompts=prompts(None, CIFAR100_TEMPLATES, True)))
    assert page.locator("#classes textarea").input_value().split("\n") == list(backend.datasets["shapes100"].classnames)


def test_fast_typing_ends_in_the_last_state(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=8")
    page.locator("#templates textarea").press("Control+a")
    page.locator("#templates textarea").press_sequentially("one very bright {} here", delay=15)
    expect_prediction(page, backend.predict(index=8, prompts=prompts(templates=["one very bright {} here"])))
    for _ in range(5):  # Gradio's own `input` event misses this key
        page.locator("#templates textarea").press("Backspace")
    expect_prediction(page, backend.predict(index=8, prompts=prompts(templates=["one very bright {}"])))
    expect(page.locator("#alert .alert")).to_have_count(0)


def test_an_error_is_shown_beside_the_results_and_the_typed_text_is_kept(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=5")
    page.locator("#templates textarea").fill("a photo of a {")
    alert = page.locator("#alert [role=alert]")
    expect(alert).to_contain_text(message_of(lambda: prompts(templates=["a photo of a {"])))
    expect(page.locator("#templates textarea")).to_have_value("a photo of a {")
    expect(page.locator(".toast-body")).to_have_count(0)
    assert float(page.locator("#results").evaluate("each => getComputedStyle(each).opacity")) < 0.6
    page.locator("#templates textarea").fill("a photo of a {}")
    expect(alert).to_have_count(0)
    expect_prediction(page, backend.predict(index=5))
    index_field(page).fill("10000")
    expect(alert).to_contain_text(message_of(lambda: backend.predict(index=10000)))
    page.get_by_role("button", name="Previous").click()
    expect(alert).to_have_count(0)
    expect_prediction(page, backend.predict(index=9998))
    index_field(page).fill("")
    expect(alert).to_contain_text("from 0 to 9999")
    page.locator("#classes textarea").fill("cat, Cat")
    index_field(page).fill("3")
    expect(alert).to_contain_text(message_of(lambda: PromptSet(["cat", "Cat"])))


def test_own_photos_are_uploaded_or_chosen_from_the_examples(open_page, backend, tmp_path):
    page = open_page()
    page.get_by_label("Your own photo").first.check()
    expect(page.locator("#dataset-side")).to_be_hidden()
    path = tmp_path / "photo.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 100).convert("RGB").save(path)
    page.locator("#photo input[type=file]").set_input_files(path)
    expect_prediction(page, backend.predict(image=path))
    expect(page.locator("#own-side .truth")).to_contain_text("no true label")
    bad = tmp_path / "text.png"
    bad.write_text("this is not an image")
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).first.click()
    page.locator("#photo input[type=file]").set_input_files(bad)
    expect(page.locator("#alert [role=alert]")).to_contain_text("text.png")
    example = sorted(EXAMPLES.glob("*.jpg"))[1]
    page.locator("#examples button").nth(1).click()
    expect_prediction(page, backend.predict(image=example))
    expect(page.locator("#alert .alert")).to_have_count(0)


def test_a_link_shows_the_same_page_again(open_page, backend):
    page = open_page("?dataset=shapes100&index=77&__theme=light")
    page.locator("#templates textarea").fill("a {} & more\nthe {}")
    page.locator("#classes textarea").fill("red circle\nblue_star\ncat")
    page.get_by_label("Underscores become spaces in prompts").check()
    prompts = PromptSet(["red circle", "blue_star", "cat"], ["a {} & more", "the {}"], True)
    expected = backend.predict(index=77, prompts=prompts)
    expect_prediction(page, expected)
    expect(page).to_have_url(re.compile("replace_underscores=1"))
    assert "__theme=light" in page.url
    again = open_page("?" + page.url.partition("?")[2])
    expect_prediction(again, expected)
    expect(again.locator("#templates textarea")).to_have_value("a {} & more\nthe {}")
    expect(again.get_by_label("Underscores become spaces in prompts")).to_be_checked()


def test_a_broken_link_is_reported(open_page, backend):
    page = open_page("?dataset=nowhere&index=seven&replace_underscores=maybe")
    alert = page.locator("#alert [role=alert]")
    for part in ("dataset: 'nowhere' in the address", "index: 'seven' in", "replace_underscores: 'maybe' in"):
        expect(alert).to_contain_text(part)
    expect_prediction(page, backend.predict(index=0))
    page = open_page("?dataset=shapes100&index=123456", ready="#alert .alert")
    expect(page.locator("#alert .alert")).to_contain_text(message_of(lambda: backend.predict(index=123456)))


def test_every_control_can_be_reached_and_used_with_the_keyboard(open_page, backend):
    page = open_page("?dataset=shapes100&index=3")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.closest('[id]:not([id^=component]):not([id^=range])')?.id"))
    controls = (
        "source",
        "dataset",
        "index",
        "random",
        "slider",
        "templates",
        "replace-underscores",
        "classes",
        "reset",
    )
    for name in controls:
        assert name in seen, f"{name} cannot be reached with Tab: {seen}"
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    expect_prediction(page, backend.predict(index=4))
    page.locator("#slider input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect_prediction(page, backend.predict(index=5))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_horizontal_scrolling_and_gets_the_theme_of_the_system(open_page, scheme):
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    zero_shot, probe = (page.locator(f"#results .{card}").bounding_box() for card in CARDS)
    assert probe["y"] > zero_shot["y"] + zero_shot["height"] - 1  # one below the other
    background = page.evaluate("getComputedStyle(document.querySelector('#results .card')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")
    page.get_by_role("tab", name="How it works").click()
    expect(page.get_by_role("heading", name="linear probe", exact=False).last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_snake_of_the_readme(open_page, backend, cifar100):
    page = open_page("?dataset=cifar100")
    expect(page.locator("#image .truth")).to_have_text("True label: snake")
    prediction = backend.predict(dataset="cifar100", index=3637)
    expect_prediction(page, prediction)
    expect(page.locator("#results .badge")).to_contain_text("Both say" if prediction.agree else "They disagree")


def test_an_unedited_class_list_changes_with_the_dataset(open_page, backend, cifar100):
    page = open_page("?dataset=shapes100&index=3")
    page.get_by_label("CIFAR-100", exact=True).check()
    expect_prediction(page, backend.predict(dataset="cifar100", index=3))
    expect(page.locator("#classes textarea")).to_have_value("\n".join(cifar100.classnames))
    expect(page.locator("#status")).to_contain_text("Dataset: CIFAR-100")
    expect(page.locator("#status")).to_contain_text("tiny on cifar100")
    page.locator("#classes textarea").fill("red square\nblue_star")
    page.get_by_label("Shapes-100", exact=True).check()
    prompts = PromptSet(["red square", "blue_star"])
    expect_prediction(page, backend.predict(dataset="shapes100", index=3, prompts=prompts))
    expect(page.locator("#classes textarea")).to_have_value("red square\nblue_star")


def test_stored_features_are_used_without_the_images(open_page, serve, tmp_path):
    """Without CIFAR-100 on the machine, an index gives both predictions and the true label."""
    absent = Backend.open("tiny", dataset="shapes100", data_root=tmp_path)
    page = open_page("?dataset=cifar100&index=3637", url=serve(absent))
    expect(page.locator("#image .gone")).to_contain_text("run python -m clip_demo download cifar100")
    expect(page.locator("#image .truth")).to_have_text("True label: snake")
    prediction = absent.predict(dataset="cifar100", index=3637)
    assert prediction.truth == "snake" and prediction.linear_probe is not None
    expect_prediction(page, prediction)
    expect(page.get_by_role("button", name="Download CIFAR-100 (169 MB)")).to_be_visible()
