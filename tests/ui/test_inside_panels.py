"""The panels of How it works without a browser: heat maps, the batch and the maps of meanings as HTML."""

import re
from dataclasses import replace

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.inside.contrastive_batch import ContrastiveBatch, batch_images
from clip_demo.inside.heat_map import COVER_TEST, Effect, HeatMap, HeatMaps, MapCheck
from clip_demo.inside.projection import ExactPlot, MeaningMap, NearPrompt
from clip_demo.ui.inside.contrastive_batch import batch_size, drawn, edited
from clip_demo.ui.inside.contrastive_batch_view import (
    COLUMNS,
    COSINES,
    ROWS,
    editor,
    in_turn,
    loss,
    matrix,
    summary,
    tiles,
    training_note,
)
from clip_demo.ui.inside.heat_maps_view import check_sentence, description, maps_html, method_html, verdict
from clip_demo.ui.inside.meanings import new_classes
from clip_demo.ui.inside.meanings_view import exact, exact_sentence, projected, projected_sentence
from clip_demo.ui.inside.panel_text import number
from clip_demo.zero_shot.word_knowledge import WordKnowledge

NBSP, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
MARKUP = "<img src=x onerror=alert(1)>\"'"


def text_of(html):
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", "", html))


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert [number(-1.234), number(-0.004), number(1234.5, 1)] == [f"{MINUS}1.23", "0.00", "1,234.5"]


# --- heat maps ----------------------------------------------------------------------------------------------------


def heat_map(*, check=True, hottest=(-2.0, 0.09), random=(3.9, 0.63), second="dog"):
    values = np.array([[2.0, -1.0, 0.0], [0.01, 0.5, 0.0], [0.0, 0.0, 0.0]])
    found = MapCheck(2, 9, Effect(4.0, 0.71), Effect(*hottest), Effect(*random)) if check else None
    return HeatMap(COVER_TEST, "cat", second, 4.0, values, found)


def test_the_check_is_written_out():
    text = text_of(check_sentence(heat_map()))
    assert (
        text
        == f"Cover the hottest fifth of the cells (2 of 9): 71.0{NBSP}% → 9.0{NBSP}%; a random fifth: → 63.0{NBSP}%."
    )
    assert text_of(verdict(heat_map())) == (
        f"Better than random. The score goes from 4.00 to {MINUS}2.00 without the hottest cells, and to 3.90 without "
        "random ones."
    )


def test_a_map_that_is_no_better_than_random_says_so():
    worse = heat_map(hottest=(1.64, 0.565), random=(0.45, 0.606))
    assert text_of(verdict(worse)).startswith("No better than random: do not trust this map. The score goes from 4.00")
    assert "The percentages say otherwise" in verdict(worse)
    assert "The percentages say otherwise" not in verdict(heat_map(hottest=(1.64, 0.6), random=(0.45, 0.5)))


def test_cells_are_drawn_by_their_sign_and_the_covered_ones_are_framed():
    maps = HeatMaps(np.zeros((96, 96, 3), dtype=np.uint8), heat_map(), None)
    html = maps_html(maps)
    assert html.count('class="for"') == 2 and html.count('class="against"') == html.count('class="minus"') == 1
    assert '<rect class="for" x="0" y="0" width="1" height="1" fill-opacity="0.85"/>' in html
    assert '<rect class="against" x="1" y="0" width="1" height="1" fill-opacity="0.47"/>' in html
    assert '<path class="frame" d="M0 0h1v1h-1zM1 1h1v1h-1z"/>' in html
    assert "No linear probe is fitted" in html
    assert "being computed" in maps_html(HeatMaps(maps.pixels, heat_map(check=False), heat_map(second="")))


def test_a_map_is_a_sentence_for_those_who_cannot_see_it():
    assert description(heat_map()) == (
        "Heat map of 3 by 3 cells, rows from the top, columns from the left. The hottest cells are row 1, column 1: "
        "2.00; row 2, column 2: 0.50; row 2, column 1: 0.01. 1 cell speaks against the class."
    )


def test_only_a_cover_test_explains_cells_that_speak_against():
    instant = HeatMap("Grad-ECLIP", "cat", "dog", 4.0, np.ones((7, 7)), None)
    assert "speaks against" in method_html(heat_map()) and "speaks against" not in method_html(instant)
    assert "Grad-ECLIP" in method_html(instant)


# --- the batch ----------------------------------------------------------------------------------------------------


