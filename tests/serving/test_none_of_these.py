"""None of these through the backend."""

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.errors import Cancelled, ClassnamesError, OptionError, TemplateError
from clip_demo.paths import EXAMPLES
from clip_demo.zero_shot.none_of_these import names_class, words_of
from clip_demo.zero_shot.nouns import NOUNS
from clip_demo.zero_shot.prompt_set import PromptSet

TWO = PromptSet(["red", "blue"])


@pytest.fixture(scope="module")
def tiny():
    backend = Backend.open("tiny", dataset="shapes100")
    backend.encoder()
    return backend


def test_the_grey_bar_by_hand(toy_backend):
    """No noun is a colour word, so the toy has one vector for all of them: (0.01, 0.01, 0.01) before it is scaled."""
    prediction = toy_backend.predict(index=0, prompts=TWO, none_of_these=True)
    none = prediction.none_of_these
    assert len(none.nouns) == len(NOUNS) * 3 // 4 and none.strongest == none.nouns[0]
    cosines = np.array([1.01, 0.01]) / np.linalg.norm([1.01, 0.01, 0.01])
    known, others = np.exp(10 * cosines), len(none.nouns) * np.exp(10 / np.sqrt(3))
    assert none.probability == pytest.approx(others / (known.sum() + others), rel=1e-5)
    assert [s.probability for s in prediction.zero_shot] == pytest.approx(known / (known.sum() + others), rel=1e-5)
    assert none.wins


def test_only_who_asks_gets_it(toy_backend):
    plain, asked = (toy_backend.predict(index=0, prompts=TWO, none_of_these=on) for on in (False, True))
    assert plain.none_of_these is None and "none_of_these" not in plain.to_dict()
    assert asked.to_dict()["none_of_these"]["nouns"] == list(asked.none_of_these.nouns)
    assert sum(score.probability for score in plain.zero_shot) == pytest.approx(1)
    with pytest.raises(OptionError, match="^none_of_these: 'yes' is not allowed; use true or false"):
        toy_backend.predict(index=0, prompts=TWO, none_of_these="yes")


def test_nouns_have_the_visitors_templates_and_are_encoded_once(toy_backend, toy_encoder):
    prompts = TWO.varied(templates=["{}", "the {}"])
    toy_backend.predict(index=0, prompts=prompts, none_of_these=True)
    assert {"cat", "the cat"} <= set(toy_encoder.encoded_prompts)
    before = len(toy_encoder.encoded_prompts)
    toy_backend.predict(index=1, prompts=prompts.varied(classnames=["red", "green"]), none_of_these=True)
    assert toy_encoder.encoded_prompts[before:] == ["green", "the green"]


def test_a_visitor_who_has_left_stops_the_nouns(toy_backend):
    def progress(what, done, total):
        if total == len(NOUNS):
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        toy_backend.predict(index=0, prompts=TWO, none_of_these=True, progress=progress)


def test_too_many_templates_are_refused_with_the_number_that_is_allowed(toy_backend):
    most = 20_000 // len(NOUNS)
    prompts = TWO.varied(templates=[f"{i} {{}}" for i in range(most + 1)])
    with pytest.raises(TemplateError, match=f"^templates: got {most + 1}; .* at most {most} templates") as raised:
        toy_backend.predict(index=0, prompts=prompts, none_of_these=True)
    assert raised.value.page_message.endswith(f"Use at most {most} prompts.")


def test_a_threshold_needs_test_images_of_the_classes(toy_backend):
    def note(prompts):
        return toy_backend.predict(index=0, prompts=prompts, none_of_these=True).none_of_these

    assert note(TWO).note == "The test images of Toys-5 are not encoded yet: the Prompt Lab does that."
    toy_backend.evaluate()
    assert note(PromptSet(["red", "cat"])).note == "Toys-5 has no test images of “cat”, and a threshold needs some."
    known = note(PromptSet(["_red", "blue"]))  # names mean one class as in `same_class`
    assert (known.note, known.probe_threshold) == ("", None)
    a, b = np.array([1.01, 0.01]) / np.linalg.norm([1.01, 0.01, 0.01])
    assert known.mcm_threshold == pytest.approx(np.exp(a) / (np.exp(a) + np.exp(b)), rel=1e-5)


def test_thresholds_keep_95_percent_of_the_images_of_the_classes(tiny):
    names = tiny.datasets["shapes100"].classnames
    images = tiny.evaluate().labelled_images
    none = tiny.predict(index=3, prompts=PromptSet(names[:30]), none_of_these=True).none_of_these
    confidence = np.sort(images.probe.confidence)
    assert none.probe_threshold == confidence[500]
    weights = tiny.evaluate().predictions.cosines[images.labels < 30, :30].astype(float)
    mcm = np.sort(np.exp(weights.max(axis=1)) / np.exp(weights).sum(axis=1))
    assert none.mcm_threshold == pytest.approx(mcm[150], abs=1e-6)


def test_the_built_in_model_is_asked_only_words_that_it_learned(tiny):
    none = tiny.predict(image=EXAMPLES / "cat.jpg", prompts=PromptSet(["dog", "chair"]), none_of_these=True)
    nouns = none.none_of_these.nouns
    assert {each.state for each in tiny.word_knowledge(nouns)} == {"learned"}
    assert "puppy" not in nouns and "dog" not in nouns
    assert len(nouns) > 150 and {"ship", "apple", "tree"} <= set(nouns)


def test_without_the_right_word_the_grey_bar_grows(tiny):
    with_it = PromptSet(["rocket", "ship", "train", "tree", "castle"])
    without = PromptSet(["ship", "train", "tree", "castle"])
    shown, gone = (
        tiny.predict(image=EXAMPLES / "rocket.jpg", prompts=prompts, none_of_these=True).none_of_these
        for prompts in (with_it, without)
    )
    assert shown.probability < 0.1 and not shown.wins
    assert gone.probability > 0.3 and gone.wins


def test_hidden_classes_are_measured_without_a_noun_that_names_them(tiny):
    measured = tiny.hide_classes(hidden=20, seed=0)
    assert len(measured.hidden) == 20 and (measured.n_known, measured.n_hidden) == (8_000, 2_000)
    words = words_of(tiny.datasets["shapes100"].classnames)
    asked = [noun for noun in NOUNS if not names_class(noun, words)]
    assert {"heart", "star"}.isdisjoint(asked) and 150 < measured.nouns < len(asked)
    assert measured.mcm.auroc > 0.99 and measured.neglabel.auroc > 0.99
    assert tiny.hide_classes() == measured != tiny.hide_classes(seed=1)
    with pytest.raises(OptionError, match="^hidden: 99"):
        tiny.hide_classes(hidden=99)
    with pytest.raises(ClassnamesError):
        tiny.hide_classes(TWO)
