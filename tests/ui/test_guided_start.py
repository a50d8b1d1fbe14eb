"""The guided start: what it offers, and that the built-in model bears out what it says."""

import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.shapes100 import UNSEEN_CLASSNAMES
from clip_demo.ui.explore.guided_start import SEEN_INDEX, UNSEEN_INDEX, UNSEEN_NAME, experiments, strip, view_of
from clip_demo.ui.explore.show import show


@pytest.fixture(scope="module")
def backend():
    backend = Backend.open("tiny", dataset="shapes100")
    assert backend.encoder().name == "tiny"
    return backend


def test_what_is_offered_depends_on_model_and_datasets(backend, toy_backend):
    assert list(experiments(backend, "tiny")) == ["hide", "two", "unseen", "own"]
    assert list(experiments(backend, "ViT-B/32")) == ["hide", "two", "own"]
    assert list(experiments(toy_backend, "toy")) == ["hide", "two", "own"]


def test_every_experiment_predicts_with_its_question_and_with_its_answer(backend):
    for name, experiment in experiments(backend, "tiny").items():
        for answered in (False, True):
            drawn = show(backend, view_of(backend, "tiny", experiment, answered), None, None, {}, "", "", ())
            assert ('class="card' in drawn["results"]) == (name != "own")
            assert not any(drawn[f"{field}_message"] for field in ("image", "templates", "classes"))


def test_the_built_in_model_recognises_the_pair_that_it_was_never_told(backend):
    assert UNSEEN_NAME in UNSEEN_CLASSNAMES
    for index, name in ((SEEN_INDEX, "red circle"), (UNSEEN_INDEX, UNSEEN_NAME)):
        prediction = backend.predict(index=index)
        assert prediction.truth == name == prediction.zero_shot[0].label


def test_the_strip_shows_cards_then_a_question_then_an_explanation(backend):
    offered = experiments(backend, "tiny")
    assert strip(offered).count('class="try"') == 4
    question, answer = strip(offered, "hide"), strip(offered, "hide", answered=True)
    assert offered["hide"].question in question and 'data-answer="1"' in question
    assert offered["hide"].explanation in answer and 'data-answer="1"' not in answer
    assert 'data-experiment="hide"' in strip(offered, "own")  # the last one leads to the first
    assert strip(offered, "nothing") == strip(offered)
