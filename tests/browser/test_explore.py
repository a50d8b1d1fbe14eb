"""The Explore tab in a real Chromium, with the real built-in model."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from clip_demo.backend import Backend
from clip_demo.datasets.example_photos import example_photos
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.errors import ClipDemoError
from clip_demo.zero_shot.prompt_set import PromptSet

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


def expect_changes(page, before, after):
    """Wait until the bars show what has changed since other scores."""
    rank = {score.label: i for i, score in enumerate(before, 1)}
    share = {score.label: score.probability for score in before}
    for i, score in enumerate(after, 1):
        bar = page.locator("#results .zero-shot .bar").nth(i - 1)
        points = 100 * (score.probability - share[score.label])
        if abs(points) >= 0.05:
            expect(bar.locator(".change")).to_contain_text(f"{points:+.1f}".replace("-", "−"))
        if rank[score.label] != i:
            expect(bar.locator(".change")).to_contain_text("▲" if i < rank[score.label] else "▼")
        left = bar.locator(".earlier").get_attribute("style")
        assert float(re.search(r"[\d.]+", left)[0]) == pytest.approx(100 * share[score.label], abs=0.001)


def index_field(page):
    return page.get_by_label("Test image, 0 to 9,999", exact=True)


def truth_of(backend, dataset, index):
    dataset = backend.datasets[dataset]
    return dataset.classnames[dataset.label(index)]


def sentence_of(function):
    """Return what the page says of the error that a function raises."""
    with pytest.raises(ClipDemoError) as raised:
        function()
    return raised.value.page_message


@pytest.fixture
def prompts(backend):
    """Return prompt sets of Shapes-100 with some parts replaced."""
    return PromptSet.for_dataset(backend.datasets["shapes100"]).varied


def test_a_visit_to_a_dataset_shows_its_first_image_and_what_is_in_use(open_page, backend):
    page = open_page("?dataset=shapes100")
    expect(page.locator("#chip")).to_contain_text("tiny · Shapes-100 · probe 99.95")
    expect(page.locator("#status")).to_be_hidden()
    page.locator("#chip button").click()
    expect(page.locator("#status")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Model: tiny")
    expect(page.locator("#status")).to_contain_text("Dataset: Shapes-100")
    expect(page.locator("#status")).to_contain_text("Linear probe: trained on all 50,000 training images")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_be_hidden()
    first = backend.first_image("shapes100")
    expect(page.locator("#image .truth")).to_have_text(f"True label: {first.truth}")
    prediction = backend.predict(index=first.index)
    expect_prediction(page, prediction)
    assert prediction.zero_shot[0].label == prediction.linear_probe.top[0].label == first.truth
    about = "picks among your 100 classes, from words alone"
    expect(page.locator("#results .zero-shot .about")).to_have_text(about)
    expect(page.locator("#results .probe .about")).to_contain_text("100 classes; ignores your list")


def test_the_very_first_visit_shows_a_photo_that_the_model_recognises(open_page, serve, tmp_path):
    """Offline, without CIFAR-100: the built-in model and its probe are there, and words change an answer."""
    offline = Backend.open("tiny", data_root=tmp_path)
    assert offline.encoder().name == "tiny"
    page = open_page(url=serve(offline), viewport={"width": 1366, "height": 650})
    expect(page.locator("#image img")).to_have_attribute("alt", "Example photo: cat")
    expect(page.locator("#results .zero-shot .bar").first).to_contain_text("cat true label")
    expect(page.locator("#verdict")).to_contain_text("Zero-shot says cat, and is right. The probe has no class “cat”.")
    expect(page.locator("#classes textarea")).to_have_value(", ".join(example_photos()["cat"].classnames))
    # Words, both cards and the image are in the first screen, the words directly above the cards.
    for place in ("#image img", "#templates", "#classes", "#results .zero-shot", "#results .probe"):
        box = page.locator(place).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 650, place
    words, cards = page.locator("#words").bounding_box(), page.locator("#results .cards").bounding_box()
    assert 0 <= cards["y"] - (words["y"] + words["height"]) < 20
    page.locator("#classes textarea").fill("boat, car, tree")
    expect(page.locator("#results .zero-shot .beyond")).to_have_text("True label cat: not on your list")


def test_on_a_phone_the_first_bars_are_in_the_first_screen(open_page, serve, tmp_path):
    offline = Backend.open("tiny", data_root=tmp_path)
    page = open_page(url=serve(offline), viewport={"width": 390, "height": 844}, has_touch=True)
    box = page.locator("#results .zero-shot .bar").nth(1).bounding_box()
    assert box["y"] + box["height"] <= 844


def test_the_index_can_be_typed_and_stepped(open_page, backend):
    page = open_page("?dataset=shapes100")
    index_field(page).fill("4321")
    expect_prediction(page, backend.predict(index=4321))
    expect(page.locator("#image .truth")).to_have_text(f"True label: {truth_of(backend, 'shapes100', 4321)}")
    for _ in range(3):  # faster than the server answers: no click is lost
        page.get_by_role("button", name="Next", exact=True).click()
    expect_prediction(page, backend.predict(index=4324))
    page.get_by_role("button", name="Previous").click()
    expect_prediction(page, backend.predict(index=4323))
    page.get_by_role("button", name="Random").click()
    expect(page.locator("#image .source")).not_to_contain_text("Test image 4,323 of")
    expect_prediction(page, backend.predict(index=int(index_field(page).input_value())))


def test_the_true_label_and_the_verdict_are_shown(open_page, backend):
    page = open_page("?dataset=shapes100&index=12")
    prediction = backend.predict(index=12, top_k=100)
    expect_prediction(page, backend.predict(index=12))
    for card, scores in {"zero-shot": prediction.zero_shot, "probe": prediction.linear_probe.top}.items():
        position = [score.label for score in scores].index(prediction.truth)
        marked = page.locator(f"#results .{card} .bar.right")
        if position < 5:
            expect(marked).to_have_count(1)
            expect(marked).to_contain_text("true label")
            expect(marked).to_contain_text(prediction.truth)
        else:
            expect(marked).to_have_count(0)
            expect(page.locator(f"#results .{card} .beyond")).to_contain_text(f"number {position + 1},")
    expect(page.locator("#verdict")).to_contain_text("Both say" if prediction.agree else "Zero-shot says")
    assert page.locator("#verdict").get_attribute("role") == "status"  # a screen reader hears a new prediction


def test_templates_and_classes_can_be_edited(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=5")
    templates = ["a blurry {}", "a drawing of a {}"]
    page.locator("#templates textarea").fill("\n".join(templates))
    expect_prediction(page, backend.predict(index=5, prompts=prompts(templates=templates)))
    names = ["red circle", "blue_star", "{{x}} ${y} <b>&", "nothing at all"]
    page.locator("#classes textarea").fill(", ".join(names))
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, templates)))
    about = page.locator("#results .zero-shot .about")
    expect(about).to_contain_text("picks among your 4 classes, by the mean of 2 prompts each")
    total = sum(float(text[:-2]) for text in page.locator("#results .zero-shot .percent").all_text_contents())
    assert total == pytest.approx(100, abs=0.03)
    page.get_by_label("No underscores").check()
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, templates, True)))
    page.get_by_role("button", name="18 prompts").first.click()
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names, CIFAR100_TEMPLATES, True)))
    page.locator("#own-list").click()
    expect_prediction(page, backend.predict(index=5, prompts=prompts(None, CIFAR100_TEMPLATES, True)))
    assert page.locator("#classes textarea").input_value().split(", ") == list(backend.datasets["shapes100"].classnames)


def test_fast_typing_ends_in_the_last_state(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=8")
    page.locator("#templates textarea").press("Control+a")
    page.locator("#templates textarea").press_sequentially("one very bright {} here", delay=15)
    expect_prediction(page, backend.predict(index=8, prompts=prompts(templates=["one very bright {} here"])))
    for _ in range(5):  # Gradio's own `input` event misses this key
        page.locator("#templates textarea").press("Backspace")
    expect_prediction(page, backend.predict(index=8, prompts=prompts(templates=["one very bright {}"])))
    expect(page.locator(".message")).to_have_count(0)


def test_a_message_stands_below_its_field_and_nothing_moves(open_page, backend, prompts):
    page = open_page("?dataset=shapes100&index=5")
    templates, message = page.locator("#templates textarea"), page.locator("#templates-message .message")
    places = ("#templates", "#classes", "#results .zero-shot")
    before = [page.locator(place).bounding_box() for place in places]
    templates.fill("a photo of a {")
    expect(message).to_have_text(sentence_of(lambda: prompts(templates=["a photo of a {"])))
    expect(templates).to_have_value("a photo of a {")
    expect(templates).to_have_attribute("aria-invalid", "true")
    expect(templates).to_have_accessible_description(message.text_content())
    expect(page.locator(".toast-body")).to_have_count(0)
    assert [page.locator(place).bounding_box() for place in places] == before
    templates.fill("a photo of a {}")
    expect(message).to_have_count(0)
    expect(templates).to_have_attribute("aria-invalid", "false")
    expect_prediction(page, backend.predict(index=5))
    page.locator("#classes textarea").fill("cat, Cat")
    twice = sentence_of(lambda: backend.predict(index=5, prompts=PromptSet(["cat", "Cat"])))
    expect(page.locator("#classes-message .message")).to_have_text(twice)
    page.locator("#classes textarea").fill("cat, dog")
    index, message = index_field(page), page.locator("#image-message .message")
    index.fill("10000")
    expect(message).to_have_text(sentence_of(lambda: backend.predict(index=10000)))
    page.get_by_role("button", name="Previous").click()
    expect(message).to_have_count(0)
    expect_prediction(page, backend.predict(index=9998, prompts=PromptSet(["cat", "dog"])))
    index.fill("")
    expect(message).to_have_text("Type an image number from 0 to 9,999.")


def test_the_bars_show_what_the_last_change_of_words_did(open_page, backend):
    page = open_page("?dataset=shapes100&index=5&classes=red+circle,blue+star,green+ring")
    names = ["red circle", "blue star", "green ring"]
    expect_prediction(page, backend.predict(index=5, prompts=PromptSet(names)))
    expect(page.locator("#results .change")).to_have_count(0)

    page.locator("#templates textarea").fill("a drawing of a {}")
    now = PromptSet(names, ["a drawing of a {}"])
    expect_prediction(page, backend.predict(index=5, prompts=now))
    expect_changes(
        page,
        backend.predict(index=5, prompts=PromptSet(names)).zero_shot,
        backend.predict(index=5, prompts=now).zero_shot,
    )
    page.get_by_role("button", name="Keep as A").click()
    expect(page.get_by_role("button", name="Forget A")).to_be_visible()
    page.locator("#templates textarea").fill("{}")
    bare = PromptSet(names, ["{}"])
    page.get_by_role("button", name="Next", exact=True).click()  # A stays with another image
    expect_prediction(page, backend.predict(index=6, prompts=bare))
    expect(page.locator(".earlier-key")).to_have_text("A")
    expect_changes(
        page, backend.predict(index=6, prompts=now).zero_shot, backend.predict(index=6, prompts=bare).zero_shot
    )
    page.get_by_role("button", name="Start over").click()
    expect(page.get_by_role("button", name="Keep as A")).to_be_visible()
    expect(page.locator("#templates textarea")).to_have_value("a photo of a {}")
    first = backend.first_image("shapes100").index
    expect_prediction(page, backend.predict(index=first))


@pytest.mark.long
def test_what_is_kept_survives_the_calls_of_programs(open_page, backend, serve, monkeypatch):
    """Gradio keeps the state of some sessions, and each call without a session is one."""
    monkeypatch.setattr("clip_demo.ui.page.SESSIONS", 300)
    url, names = serve(backend), ["red circle", "blue star", "green ring"]
    page = open_page(f"?dataset=shapes100&index=5&classes={','.join(names)}", url=url)
    page.get_by_role("button", name="Keep as A").click()
    expect(page.get_by_role("button", name="Forget A")).to_be_visible()
    calls, call = [], f"{url}gradio_api/call/predict"
    while len(calls) < 310:
        answer = page.request.post(call, data={"data": [None, 0, "shapes100", "a, b", None, False, 1, None, False]})
        assert answer.status in (200, 503)  # 503: too many of them wait
        calls += [answer.json()["event_id"]] if answer.ok else []
    assert "event: complete" in page.request.get(f"{call}/{calls[-1]}").text()
    page.locator("#templates textarea").fill("{}")
    bare = backend.predict(index=5, prompts=PromptSet(names, ["{}"]))
    expect_prediction(page, bare)
    expect(page.locator(".earlier-key")).to_have_text("A")
    expect_changes(page, backend.predict(index=5, prompts=PromptSet(names)).zero_shot, bare.zero_shot)


def test_the_sharpness_stretches_the_shares_and_keeps_the_order(open_page, backend):
    page = open_page("?dataset=shapes100&index=5")
    page.locator("#sharpness input[type=range]").press("Home")
    even = backend.encoder().logit_scale / 32
    expect_prediction(page, backend.predict(index=5, logit_scale=even))
    expect(page).to_have_url(re.compile("sharpness=-5"))
    expect_prediction(open_page("?dataset=shapes100&index=5&sharpness=-5"), backend.predict(index=5, logit_scale=even))


def test_the_code_gives_these_bars(open_page, backend):
    page = open_page("?dataset=shapes100&index=5&classes=red+circle,blue+star")
    page.locator("#code button").first.click()
    code = page.locator("#code .cm-content").inner_text()
    assert "import clip" in code and '"red circle"' in code and "image(5)" in code


def test_the_guide_asks_and_answers(open_page, backend):
    page = open_page("?dataset=shapes100")
    guide = page.locator("#guide")
    expect(guide.locator(".try")).to_have_text(
        [re.compile(title) for title in ("Hide the answer", "Two words", "Never seen", "Your photo")]
    )
    guide.get_by_role("button", name="Hide the answer").click()
    expect(guide).to_contain_text("What will zero-shot say when it is gone?")
    expect(page.locator("#results .zero-shot .bar").first).to_contain_text("cat")
    guide.get_by_role("button", name="Take “cat” out").click()
    expect(guide).to_contain_text("Zero-shot always picks from your list.")
    expect(page.locator("#results .zero-shot .beyond")).to_have_text("True label cat: not on your list")
    expect(page.locator("#results .zero-shot .change").first).to_contain_text("+")
    guide.get_by_role("button", name="Next: Two words").click()
    guide.get_by_role("button", name="Keep “horse” and “house”").click()
    expect(page.locator("#results .zero-shot .bar")).to_have_count(2)
    guide.get_by_role("button", name="Next: Never seen").click()
    expect(page.locator("#image .truth")).to_have_text("True label: red circle")
    guide.get_by_role("button", name="Show it a red square").click()
    expect(page.locator("#image .truth")).to_have_text("True label: red square")
    expect(page.locator("#verdict")).to_have_text("Both say red square, and both are right.")
    guide.get_by_role("button", name="Next: Your photo").click()
    expect(page.locator("#photo")).to_be_visible()
    guide.get_by_role("button", name="Close the guide").click()
    expect(guide).to_be_hidden()
    page.reload()
    page.wait_for_selector("#results .waiting")
    expect(guide).to_be_hidden()  # it stays away
    page.get_by_role("button", name="Guide").click()
    expect(guide).to_be_visible()


def test_own_photos_are_uploaded_dropped_and_pasted(open_page, backend, tmp_path):
    page = open_page("?dataset=shapes100")
    page.get_by_label("Your photo").first.check()
    expect(page.locator("#dataset-side")).to_be_hidden()
    expect(page).to_have_url(re.compile("photo=own"))
    path, other = tmp_path / "photo.png", tmp_path / "other.png"
    Image.effect_mandelbrot((300, 200), (-2, -1, 1, 1), 100).convert("RGB").save(path)
    Image.effect_mandelbrot((200, 200), (-1, -1, 1, 1), 100).convert("RGB").save(other)
    page.locator("#photo input[type=file]").set_input_files(path)
    expect_prediction(page, backend.predict(image=path))
    expect(page.locator("#image figure")).to_have_count(0)  # no true label
    bad = tmp_path / "text.png"
    bad.write_text("this is not an image")
    page.get_by_label("Remove Image").or_(page.get_by_label("Clear")).first.click()
    page.locator("#photo input[type=file]").set_input_files(bad)
    expect(page.locator("#image-message .message")).to_be_visible()
    page.get_by_label("Examples").first.check()
    name, photo = list(example_photos().items())[1]
    page.locator("#examples button").nth(1).click()
    expect(page.locator("#image .truth")).to_have_text(f"True label: {photo.label}")
    expect(page.locator(".message")).to_have_count(0)
    for event, field in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        drop(page, event, field, other if event == "drop" else path)
        expect(page.locator("#source input[value=own]")).to_be_checked()
        expect_card(page, "probe", backend.predict(image=other if event == "drop" else path).linear_probe.top)
    expect(page.locator("#says")).to_have_count(0)
    drop(page, "drop", "dataTransfer", other, times=2)
    expect(page.locator("#says")).to_contain_text("Only the first photo was taken.")


def drop(page, event, field, path, times=1):
    """Drop or paste an image file, or the same several times, anywhere on the page."""
    page.evaluate(
        """([kind, field, bytes, times]) => {
            const data = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" });
            for (let i = 0; i < times; i++) data.items.add(file);
            const event = new Event(kind, { bubbles: true, cancelable: true });
            Object.defineProperty(event, field, { value: data });
            document.querySelector("h1").dispatchEvent(event);
        }""",
        [event, field, list(path.read_bytes()), times],
    )


def test_back_and_forward_follow_image_and_tab_and_not_each_letter(open_page, backend):
    page = open_page("?dataset=shapes100&index=5")
    expect_prediction(page, backend.predict(index=5))
    entries = page.evaluate("history.length")
    page.locator("#templates textarea").press_sequentially("abc", delay=30)
    expect(page).to_have_url(re.compile("template="))
    assert page.evaluate("history.length") == entries
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page).to_have_url(re.compile("index=6"))
    page.wait_for_timeout(1100)  # entries that follow each other faster become one
    page.get_by_role("tab", name="Prompt Lab").click()
    expect(page).to_have_url(re.compile("tab=lab"))
    page.go_back()
    expect(page.locator("#results")).to_be_visible()
    page.go_back()
    expect(index_field(page)).to_have_value("5")
    expect(page.locator("#image .source")).to_contain_text("Test image 5 of")
    page.go_forward()
    expect(page.locator("#image .source")).to_contain_text("Test image 6 of")
    lab = open_page("?tab=how", ready="#how")
    expect(lab.get_by_role("tab", name="How it works")).to_have_attribute("aria-selected", "true")


def test_a_link_shows_the_same_page_again(open_page, backend):
    page = open_page("?dataset=shapes100&index=77&__theme=light")
    page.locator("#templates textarea").fill("a {} & more\nthe {}")
    page.locator("#classes textarea").fill("red circle\nblue_star\ncat")
    page.get_by_label("No underscores").check()
    prompts = PromptSet(["red circle", "blue_star", "cat"], ["a {} & more", "the {}"], True)
    expected = backend.predict(index=77, prompts=prompts)
    expect_prediction(page, expected)
    expect(page).to_have_url(re.compile("replace_underscores=1"))
    assert "__theme=light" in page.url
    again = open_page("?" + page.url.partition("?")[2])
    expect_prediction(again, expected)
    expect(again.locator("#templates textarea")).to_have_value("a {} & more\nthe {}")
    expect(again.get_by_label("No underscores")).to_be_checked()


def test_a_broken_link_is_reported(open_page, backend):
    page = open_page("?dataset=nowhere&index=seven&replace_underscores=maybe")
    alert = page.locator("#alert [role=alert]")
    for part in ("a dataset that is not here: nowhere.", "The image number in the link is not a number: seven."):
        expect(alert).to_contain_text(part)
    expect_prediction(page, backend.predict(index=backend.first_image("shapes100").index))
    page.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)
    page = open_page("?dataset=shapes100&index=123456", ready="#image-message .message")
    expect(page.locator(".message")).to_have_text(sentence_of(lambda: backend.predict(index=123456)))


def test_the_page_works_where_the_browser_denies_its_store(open_page, contexts):
    options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
    denied = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } });"
    )
    contexts(**options).add_init_script(denied)
    page = open_page("?dataset=shapes100&index=5", **options)
    page.get_by_role("button", name="Close the guide").click()
    expect(page.locator("#guide")).to_be_hidden()


def test_a_link_is_copied_and_says_what_it_leaves_out(open_page, contexts):
    options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-IE"}
    contexts(**options).grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page("?dataset=shapes100&index=5", **options)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#copied")).to_have_text("Link copied. ")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.get_by_label("Your photo").first.check()
    expect(page).to_have_url(re.compile("photo=own"))
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#copied")).to_have_text("Link copied. Your photo is not in it: it stays with you.")


def test_unknown_words_are_named_and_names_in_any_script_are_isolated(open_page):
    page = open_page("?dataset=shapes100&index=5")
    page.locator("#classes textarea").fill("xyzzy, قطة, red circle")
    expect(page.locator("#hint")).to_contain_text("The model does not know “xyzzy”")
    expect(page.locator("#results .zero-shot .label bdi")).to_have_count(3)


def test_every_control_can_be_reached_and_used_with_the_keyboard(open_page, backend):
    page = open_page("?dataset=shapes100&index=3")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.closest('[id]:not([id^=component]):not([id^=range])')?.id"))
    controls = (
        "source",
        "dataset",
        "previous",
        "index",
        "random",
        "templates",
        "classes",
        "own-list",
        "replace-underscores",
        "sharpness",
        "keep",
    )
    for name in controls:
        assert name in seen, f"{name} cannot be reached with Tab: {seen}"
    page.get_by_role("button", name="Next", exact=True).focus()
    page.keyboard.press("Enter")
    expect_prediction(page, backend.predict(index=4))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_a_phone_needs_no_horizontal_scrolling_and_gets_the_theme_of_the_system(open_page, scheme):
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    zero_shot, probe = (page.locator(f"#results .{card}").bounding_box() for card in CARDS)
    assert probe["y"] > zero_shot["y"] + zero_shot["height"] - 1  # one below the other
    background = page.evaluate("getComputedStyle(document.querySelector('#results .card')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")
    page.get_by_role("tab", name="How it works").click()
    expect(page.get_by_role("heading", name="The image as the model gets it")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_snake_of_the_readme(open_page, backend, cifar100):
    page = open_page("?dataset=cifar100")
    first = backend.first_image("cifar100")
    expect_prediction(page, backend.predict(dataset="cifar100", index=first.index))
    page.get_by_role("button", name="The snake of openai/CLIP’s README").click()
    expect(page.locator("#image .truth")).to_have_text("True label: snake")
    expect_prediction(page, backend.predict(dataset="cifar100", index=3637))


def test_an_unedited_class_list_changes_with_the_dataset(open_page, backend, cifar100):
    page = open_page("?dataset=shapes100&index=3")
    page.get_by_label("CIFAR-100", exact=True).check()
    expect_prediction(page, backend.predict(dataset="cifar100", index=3))
    expect(page.locator("#classes textarea")).to_have_value(", ".join(cifar100.classnames))
    expect(page.locator("#chip")).to_contain_text("tiny · CIFAR-100")
    page.locator("#classes textarea").fill("red square\nblue_star")
    page.get_by_label("Shapes-100", exact=True).check()
    prompts = PromptSet(["red square", "blue_star"])
    expect_prediction(page, backend.predict(dataset="shapes100", index=3, prompts=prompts))
    expect(page.locator("#classes textarea")).to_have_value("red square\nblue_star")
    page.get_by_role("button", name="the dataset’s top 10").click()
    likely = [score.label for score in backend.predict(index=3, top_k=10).zero_shot]
    expect(page.locator("#classes textarea")).to_have_value(", ".join(likely))


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


def test_none_of_these_is_asked_for_by_a_switch_and_stays_in_the_link(open_page, backend):
    page = open_page("?photo=rocket&classes=ship,train,tree,castle")
    assert page.locator("#none-of-these input").is_checked() is False
    expect(page.locator(".bar.none-of-these")).to_have_count(0)
    page.locator("#none-of-these input").check()
    prompts = PromptSet(["ship", "train", "tree", "castle"])
    path = example_photos()["rocket"].path
    prediction = backend.predict(image=path, prompts=prompts, dataset="shapes100", none_of_these=True)
    none = prediction.none_of_these
    assert none.wins
    card = page.locator("#results .card.zero-shot")
    expect(card.locator(".percent")).to_have_text([*percents(prediction.zero_shot), *percents([none])])
    expect(card.locator(".none-of-these .label")).to_have_text(f"None of these most like: {none.strongest}")
    expect(card.locator(".about")).to_contain_text(f"picks among your 4 classes and {len(none.nouns)} other words")
    expect(page.locator("#verdict")).to_contain_text("Zero-shot says none of these, and is right.")
    expect(page).to_have_url(re.compile("none_of_these=1"))
    names = page.evaluate("clipPresentation.candidates().map((each) => each.name)")  # a class does not guess it
    assert sorted(names) == sorted([*prompts.classnames, "rocket"])
    page.reload()
    expect(card.locator(".none-of-these.wins .percent")).to_have_text(percents([none]))
    assert page.locator("#none-of-these input").is_checked()
