"""The steps of the walk, drawn from numbers that are computed by hand, and what the tab shows of Explore."""

import base64
import io
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import ClipDemoError
from clip_demo.inside.walk import Agreement, ClassShare, Cosine, ImageInput, ProbeLogit, ProbeStep, PromptTokens, Term
from clip_demo.inside.walk import Walk as InsideWalk
from clip_demo.linear_probe.head import LinearProbe, ProbeScore
from clip_demo.models.encoder import Anatomy, Token
from clip_demo.serving.heavy_requests import HeavyRequests
from clip_demo.ui.html import data_url, input_url, percent
from clip_demo.ui.inside.cells_view import cells, terms_table
from clip_demo.ui.inside.context import InsideContext
from clip_demo.ui.inside.encoder_steps import image_step, tokens_step, vectors_caption
from clip_demo.ui.inside.events import shown
from clip_demo.ui.inside.probe_steps import difference_step, probe_step, reasons
from clip_demo.ui.inside.walk_view import STEPS, Shown, walk_html
from clip_demo.ui.inside.zero_shot_steps import cosine_step, scale_step, softmax_step
from clip_demo.ui.page import build_ui
from clip_demo.ui.permalink import EXAMPLE, OWN, TEST_IMAGE

SIDE = 8  # pixels of the model's input
TOKENS = (
    Token(49406, "<|startoftext|>", False),
    Token(10, "cre", False),
    Token(11, "scent", True),
    Token(49407, "<|endoftext|>", False),
)


def small_walk(size=(16, 8), n=3, **changes):
    """Return a walk with vectors of four numbers: cosine 0.6 - 0.1 = 0.5, logits 5, 4 and 0."""
    image, text = np.array([0.6, 0.5, -0.5, 0.0]), np.array([1.0, -0.2, 0.0, 0.0])
    products = image * text
    most, least = (Term(0, 0.6, 1.0, 0.6),), (Term(1, 0.5, -0.2, -0.1),)
    names = ["cat", "dog", "<b>owl</b>", *(f"word {i}" for i in range(n - 3))]
    logits = np.array([5.0, 4.0, *np.zeros(n - 2)])
    shares = np.exp(logits) / np.exp(logits).sum()
    classes = tuple(
        ClassShare(name, logit / 10, logit, share)
        for name, logit, share in zip(names, logits.tolist(), shares.tolist(), strict=True)
    )
    top = (ProbeScore("red circle", 0.75), ProbeScore("red square", 0.25))
    logits = ProbeLogit("red circle", 2.0, 0.5, 2.5, 0.75), ProbeLogit("red square", 1.0, 0.4, 1.4, 0.25)
    probe = ProbeStep(
        LinearProbe(SimpleNamespace(n_train=50_000), top), *logits, True, np.array([1.2, -0.2, 0, 0]), most, least
    )
    crop = ((size[0] - size[1]) / 2 / size[0], 0.0, (size[0] + size[1]) / 2 / size[0], 1.0)
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:4, :4] = (200, 100, 50)
    walk = InsideWalk(
        anatomy=Anatomy("ViT", SIDE, 2, 2, 4, 77),
        image=ImageInput(Image.new("RGB", size), pixels, crop),
        prompts=(PromptTokens("crescent", TOKENS),),
        cosine=Cosine("cat", image, text, 3.0, products, 0.5, most, least),
        logit_scale=10.0,
        classes=classes,
        probe=probe,
        agreement=Agreement("cat", "red circle", False, None, None),
        truth=None,
    )
    return replace(walk, **changes)


def text_of(html):
    """Return what can be read of HTML."""
    html = re.sub(r"</?(b|bdi|i|strong)>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\xa0", " ").split())


# --- cells --------------------------------------------------------------------------------------------------------


def test_cells_have_the_area_of_their_numbers_and_tell_signs_apart_without_colours():
    html = cells(np.array([1.0, -0.25, 0.0]), "image")
    plus, minus = re.findall(r'<path class="(?:plus|minus)" d="([^"]*)"', html)
    assert "h90v90" in plus  # the largest: the whole cell of 10 but for a gap
    assert minus.startswith("M127 27h45v45h-45zm15 15v15h15v-15z")  # a quarter of its area
    assert minus.count("z") == 2  # with a hole
    assert 'data-values="1.0000 -0.2500 0.0000"' in html