def small_batch():
    return ContrastiveBatch(
        sources=("cat.jpg", "rocket.jpg"),
        captions=("a photo of a cat.", MARKUP),
        cosines=np.array([[0.5, -0.125], [0.25, 0.125]]),
        logit_scale=10.0,
        to_text=np.array([[0.9, 0.1], [0.75, 0.25]]),
        to_image=np.array([[0.8, 0.3], [0.2, 0.7]]),
        image_loss=0.5,
        text_loss=0.25,
        loss=0.375,
        chance=0.6931,
        right_captions=1,
        right_images=2,
        progress=None,
    )


def cells(html):
    return re.findall(r"<td[^>]*>([^<]*)", html.partition("<tbody>")[2])


def test_the_matrix_shows_cosines_and_the_shares_of_rows_and_columns():
    batch, images = small_batch(), in_turn(batch_images())[:2]
    cosines, rows, columns = (matrix(batch, images, view) for view in (COSINES, ROWS, COLUMNS))
    assert cells(cosines) == ["0.50", f"{MINUS}0.12", "0.25", "0.12"]
    assert cells(rows) == ["90", "10", "0.11", "75", "25", "1.39"]
    assert cells(columns) == ["80", "30", "20", "70", "0.22", "0.36"]
    for html in (cosines, rows, columns):
        assert html.count('class="pair"') == 2 and "<img src=x" not in html
    assert rows.count('class="largest"') == 1 and "largest" not in cosines + columns
    assert 'style="--share:100"' in cosines and 'style="--share:0"' in cosines


def test_the_loss_is_written_out():
    text = text_of(loss(small_batch()))
    assert "Images(0.11 + 1.39) ÷ 2 = 0.500" in text
    assert "Captions(0.22 + 0.36) ÷ 2 = 0.250" in text
    assert "Loss(0.500 + 0.250) ÷ 2 = 0.375" in text and "times 10 (" in text
    assert "1 of 2 images find their caption, 2 of 2 captions find their image" in summary(small_batch())
    assert text_of(tiles(small_batch())).count("0.375") == 2  # seen, and spoken


def test_the_editor_keeps_the_captions_that_images_come_with():
    images = in_turn(batch_images())[:2]
    html = editor(images, ["a dog", MARKUP])
    assert re.findall(r'data-own="([^"]*)"', html) == [each.caption for each in images]
    assert 'value="a dog"' in html and "<img src=x" not in html
    assert re.findall(r'data-swap="(-?1)"', html) == ["-1", "1"] * 2


def test_photos_and_drawings_come_in_turn():
    sources = [each.source for each in in_turn(batch_images())]
    assert sorted(sources) == sorted(each.source for each in batch_images())
    assert [source.endswith(".jpg") for source in sources[:8]] == [True, False] * 4


def test_the_note_says_why_the_training_cannot_be_replayed():
    assert "only moments of the built-in model" in training_note(None, (), False)
    assert "the slider is off" in training_note(None, (0.0, 1.0), True)
    assert "Before the training" in training_note(0.0, (0.0, 1.0), False)
    assert f"After 0.25{NBSP}% of the training" in training_note(0.0025, (0.0, 0.0025, 1.0), False)


@pytest.fixture(scope="module")
def tiny():
    return Backend.open("tiny", dataset="shapes100")


def test_edits_replace_the_first_captions_and_nonsense_changes_nothing(tiny):
    own = tuple(each.caption for each in in_turn(batch_images()))
    assert edited(tiny, (), ["a", "b"]) == ("a", "b", *own[2:])
    assert edited(tiny, ("a", *own[1:]), list(own[:1])) == own
    for nonsense in (None, 7, [1], {"a": 1}, [["a"]]):
        assert edited(tiny, own, nonsense) == own
    assert [batch_size(value, 15) for value in (9, 15, 16, 7, None, "9", float("nan"))] == [9, 15, 8, 8, 8, 8, 8]


def test_the_panel_shows_a_moment_of_the_training_or_the_edited_captions(tiny):
    images = in_turn(batch_images())[:8]
    sources = [each.source for each in images]
    slider, note, shown, *_ = drawn(tiny, "tiny", 8, 0, COSINES, ())
    start = tiny.inside.contrastive_batch(sources=sources, snapshot=0)
    assert slider.interactive and "Before the training" in note and number(start.loss, 3) in shown
    captions = ("a photo of a dog.", *(each.caption for each in in_turn(batch_images())[1:]))
    slider, note, shown, *_ = drawn(tiny, "tiny", 8, 0, COSINES, captions)
    now = tiny.inside.contrastive_batch(list(captions[:8]), sources=sources)
    assert not slider.interactive and "the slider is off" in note and number(now.loss, 3) in shown


# --- the maps of meanings -----------------------------------------------------------------------------------------


