"""The service, with exact numbers on the toy encoder of conftest.py."""

import json
import math
import threading

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import (
    ClassnamesError,
    DatasetError,
    ImageError,
    IndexRangeError,
    ModelError,
    OptionError,
    PromptTooLongError,
    TemplateError,
)

# A prompt's toy feature is its colour plus 0.01 in every channel.
COSINE_RED_RED = 1.01 / math.sqrt(1.01**2 + 2 * 0.01**2)
COSINE_RED_GREEN = 0.01 / math.sqrt(1.01**2 + 2 * 0.01**2)
COSINE_RED_YELLOW = 1.01 / math.sqrt(2 * 1.01**2 + 0.01**2)


def test_exact_numbers(toy_backend):
    prediction = toy_backend.predict(index=0, classnames=["green", "red"])
    assert [score.label for score in prediction.zero_shot] == ["red", "green"]
    first, second = prediction.zero_shot
    assert first.cosine == pytest.approx(COSINE_RED_RED, abs=1e-6)
    assert second.cosine == pytest.approx(COSINE_RED_GREEN, abs=1e-6)
    # Two classes: the softmax is a sigmoid of the difference, times the logit scale of 10.
    assert first.probability == pytest.approx(1 / (1 + math.exp(10 * (COSINE_RED_GREEN - COSINE_RED_RED))), abs=1e-6)


def test_an_ensemble_averages_normalised_features_and_normalises_again(toy_backend):
    # "{} white" of red is (2, 1, 1) + 0.01; the mean is taken after normalisation (Radford et al. 2021, 3.1.4).
    one, two = np.array([1.01, 0.01, 0.01]), np.array([2.01, 1.01, 1.01])
    mean = one / np.linalg.norm(one) + two / np.linalg.norm(two)
    prediction = toy_backend.predict(index=0, classnames=["red", "blue"], templates=["{}", "{} white"])
    assert prediction.zero_shot[0].cosine == pytest.approx(mean[0] / np.linalg.norm(mean), abs=1e-6)


def test_probabilities_sum_to_one_over_the_whole_list(toy_backend):
    assert sum(score.probability for score in toy_backend.predict(index=3, top_k=5).zero_shot) == pytest.approx(1)


def test_the_order_of_the_classes_does_not_matter(toy_backend):
    names = ["red", "green", "blue", "yellow", "white"]
    one = toy_backend.predict(index=3, classnames=names).zero_shot
    other = toy_backend.predict(index=3, classnames=names[::-1]).zero_shot
    assert {s.label: s.probability for s in one} == pytest.approx({s.label: s.probability for s in other})
    assert [s.label for s in one][:1] == [s.label for s in other][:1] == ["yellow"]


def test_ties_keep_the_order_of_the_list(toy_backend):
    prediction = toy_backend.predict(index=0, classnames=["blue", "green"])
    assert [s.label for s in prediction.zero_shot] == ["blue", "green"]


def test_an_index_and_the_same_image_uploaded_are_the_same(toy_backend, toy_images):
    by_index = toy_backend.predict(index=4)
    uploaded = toy_backend.predict(image=toy_images.image(4))
    assert by_index.zero_shot == uploaded.zero_shot
    assert (by_index.index, by_index.truth) == (4, "white")
    assert (uploaded.index, uploaded.truth) == (None, None)


def test_the_defaults_are_the_image_sets_names_and_the_articles_template(toy_backend, toy_encoder):
    toy_backend.predict(index=0)
    assert toy_encoder.encoded_prompts == [
        f"a photo of a {name}" for name in ("blue", "green", "red", "white", "yellow")
    ]


def test_top_k_is_cut_to_the_number_of_classes(toy_backend):
    assert len(toy_backend.predict(index=0, top_k=50).zero_shot) == 5
    assert len(toy_backend.predict(index=0, top_k=1).zero_shot) == 1


def test_underscores_become_spaces_in_the_prompt_and_stay_in_the_label(toy_backend, toy_encoder):
    prediction = toy_backend.predict(index=0, classnames=["red_thing", "blue_thing"], replace_underscores=True)
    assert prediction.zero_shot[0].label == "red_thing"
    assert toy_encoder.encoded_prompts == ["a photo of a blue thing", "a photo of a red thing"]


def test_a_prompt_and_a_image_are_encoded_once(toy_backend, toy_encoder):
    toy_backend.predict(index=0, classnames=["red", "blue"])
    toy_backend.predict(index=0, classnames=["red", "green"])
    assert toy_encoder.encoded_prompts == ["a photo of a blue", "a photo of a red", "a photo of a green"]
    assert toy_encoder.encoded_images == 1


def test_without_a_head_there_is_no_probe(toy_backend):
    prediction = toy_backend.predict(index=0)
    assert prediction.linear_probe is None and prediction.agree is None and toy_backend.head() is None


@pytest.fixture
def with_head(toy_backend, tmp_path):
    toy_backend.fit_probe(folder=tmp_path / "heads")
    return toy_backend