def test_cells_are_described_for_those_who_cannot_see_them():
    html = cells(np.array([1.0, -0.25, 0.5]), "image")
    assert 'role="img"' in html
    sentence = "image: 3 numbers. The largest is number 1 with 1.0000, the smallest number 2 with −0.2500."
    assert f'aria-label="{sentence}"' in html


def test_cells_stand_in_rows_of_32():
    assert 'viewBox="0 0 320 20"' in cells(np.ones(33), "image")
    assert "M3200 " not in cells(np.ones(33), "image")


def test_cells_of_zeros_can_be_drawn():
    assert "nan" not in cells(np.zeros(4), "image").lower()


def test_terms_are_counted_from_one():
    html = terms_table([Term(0, 0.6, -1.0, -0.6)], "Most", "text")
    assert 'data-pick="1"' in html
    assert "1 0.6000 −1.0000 −0.6000" in text_of(html)


# --- steps --------------------------------------------------------------------------------------------------------


def test_a_large_input_is_sent_in_few_bytes_and_a_small_one_exactly():
    rng = np.random.default_rng(0)
    small, large = (rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in (64, 224))
    sent = base64.b64decode(input_url(small).partition("base64,")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(sent))), small)
    assert len(input_url(large)) < 0.5 * len(data_url(Image.fromarray(large)))


def test_the_discarded_margin_is_grey():
    html = image_step(small_walk())
    assert re.findall(r'class="cut" style="inset:([^"]+)"', html) == [
        "0.00% 75.00% 0.00% 0.00%",
        "0.00% 0.00% 0.00% 75.00%",
    ]
    assert "16 × 8 pixels → 50 % cut off at left and right → 8 × 8 pixels in 3 colours = 192 numbers" in text_of(html)


def test_a_tall_image_is_no_higher_than_the_square_beside_it():
    assert 'class="original" style="--ratio:0.25"' in image_step(
        small_walk(
            image=ImageInput(
                Image.new("RGB", (8, 32)), np.zeros((SIDE, SIDE, 3), dtype=np.uint8), (0.0, 0.375, 1.0, 0.625)
            )
        )
    )


def test_nothing_is_grey_on_a_square_image():
    html = image_step(small_walk(size=(8, 8)))
    assert 'class="cut"' not in html
    assert "nothing cut off" in html


def test_the_patches_have_the_mean_colours_of_their_pixels():
    assert 'data-colours="200,100,50;0,0,0;0,0,0;0,0,0"' in image_step(small_walk())
    assert 'max="4"' in image_step(small_walk())


def test_without_the_image_the_other_steps_are_drawn():
    walk = small_walk(image=None)
    assert "not on this machine" in image_step(walk)
    assert "cosine 0.5000" in text_of(cosine_step(walk))


def test_tokens_show_their_numbers_the_ends_and_pieces_of_words():
    html = tokens_step(small_walk())
    assert "start 49406 cre , and the word goes on 10 scent 11 end 49407" in text_of(html)
    assert html.count('class="goes-on"') == 1
    assert "4 of 77 places are used" in text_of(html)
    assert (html.count('class="used"'), html.count('class="free"')) == (4, 73)


def test_the_prompts_of_all_templates_are_there():
    walk = small_walk(prompts=tuple(PromptTokens(f"prompt {i}", TOKENS) for i in range(3)))
    html = tokens_step(walk)
    assert "The other 2 prompts of this class" in html
    assert html.count('<ol class="tokens">') == 3
    assert "turns each of the 3 prompts of “cat” into as many, their mean." in text_of(vectors_caption(walk))
    assert "turns “crescent” into as many." in text_of(vectors_caption(small_walk()))  # the prompt, not the class


def test_positive_and_negative_products_add_up_to_the_cosine():
    text = text_of(cosine_step(small_walk()))
    assert "1 of 4 products are above 0 and add 0.6000, the others take 0.1000 away: cosine 0.5000" in text


def test_the_logit_scale_multiplies_and_weights_are_powers_of_e():
    text = text_of(scale_step(small_walk(), 0))
    assert "logit scale 10" in text
    assert "dog 0.4000 4.00 −1.00 0.3679" in text


def test_the_slider_knows_the_models_own_scale():
    assert 'data-own="5.0"' in scale_step(small_walk(), 1)


def test_shares_are_weights_divided_by_their_sum():
    text = text_of(softmax_step(small_walk(), 0))
    total = 1 + np.exp(-1) + np.exp(-5)
    assert f"cat : weight 1 of {total:.4f} = {100 / total:.2f} %" in text
    assert "dog cosine 0.4000 26.76 %" in text


