"""The grey bar, the verdict and the switch, and the table of the Prompt Lab, without a browser."""

import re
from dataclasses import replace

import pytest

from clip_demo.backend import Prediction
from clip_demo.evaluation.ood_detection import Detection, HiddenClasses
from clip_demo.ui.explore.comparison import Comparison
from clip_demo.ui.explore.none_of_these import explanation, grey_bar, match_line, probability_line
from clip_demo.ui.explore.prediction_cards import results, verdict
from clip_demo.ui.explore.show import show
from clip_demo.ui.permalink import from_query, start, to_link
from clip_demo.ui.prompt_lab.tables import detection_table
from clip_demo.zero_shot.classifier import ZeroShotScore
from clip_demo.zero_shot.none_of_these import NoneOfThese
from clip_demo.zero_shot.prompt_set import PromptSet

NBSP = "\N{NO-BREAK SPACE}"
NONE = NoneOfThese(0.6, True, "tree", 0.25, 0.55, 0.54321, None, "", ("sea", "tree"))


def predicted(none=NONE, truth="green"):
    scores = (ZeroShotScore("red", 0.3, 0.4), ZeroShotScore("blue", 0.1, 0.2))
    return Prediction("toy", "toys", 3, truth, scores, None, none_of_these=none)


def text_of(html):
    return re.sub("<.*?>", "", html)


def test_the_grey_bar_stands_below_the_classes_with_its_share_and_its_strongest_noun(toy_dataset):
    prediction = predicted()
    cards = results(prediction, toy_dataset, PromptSet(["red", "blue"]))
    labels = re.findall('<span class="label">(.*?)</span>', cards)
    assert [text_of(label) for label in labels] == ["red", "blue", "None of these most like: tree"]
    assert f'<span class="percent">60.00{NBSP}%</span>' in cards and "width:60.000%" in cards
    assert "picks among your <b>2 classes</b> and <b>2 other words</b></p>" in cards
    off = results(predicted(None), toy_dataset, PromptSet(["red", "blue"]))
    assert "None of these" not in off and "picks among your <b>2 classes</b>, from words alone" in off


def test_it_is_right_where_the_true_label_is_not_on_the_list():
    assert 'class="bar none-of-these wins right"' in grey_bar(predicted(), None)
    assert 'class="bar none-of-these wins"' in grey_bar(predicted(truth="Red"), None)
    assert 'class="bar none-of-these"' in grey_bar(predicted(replace(NONE, wins=False)), None)
    assert "no other word is left" in grey_bar(predicted(replace(NONE, strongest=None, wins=False)), None)


def test_its_change_against_the_words_of_before_is_marked():
    before = Comparison("A", predicted().zero_shot, replace(NONE, probability=0.7))
    assert '<span class="change">−10.0</span>' in grey_bar(predicted(), before)
    assert "left:70.000%" in grey_bar(predicted(), before)
    assert "change" not in grey_bar(predicted(), Comparison("A", predicted().zero_shot))


def test_the_verdict_says_none_of_these(toy_dataset):
    said = text_of(verdict(predicted(), toy_dataset))
    # Not that another word fits better: here all of them together have more than "red", and none of them alone.
    assert said == "Zero-shot says none of these, and is right. “green” is not on your list."
    wrong = text_of(verdict(predicted(truth="Red"), toy_dataset))
    assert wrong.startswith("Zero-shot says none of these, but “Red” is on your list.")
    unknown = text_of(verdict(predicted(truth=None), toy_dataset))
    assert unknown.strip() == "Zero-shot says none of these."
    assert "none of these" not in verdict(predicted(replace(NONE, wins=False)), toy_dataset)


def test_a_threshold_gives_an_answer_or_says_why_not():
    assert f"55.000{NBSP}%" in match_line(predicted()) and "it says <b>one of these</b>" in match_line(predicted())
    assert "it says <b>none of these</b>" in match_line(predicted(replace(NONE, mcm=0.54)))
    unknown = replace(NONE, mcm_threshold=None, note="Toys-5 has no test images of “<b>”.")
    assert "has no answer here: Toys-5 has no test images of “&lt;b&gt;”." in match_line(predicted(unknown))
    assert match_line(predicted(None)) == ""


def test_the_probe_answers_by_its_first_bar(toy_backend, toy_dataset, tmp_path):
    toy_backend.fit_probe(folder=tmp_path)
    toy_backend.evaluate()
    prediction = toy_backend.predict(index=0, none_of_these=True)
    assert "it says <b>one of its classes</b>" in probability_line(prediction, toy_dataset)
    unsure = replace(prediction, none_of_these=replace(prediction.none_of_these, probe_threshold=1.1))
    assert "it says <b>none of its classes</b>" in probability_line(unsure, toy_dataset)
    assert probability_line(predicted(), toy_dataset) == ""


def test_the_grey_bar_is_explained_and_only_the_built_in_model_is_called_weak():
    assert explanation(predicted(None)) == "" and explanation(replace(predicted(None), model="tiny")) == ""
    meaning = "The grey bar is the share of all 2 other words together."
    assert text_of(explanation(predicted())) == meaning
    assert text_of(explanation(replace(predicted(), model="tiny"))).startswith(f"{meaning} tiny is weak at this")


def test_the_switch_is_in_the_address_and_everything_follows_it(toy_backend):
    toy_backend.encoder()
    view = replace(start(toy_backend), classes="red, blue", none_of_these=True)
    link = to_link(toy_backend, view)
    assert "none_of_these=1" in link.query and from_query(toy_backend, link.query) == (view, "")
    drawn = show(toy_backend, view, None, None, {"toys": PromptSet(["red", "green"])}, "", "", ())
    assert drawn["results"].count("bar none-of-these") == 1
    assert "none-of-these" in drawn["results"].split("earlier-key")[1]  # the comparison counts the nouns, too
    assert "None of these" in drawn["code"] and "[*classes, *others]" in drawn["code"]
    off = show(toy_backend, replace(view, none_of_these=False), None, None, {}, "", "", ())
    assert "none-of-these" not in off["results"] and "others" not in off["code"]


@pytest.mark.parametrize("probe", [None, Detection(0.7, 0.68, 0.72, 0.9, 0.88, 0.92)])
def test_the_table_of_the_lab_has_a_row_for_each_score(probe):
    found = Detection(0.8793, 0.8713, 0.8874, 0.4685, 0.4425, 0.495)
    measured = HiddenClasses(("sea", "<b>"), 8000, 2000, 130, found, found, found, probe, 0.159, 0.716)
    table = detection_table(measured, "Toys-5")
    assert table.count("<tr>") == (4 if probe is None else 5)
    assert f"<td>87.9{NBSP}%</td><td>(87.1{NBSP}% to 88.7{NBSP}%)</td><td>46.9{NBSP}%</td>" in table
    assert ("weights of the hidden ones are left out" in table) == (probe is not None)
    assert "(the false positive rate). Lower is better." in table and "50\N{NO-BREAK SPACE}% is chance" in table
    assert "Can a score tell their 2,000 images from the 8,000 of the others?" in table
    assert ("left out.</p>" if probe else "away.</p>") in table
    assert "name no class of Toys-5" in table and "&lt;b&gt;" in table and "<b>," not in table
    assert f"would win for 71.6{NBSP}% of the images of hidden classes, and wrongly for 15.9{NBSP}%" in text_of(table)