def plot_of(star=(0.4, 0.1)):
    points = np.array([[0.3, 0.1], [0.1, 0.3], [0.2, 0.1]])
    labels = np.array([0, 1, 2])
    prompts = ("a photo of a red circle.", "a photo of a cat")
    return ExactPlot(prompts, np.arange(3), points, labels, ("red_circle", "cat", "circle"), star)


def test_the_exact_plot_says_who_is_nearer():
    assert exact_sentence(plot_of()) == (
        "2 of 3 test images, those below the diagonal, are nearer to A, “a photo of a red circle.”, than to B, “a "
        "photo of a cat”. Your image has 0.4000 with A and 0.1000 with B: it is nearer to A."
    )
    assert "Your image" not in exact_sentence(plot_of(star=None))


def test_dots_of_the_exact_plot_have_the_colour_of_their_prompt():
    html = exact(plot_of())
    assert html.count('class="dot a"') == 3 and html.count('class="dot b"') == 2  # a and circle, b; two in the legend
    assert html.count("own-star") == 1 and "own-star" not in exact(plot_of(star=None))
    plain = exact(ExactPlot((MARKUP, "b"), np.arange(1), np.array([[0.1, 0.2]]), np.array([0]), (MARKUP,), None))
    assert "<img src=x" not in plain


def map_of(centred=False, n=3, knowledge=()):
    classes = np.array([[1.0, 0.1 * i] for i in range(n)])
    names = tuple(f"class {i}" for i in range(n - 1)) + ("zebra",)
    nearest = (NearPrompt(1, "class 1", 0.31), NearPrompt(0, "class 0", 0.3))
    images = np.array([[0.0, 0.0], [0.2, 0.1]])
    labels = np.array([0, 0])
    return MeaningMap(
        *(
            names,
            1,
            classes,
            images,
            np.arange(2),
            labels,
            (0.1, 0.1),
            nearest,
            (0.25, 0.125),
            0.5,
            0.75,
            0.66,
            centred,
        ),
        knowledge,
    )


def test_the_projection_prints_what_it_keeps():
    text = text_of(projected(map_of(), ["cat"]))
    for part in (f"37.5{NBSP}%", f"25.0{NBSP}% across, 12.5{NBSP}% up", f"50.0{NBSP}%", f"75.0{NBSP}%", "0.66"):
        assert part in text
    assert "Distorted" not in text and "Distorted" in projected(map_of(centred=True), ["cat"])
    assert "class 1 0.3100" in text
    assert projected_sentence(map_of()).endswith("with their cosines: class 1 (0.31), class 0 (0.30).")


def test_words_that_a_model_guesses_or_does_not_know_are_hollow_and_said():
    knowledge = (
        *(WordKnowledge(f"class {i}", "learned", 100) for i in range(2)),
        WordKnowledge("zebra", "guessed", 0, ("horse", "cow")),
    )
    html = projected(map_of(knowledge=knowledge), ["cat"])
    assert 'class="prompt guessed added inner"' in html and html.count("prompt learned inner") == 2
    assert "zebra: never seen with an image; near horse, cow" in text_of(html)
    known = tuple(WordKnowledge(each.name, "learned", 100) for each in knowledge)
    assert "learned all of these words" in projected(map_of(knowledge=known), ["cat"])


def test_names_of_a_map_stay_inside_and_do_not_cover_each_other():
    html = projected(map_of(n=12), ["cat"])
    placed = re.findall(r'class="name ([^"]*)" style="(left|right):([-\d.]+)%;top:([-\d.]+)%"', html)
    assert len(placed) == 12
    tops = {side: sorted(float(top) for _, each, _, top in placed if each == side) for side in ("left", "right")}
    for values in tops.values():
        assert all(b - a >= 6 - 0.11 for a, b in zip(values, values[1:], strict=False))
        assert all(3 <= value <= 97 for value in values)


def test_a_map_of_many_added_classes_names_the_last_ones():
    many = replace(map_of(n=200), n_added=197)
    shown = re.findall(r'class="name [^"]*" [^>]*><bdi>([^<]*)', projected(many, ["cat"]))
    assert shown == ["class 1", "class 0", *(f"class {i}" for i in range(160, 199)), "zebra"]


def test_added_classes_are_new_ones():
    assert new_classes("zebra, Cat,\nred_circle, ZEBRA, dog", ("cat", "red circle")) == ["zebra", "dog"]
    many = [f"class {i}" for i in range(20_000)]  # which would take an hour if each was compared with all others
    assert new_classes(", ".join(many), tuple(many[:1000])) == many[1000:]
    assert new_classes(None, ()) == new_classes(7, ()) == new_classes(" , ", ()) == []