def test_ten_classes_can_be_taken_away_and_the_others_are_added():
    html = softmax_step(small_walk(n=14), 0)
    assert html.count('type="checkbox"') == 10
    assert 'data-rest="0.0 0.0 0.0 0.0"' in html
    share = 4 / (np.exp(5) + np.exp(4) + 12)
    assert f"The 4 other classes of the list together: {100 * share:.2f} %" in text_of(html)


def test_the_probe_adds_its_constant():
    text = text_of(probe_step(small_walk()))
    assert "red circle 2.000 0.5000 2.500 75.00 %" in text
    assert "red circle is 1.10 ahead of red square" in text
    assert "positive speaks for red circle, negative for red square" in text
    assert "1 of 4: image 0.600, product 1.200 positive negative;" in text  # no sign that belongs to no number


def test_without_a_probe_the_last_steps_say_so():
    walk = small_walk(probe=None, agreement=None)
    assert "No probe was trained" in probe_step(walk)
    html = difference_step(walk, Shapes100(), None)
    assert "No probe was trained here yet" in html
    assert "nothing to compare" in html


@pytest.mark.parametrize(
    ("agreement", "truth", "expected"),
    [
        (Agreement("cat", "cat", True, 1, 1), "cat", ["Both name cat"]),
        (Agreement("red_circle", "red circle", True, 1, 1), "red circle", ["Both name red_circle"]),
        (
            Agreement("cat", "cat", True, 1, 1),
            "dog",
            ["Both name cat", "Both are wrong: the true label is dog.", "“dog” is not a class of the probe"],
        ),
        (Agreement("cat", "red circle", False, None, None), "cat", ["is not on your list", "has no class “cat”"]),
        (
            Agreement("red square", "red circle", False, 7, 2),
            "red circle",
            ["is number 7 of your list", "is number 2 of the probe", "is not on your list."],
        ),
        (
            Agreement("dog", "red circle", False, None, None),
            "horse",
            ["is not on your list", "has no class “dog”", "“horse” is not on your list and not a class of the probe"],
        ),
    ],
)
def test_why_both_predictions_differ(agreement, truth, expected):
    said = [text_of(each) for each in reasons(small_walk(agreement=agreement), truth)]
    assert len(said) == len(expected)
    for sentence, part in zip(said, expected, strict=True):
        assert part in sentence


def test_class_names_are_text():
    html = walk_html(Shown(small_walk(), Shapes100(), "tiny", 0, "<b>owl</b>", "Your photo"))
    assert "<b>owl" not in html


def test_each_step_has_a_caption_of_three_sentences_at_most_and_one_task():
    things = Shown(small_walk(), Shapes100(), "tiny", 0, None, "Your photo", may_change=False)
    for step in STEPS:
        assert text_of(step.caption(things)).count(". ") + 1 <= 3, step.name
    html = walk_html(things)
    assert html.count('class="task"') == html.count("<section") == len(STEPS) == 8
    assert len(set(re.findall(r' id="([^"]+)"', html))) == len(re.findall(r' id="([^"]+)"', html))
    assert "Another image" not in html
    assert 'data-panel="heat-maps"' in html  # after the last step, the panels


def test_the_first_line_names_model_and_dataset():
    line = "Test image 12 of Shapes-100: cat · model tiny Follow the class"
    assert line in text_of(walk_html(Shown(small_walk(), Shapes100(), "tiny", 0, "cat", "Test image 12 of Shapes-100")))
    line = "Your photo · model tiny · dataset Shapes-100 Follow the class"
    assert line in text_of(walk_html(Shown(small_walk(), Shapes100(), "tiny", 0, None, "Your photo")))


# --- what is on -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def context():
    return InsideContext(Backend.open("tiny", dataset="shapes100"), None, None)


VALUES = {
    **{"source": TEST_IMAGE, "example": "cat", "dataset": "shapes100", "index": 12, "photo": None},
    **{"templates": "a photo of a {}", "classes": "purple crescent, cat", "replace_underscores": False},
    **{"sharpness": 0, "none_of_these": False, "model": "tiny"},
}


def select(context, **changes):
    return context.select(list({**VALUES, **changes}.values()))