def test_the_probe_answers_within_its_own_classes(with_head):
    prediction = with_head.predict(index=2, classnames=["cat", "dog"])
    assert {score.label for score in prediction.zero_shot} == {"cat", "dog"}
    assert [score.label for score in prediction.linear_probe.top][0] == "blue"
    assert prediction.linear_probe.head.dataset == "toys"


def test_a_new_head_is_used_at_once(toy_backend, tmp_path):
    assert toy_backend.predict(index=0).linear_probe is None
    toy_backend.fit_probe(folder=tmp_path / "heads")
    assert toy_backend.predict(index=0).linear_probe is not None


def test_agreement_does_not_mind_spelling(with_head):
    assert with_head.predict(index=0, classnames=["Red", "Blue"]).agree is True
    assert with_head.predict(index=0, classnames=["blue", "green"]).agree is False


def test_fitting_reports_progress(toy_backend, tmp_path):
    calls = []
    toy_backend.fit_probe(folder=tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("train features", 50, 50), ("test features", 20, 20)]


def test_the_json_form(with_head):
    plain = json.loads(json.dumps(with_head.predict(index=1).to_dict()))
    assert list(plain) == ["model", "dataset", "index", "truth", "zero_shot", "linear_probe"]
    assert list(plain["zero_shot"][0]) == ["label", "probability", "cosine"]
    assert list(plain["linear_probe"]) == ["head", "top"]
    assert list(plain["linear_probe"]["top"][0]) == ["label", "probability"]
    head = plain["linear_probe"]["head"]
    assert (head["model"], head["n_train"], head["C"]) == ("toy", 50, 0.316)
    assert (plain["model"], plain["dataset"], plain["index"], plain["truth"]) == ("toy", "toys", 1, "green")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, OptionError, "image, index: neither came; give one of them"),
        ({"index": 0, "image": Image.new("RGB", (1, 1))}, OptionError, "image, index: both came"),
        (
            {"index": 20},
            IndexRangeError,
            "index: 20 is not in the test split of Toys-5; use a whole number from 0 to 19.",
        ),
        ({"index": -1}, IndexRangeError, "index: -1 is not in"),
        ({"index": 1.5}, IndexRangeError, "index: 1.5 is not in"),
        ({"index": True}, IndexRangeError, "index: True is not in"),
        ({"index": "3"}, IndexRangeError, "index: '3' is not in"),
        ({"index": 0, "dataset": "mnist"}, DatasetError, "images: 'mnist' is unknown; use one of 'toys'"),
        ({"index": 0, "classnames": "red"}, ClassnamesError, "a bare string came"),
        ({"index": 0, "templates": ["x"]}, TemplateError, "'x' has no {}"),
        ({"index": 0, "templates": ["red " * 80 + "{}"]}, PromptTooLongError, "is too long"),
        ({"index": 0, "top_k": 0}, OptionError, "top_k: 0 is not allowed; use a whole number of 1 or more."),
        ({"index": 0, "top_k": 1.5}, OptionError, "top_k: 1.5 is not allowed"),
        (
            {"index": 0, "replace_underscores": "false"},
            OptionError,
            "spaces: 'false' is not allowed; use true or false.",
        ),
        ({"index": 0, "dataset": ["toys"]}, DatasetError, "images: ['toys'] is unknown"),
        ({"image": b"nonsense"}, ImageError, "the image is not an image that can be read"),
    ],
)
def test_bad_input_is_named(toy_backend, arguments, error, message):
    with pytest.raises(error) as caught:
        toy_backend.predict(**arguments)
    assert message in str(caught.value)


def test_an_unknown_default_image_set_is_refused_at_once(toy_encoder):
    with pytest.raises(DatasetError, match="images: 'mnist' is unknown; use one of 'cifar100', 'shapes100'"):
        Backend(toy_encoder, default_dataset="mnist")


def test_the_service_answers_while_the_model_loads(toy_encoder, toy_images):
    gate = threading.Event()

    def load(name, progress):
        gate.wait(10)
        return toy_encoder

    backend = Backend(load, model="slow", datasets={"toys": toy_images}, head_folders=[])
    assert (backend.status().state, backend.status().message) == ("loading", "slow is loading …")
    gate.set()
    assert backend.predict(index=0).truth == "red"  # waits for the model
    assert (backend.status().state, backend.status().model_note) == ("ready", "a toy")


@pytest.mark.parametrize(
    ("failure", "message"),
    [(ModelError("model: gone."), "model: gone."), (OSError("disk"), r"'broken' cannot be loaded \(disk")],
)
def test_a_model_that_does_not_load_is_said_and_nobody_waits(toy_images, failure, message):
    def load(name, progress):
        raise failure

    backend = Backend(load, model="broken", datasets={"toys": toy_images}, head_folders=[])
    with pytest.raises(ModelError, match=message):
        backend.predict(index=0)
    assert backend.status().state == "failed"


def test_many_threads_get_the_numbers_of_one(toy_backend):
    expected = [toy_backend.predict(index=i).to_dict() for i in range(20)]
    got = [None] * 20

    def ask(i):
        got[i] = toy_backend.predict(index=i).to_dict()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert got == expected