def test_the_walk_has_what_is_on_in_explore(context):
    context.backend.encoder("tiny")
    selection = select(context, sharpness=1)
    things = shown(context.backend, selection, lambda *_: None, "")
    prediction = context.backend.predict(**selection.arguments, logit_scale=selection.logit_scale, top_k=2)
    assert [(each.label, each.probability) for each in things.walk.classes] == [
        (each.label, each.probability) for each in prediction.zero_shot
    ]
    assert things.walk.logit_scale == 2 * context.backend.encoder("tiny").logit_scale
    assert (things.subject, things.truth, things.note) == ("Test image 12 of Shapes-100", "purple crescent", "")


def test_the_softmax_says_what_explore_adds_where_none_of_these_is_on(context):
    context.backend.encoder("tiny")
    selection = select(context, none_of_these=True, sharpness=-1)
    things = shown(context.backend, selection, lambda *_: None, "")
    options = {"logit_scale": selection.logit_scale, "none_of_these": True}
    explore = context.backend.predict(**selection.arguments, **options)
    said = re.search('<p class="note none-of-these">(.*?)</p>', walk_html(things))[1]
    assert f"there {len(explore.none_of_these.nouns)} other nouns are" in said
    assert re.findall("<b>(.*?)</b>", said) == [
        percent(explore.none_of_these.probability),
        percent(explore.zero_shot[0].probability),
    ]
    assert sum(each.probability for each in things.walk.classes) == pytest.approx(1)
    assert "none-of-these" not in walk_html(shown(context.backend, select(context), lambda *_: None, ""))


def test_a_class_is_followed_only_while_it_is_on_the_list(context):
    context.backend.encoder("tiny")
    for follow, expected in (("cat", "cat"), ("house", "purple crescent"), (["cat"], "purple crescent")):
        things = shown(context.backend, select(context), lambda *_: None, follow)
        assert things.walk.cosine.classname == expected


def test_an_example_photo_has_its_own_label(context):
    context.backend.encoder("tiny")
    things = shown(context.backend, select(context, source=EXAMPLE), lambda *_: None, None)
    assert (things.subject, things.truth) == ("Example photo", "cat")


def test_without_a_photo_the_message_says_what_to_do(context):
    context.backend.encoder("tiny")
    with pytest.raises(ClipDemoError) as found:
        select(context, source=OWN)
    assert found.value.page_message == "Choose a photo on the tab Explore first, or one of its examples."


def test_the_built_in_model_stands_in_for_one_that_is_not_ready(context):
    context.backend.encoder("tiny")
    selection = select(context, model="RN50")
    assert selection.model == "tiny"
    assert selection.note == "RN50 is not ready yet. Until then, the built-in model is shown."


# --- many visitors --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page():
    """The page of the built-in model, with no place for heavy requests."""
    backend = Backend.open("tiny", dataset="shapes100")
    backend.encoder("tiny")
    backend.heavy_requests = HeavyRequests(waiting=0)
    return build_ui(backend)


def events_of(page, elem_id):
    return [each for each in page.fns.values() if any(output.elem_id == elem_id for output in each.outputs)]


EVENTS = ("inside-walk", "heat-maps-instant", "heat-maps-progress", "meanings-exact", "meanings-projected")


@pytest.mark.parametrize("drawn", EVENTS)
def test_every_event_that_encodes_a_class_list_waits_for_its_turn(page, drawn):
    fields = {**VALUES, "classes": ", ".join(f"{drawn} {i}" for i in range(300))}
    events = [each for each in events_of(page, drawn) if len(each.inputs) > len(fields)]
    assert events
    for event in events:
        answer = event.fn(*fields.values(), *[None] * (len(event.inputs) - len(fields)))
        shown = [list(each) for each in answer] if hasattr(answer, "send") else [answer]
        assert any("Many people use this page right now." in str(each[0]) for each in shown), event.name


def test_what_may_take_long_has_queues_of_its_own(page):
    queues = {drawn: {each.concurrency_id for each in events_of(page, drawn) if each.queue} for drawn in EVENTS}
    assert queues == {
        "inside-walk": {"inside"},
        "heat-maps-instant": {"inside", "inside-check"},  # without and with its check
        "heat-maps-progress": {"inside-cover"},
        "meanings-exact": {"inside-meanings"},
        "meanings-projected": {"inside-meanings"},
    }


def test_a_cover_test_that_waits_for_those_of_others_is_shown_and_can_be_stopped(page):
    button = next(each._id for each in page.blocks.values() if each.elem_id == "heat-maps-cover")
    (pressed,) = [each for each in page.fns.values() if (button, "click") in each.targets]
    notice, cover, stop = pressed.fn()
    assert not pressed.queue and "Working" in notice
    assert (cover.interactive, stop.visible) == (False, True)
