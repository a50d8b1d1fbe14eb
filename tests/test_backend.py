"""The backend, with exact numbers on the toy encoder of conftest.py."""

import json
import math
import os
import re
import threading

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import (
    ClassnamesError,
    ClipDemoError,
    DatasetError,
    ImageError,
    IndexRangeError,
    ModelError,
    OptionError,
    PromptTooLongError,
)
from clip_demo.linear_probe.head import Head, Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

# A prompt's toy feature is its colour plus 0.01 in every channel.
COSINE_RED_RED = 1.01 / math.sqrt(1.01**2 + 2 * 0.01**2)
COSINE_RED_GREEN = 0.01 / math.sqrt(1.01**2 + 2 * 0.01**2)


@pytest.fixture
def with_head(toy_backend, tmp_path):
    toy_backend.fit_probe(folder=tmp_path / "heads")
    return toy_backend


# --- predictions -----------------------------------------------------------------------------------------------------


def test_cosines_and_probabilities_are_exact(toy_backend):
    prediction = toy_backend.predict(index=0, prompts=PromptSet(("green", "red")))
    assert [score.label for score in prediction.zero_shot] == ["red", "green"]
    first, second = prediction.zero_shot
    assert first.cosine == pytest.approx(COSINE_RED_RED, abs=1e-6)
    assert second.cosine == pytest.approx(COSINE_RED_GREEN, abs=1e-6)
    # Two classes: the softmax is a sigmoid of the difference, times the logit scale of 10.
    assert first.probability == pytest.approx(1 / (1 + math.exp(10 * (COSINE_RED_GREEN - COSINE_RED_RED))), abs=1e-6)


def test_an_ensemble_averages_normalised_features_and_normalises_the_mean(toy_backend):
    # "{} white" of red is (2, 1, 1) + 0.01; the mean is taken after normalisation (Radford et al. 2021, 3.1.4).
    one, two = np.array([1.01, 0.01, 0.01]), np.array([2.01, 1.01, 1.01])
    mean = one / np.linalg.norm(one) + two / np.linalg.norm(two)
    prediction = toy_backend.predict(index=0, prompts=PromptSet(("red", "blue"), ("{}", "{} white")))
    assert prediction.zero_shot[0].cosine == pytest.approx(mean[0] / np.linalg.norm(mean), abs=1e-6)


def test_probabilities_sum_to_one_over_the_class_list(toy_backend):
    assert sum(score.probability for score in toy_backend.predict(index=3, top_k=5).zero_shot) == pytest.approx(1)


def test_the_order_of_the_class_list_does_not_change_the_probabilities(toy_backend):
    names = ["red", "green", "blue", "yellow", "white"]
    one = toy_backend.predict(index=3, prompts=PromptSet(names)).zero_shot
    other = toy_backend.predict(index=3, prompts=PromptSet(names[::-1])).zero_shot
    assert {s.label: s.probability for s in one} == pytest.approx({s.label: s.probability for s in other})
    assert one[0].label == other[0].label == "yellow"


def test_ties_keep_the_order_of_the_class_list(toy_backend):
    prediction = toy_backend.predict(index=0, prompts=PromptSet(("blue", "green")))
    assert [s.label for s in prediction.zero_shot] == ["blue", "green"]


def test_an_index_and_the_same_image_uploaded_give_the_same_prediction(toy_backend, toy_dataset):
    by_index = toy_backend.predict(index=4)
    uploaded = toy_backend.predict(image=toy_dataset.image(4))
    assert by_index.zero_shot == uploaded.zero_shot
    assert (by_index.index, by_index.truth) == (4, "white")
    assert (uploaded.index, uploaded.truth) == (None, None)


def test_the_default_prompts_are_the_datasets_class_names_in_the_readmes_template(toy_backend, toy_encoder):
    toy_backend.predict(index=0)
    assert toy_encoder.encoded_prompts == [
        f"a photo of a {name}" for name in ("blue", "green", "red", "white", "yellow")
    ]


def test_top_k_is_limited_by_the_number_of_classes(toy_backend):
    assert len(toy_backend.predict(index=0, top_k=50).zero_shot) == 5
    assert len(toy_backend.predict(index=0, top_k=1).zero_shot) == 1


def test_numbers_of_numpy_are_numbers(toy_backend):
    prediction = toy_backend.predict(index=np.int64(3), top_k=np.int64(2), logit_scale=np.float32(10))
    assert prediction == toy_backend.predict(index=3, top_k=2)


@pytest.mark.parametrize("nothing", [0, False, []])
def test_only_none_and_no_text_stand_for_the_default(toy_backend, nothing):
    assert toy_backend.predict(index=3, dataset="", model="") == toy_backend.predict(index=3)
    for name in ("dataset", "model"):
        with pytest.raises(ClipDemoError, match=f"^{name}: {re.escape(repr(nothing))} is "):
            toy_backend.predict(index=3, **{name: nothing})


def test_names_that_a_tokenizer_tells_apart_are_two_classes_under_the_switch_that_is_on(toy_backend):
    prompts = PromptSet(("red_car", "red car"), ("{}",))
    assert {each.label for each in toy_backend.predict(index=0, prompts=prompts).zero_shot} == {"red_car", "red car"}
    with pytest.raises(ClassnamesError, match="'red_car' and 'red car' make the same prompts"):
        toy_backend.predict(index=0, prompts=prompts.varied(replace_underscores=True))


def test_underscores_become_spaces_in_the_prompt_and_stay_in_the_label(toy_backend, toy_encoder):
    prompts = PromptSet(("red_thing", "blue_thing"), replace_underscores=True)
    assert toy_backend.predict(index=0, prompts=prompts).zero_shot[0].label == "red_thing"
    assert toy_encoder.encoded_prompts == ["a photo of a blue thing", "a photo of a red thing"]


def test_every_prompt_and_every_image_is_encoded_once(toy_backend, toy_encoder):
    toy_backend.predict(index=0, prompts=PromptSet(("red", "blue")))
    toy_backend.predict(index=0, prompts=PromptSet(("red", "green")))
    assert toy_encoder.encoded_prompts == ["a photo of a blue", "a photo of a red", "a photo of a green"]
    assert toy_encoder.encoded_images == 1


def test_threads_get_the_same_predictions_as_one_after_another(toy_backend):
    expected = [toy_backend.predict(index=i).to_dict() for i in range(20)]
    got = [None] * 20

    def predict(i):
        got[i] = toy_backend.predict(index=i).to_dict()

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert got == expected


def test_stored_features_serve_where_images_are_not_available(toy_backend, toy_dataset, monkeypatch):
    expected = [toy_backend.predict(index=i).to_dict() for i in range(5)]
    toy_backend.evaluate()
    monkeypatch.setattr(type(toy_dataset), "available", lambda self: False)

    def missing(self, indices, split="test"):
        raise DatasetError("dataset: missing")

    monkeypatch.setattr(type(toy_dataset), "images", missing)
    assert [toy_backend.predict(index=i).to_dict() for i in range(5)] == expected


# --- the linear probe ------------------------------------------------------------------------------------------------


def test_without_a_head_there_is_no_probe(toy_backend):
    prediction = toy_backend.predict(index=0)
    assert prediction.linear_probe is None and prediction.agree is None and toy_backend.head() is None


def test_the_logit_scale_changes_the_shares_and_not_the_cosines(toy_backend):
    own, flat = toy_backend.predict(index=3), toy_backend.predict(index=3, logit_scale=1.0)
    assert [score.cosine for score in flat.zero_shot] == [score.cosine for score in own.zero_shot]
    assert flat.zero_shot[0].probability < own.zero_shot[0].probability
    assert toy_backend.predict(index=3, logit_scale=toy_backend.encoder().logit_scale) == own
    with pytest.raises(OptionError, match="logit_scale: 0 is not allowed"):
        toy_backend.predict(index=3, logit_scale=0)


def test_the_probe_predicts_its_own_classes_whatever_the_class_list(with_head):
    prediction = with_head.predict(index=2, prompts=PromptSet(("cat", "dog")))
    assert {score.label for score in prediction.zero_shot} == {"cat", "dog"}
    assert prediction.linear_probe.top[0].label == "blue"
    assert prediction.linear_probe.head.dataset == "toys"


def test_a_new_head_is_used_at_once(toy_backend, tmp_path):
    assert toy_backend.predict(index=0).linear_probe is None and toy_backend.status().head is None
    _, head = toy_backend.fit_probe(folder=tmp_path / "heads")
    assert toy_backend.predict(index=0).linear_probe.head == toy_backend.status().head == head.provenance
    assert toy_backend.head() is head


def test_agreement_ignores_case(with_head):
    assert with_head.predict(index=0, prompts=PromptSet(("Red", "Blue"))).agree is True
    assert with_head.predict(index=0, prompts=PromptSet(("blue", "green"))).agree is False


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


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, OptionError, "image, index: got neither; give one of them, an image or an index of a dataset."),
        (
            {"index": 0, "image": Image.new("RGB", (1, 1))},
            OptionError,
            "image, index: got both; give one of them, an image or an index of a dataset.",
        ),
        ({"index": 0, "prompts": "x"}, OptionError, "prompts: got 'x'; give a clip_demo.PromptSet."),
        ({"index": 0, "prompts": ""}, OptionError, "prompts: got ''; give a clip_demo.PromptSet."),
        ({"index": 0, "prompts": ["a", "b"]}, OptionError, "prompts: got ['a', 'b']; give a clip_demo.PromptSet."),
        ({"index": 0, "top_k": 0}, OptionError, "top_k: 0 is not allowed; use a whole number of at least 1."),
        ({"index": 0, "dataset": "mnist"}, DatasetError, "dataset: 'mnist' is unknown; use one of 'toys'."),
        (
            {"index": 20},
            IndexRangeError,
            "index: 20 is not in the test split of Toys-5; use a whole number from 0 to 19.",
        ),
    ],
)
def test_the_message_for_a_wrong_argument(toy_backend, arguments, error, message):
    with pytest.raises(error) as caught:
        toy_backend.predict(**arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arguments", "error", "argument"),
    [
        *[({"index": index}, IndexRangeError, "index") for index in (-1, 1.5, True, "3")],
        *[({"index": 0, "top_k": top_k}, OptionError, "top_k") for top_k in (1.5, True, "3", None, float("nan"))],
        ({"index": 0, "dataset": ["toys"]}, DatasetError, "dataset"),
        ({"index": 0, "prompts": PromptSet(("a", "b"), ("red " * 80 + "{}",))}, PromptTooLongError, "prompt"),
        ({"image": b"nonsense"}, ImageError, "image"),
    ],
)
def test_an_error_names_the_wrong_argument(toy_backend, arguments, error, argument):
    with pytest.raises(error) as caught:
        toy_backend.predict(**arguments)
    assert str(caught.value).startswith(f"{argument}: ")


@pytest.mark.parametrize("method", ["evaluate", "ablate_templates"])
@pytest.mark.parametrize("prompts", ["x", "", ["a", "b"]])
def test_only_a_prompt_set_can_be_evaluated(toy_backend, method, prompts):
    with pytest.raises(OptionError, match="^prompts: got "):
        getattr(toy_backend, method)(prompts)
    with pytest.raises(OptionError, match="^prompts: got "):
        toy_backend.compare_names("red", ["a"], prompts)


@pytest.mark.parametrize("baseline", ["a {}", "", ()])
def test_only_a_prompt_set_can_be_a_baseline(toy_backend, baseline):
    with pytest.raises(OptionError) as caught:
        toy_backend.evaluate(baseline=baseline)
    assert str(caught.value) == f"baseline: got {baseline!r}; give a clip_demo.PromptSet."


def test_an_unknown_default_dataset_is_an_error_at_once(toy_encoder):
    with pytest.raises(DatasetError, match="dataset: 'mnist' is unknown; use one of 'cifar100', 'shapes100'"):
        Backend(ModelPool.of(toy_encoder), default_dataset="mnist")


# --- models and datasets ---------------------------------------------------------------------------------------------


def test_the_default_dataset_is_the_first_that_is_available(toy_encoder, toy_dataset, monkeypatch):
    datasets = {"toys": toy_dataset, "shapes100": Shapes100()}
    assert Backend(ModelPool.of(toy_encoder), datasets=datasets).default_dataset == "toys"
    assert (
        Backend(ModelPool.of(toy_encoder), datasets=datasets, default_dataset="shapes100").default_dataset
        == "shapes100"
    )
    monkeypatch.setattr(type(toy_dataset), "available", lambda self: False)
    assert Backend(ModelPool.of(toy_encoder), datasets=datasets).default_dataset == "shapes100"


def test_the_status_is_available_while_the_model_loads(toy_encoder, toy_dataset, tmp_path):
    gate = threading.Event()

    def load(name, progress):
        assert gate.wait(30)
        return toy_encoder

    backend = Backend(ModelPool(load, ["slow"]), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    status = backend.status()
    assert (status.model.state, status.model.message) == ("loading", "slow is loading …")
    assert status.models == (status.model,) and status.head is None
    gate.set()
    assert backend.predict(index=0).truth == "red"  # waits for the model
    assert (backend.status().model.state, backend.status().model.note) == ("ready", "a toy")


@pytest.mark.parametrize(
    ("failure", "message", "page"),
    [
        (ModelError("model: missing."), "model: missing.", "Missing."),
        (
            OSError("disk"),
            "model: 'broken' cannot be loaded (disk).",
            "broken could not be loaded. Try again, or choose another model.",
        ),
    ],
)
def test_a_model_that_fails_to_load_is_an_error_of_every_call(toy_dataset, tmp_path, failure, message, page):
    def load(name, progress):
        raise failure

    backend = Backend(ModelPool(load, ["broken"]), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            backend.predict(index=0)
        assert str(caught.value) == message
    status = backend.status()
    assert (status.model.state, status.model.message) == ("failed", page)
    assert status.head is None


def test_a_status_describes_one_model_and_one_dataset_and_lists_all(toy_encoder, toy_dataset, tmp_path):
    pool = ModelPool(lambda name, progress: toy_encoder, ["toy", "other"])
    backend = Backend(pool, datasets={"toys": toy_dataset, "shapes100": Shapes100()}, stores=Stores.open(tmp_path))
    _, head = backend.fit_probe(folder=tmp_path / "heads")
    status = backend.status()
    assert (status.model.name, status.dataset.name, status.head) == ("toy", "toys", head.provenance)
    assert (status.dataset.title, status.dataset.state, status.dataset.message) == ("Toys-5", "ready", "")
    assert [each.name for each in status.models] == ["toy", "other"]
    assert [each.state for each in status.models] == ["ready", "absent"]
    assert [each.name for each in status.datasets] == ["toys", "shapes100"]
    assert (status.default_model, status.default_dataset, status.job, status.running_job) == ("toy", "toys", None, "")
    other = backend.status("other", "shapes100")
    assert (other.model.name, other.model.state, other.dataset.name) == ("other", "absent", "shapes100")
    assert other.head is None and (other.default_model, other.default_dataset) == ("toy", "toys")
    with pytest.raises(DatasetError):
        backend.status(dataset="mnist")


@pytest.fixture
def lookups(monkeypatch):
    """The files that this thread looks up."""
    paths, thread = [], threading.get_ident()

    def record(function):
        def recorded(path, *args, **kwargs):
            if threading.get_ident() == thread:
                paths.append(path)
            return function(path, *args, **kwargs)

        return recorded

    for name in ("stat", "scandir", "listdir", "open"):
        monkeypatch.setattr(os, name, record(getattr(os, name)))
    return paths


def test_a_status_looks_up_no_file_where_the_dataset_is_available_and_the_head_known(with_head, tmp_path, lookups):
    assert (tmp_path / "heads").is_dir() and lookups == [tmp_path / "heads"]  # look-ups are counted
    lookups.clear()
    status = with_head.status()
    assert (status.head.dataset, status.dataset.state) == ("toys", "ready")
    assert lookups == []


def test_a_status_looks_up_no_file_of_cifar100_after_it_was_read(toy_encoder, cifar100, tmp_path, lookups):
    stores = Stores.open(tmp_path)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"cifar100": cifar100}, stores=stores)
    provenance = Provenance("toy", toy_encoder.sha256, "cifar100", 1, 1, 1.0, 1, 1, 0, False, 0.5, {}, "2026-01-31")
    head = Head(np.zeros((1, 3)), np.zeros(1), ("apple",), provenance)
    stores.heads.remember(head, toy_encoder.sha256, "cifar100")
    cifar100.labels()
    lookups.clear()
    status = backend.status()
    assert (status.head, status.dataset.state) == (provenance, "ready")
    assert lookups == []


def test_the_status_of_a_model_looks_up_no_file(toy_encoder, toy_dataset, tmp_path, lookups):
    gate = threading.Event()

    def load(name, progress):
        if name == "failing":
            raise ModelError("model: missing.")
        assert name == "ready" or gate.wait(30)
        return toy_encoder

    def is_downloaded(name):
        raise AssertionError("looks at files")

    pool = ModelPool(load, ["ready", "loading", "failing", "absent"], is_downloaded=is_downloaded, limit=3)
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    backend.encoder()
    backend.load_model("failing")
    with pytest.raises(ModelError):
        backend.encoder("failing")
    backend.load_model("loading")
    lookups.clear()
    for state in ("ready", "loading", "absent"):
        assert backend.model_status(state).state == state
    assert backend.model_status("failing").state == "failed"
    assert backend.model_status() == backend.model_status("ready")
    assert lookups == []
    gate.set()


def test_whether_a_model_is_downloaded_is_asked_of_the_pool(toy_encoder, toy_dataset, tmp_path):
    pool = ModelPool(lambda name, progress: toy_encoder, ["a", "b"], is_downloaded=lambda name: name == "b")
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    assert (backend.is_downloaded("a"), backend.is_downloaded("b")) == (False, True)


# --- datasets of any size --------------------------------------------------------------------------------------------

D = 32


def random_directions(n):
    return np.random.default_rng(0).normal(size=(n, D)).astype(np.float32)


class NumberedEncoder:
    """A direction per class: images carry its number in their colour, prompts in their text."""

    name, note, sha256, logit_scale = "numbered", "", "71" * 32, 100.0

    def __init__(self, n):
        self.directions, self.encoded_images = random_directions(n), 0

    def preprocess(self, image):
        assert image.mode == "RGB"
        red, green, _ = image.getpixel((image.width // 2, image.height // 2))
        return 256 * red + green

    def encode_images(self, inputs):
        self.encoded_images += len(inputs)
        return 2 * self.directions[inputs]

    def tokens(self, prompt):
        return prompt

    def encode_texts(self, prompts):
        return 3 * self.directions[[int(prompt.split()[-1]) for prompt in prompts]]


class NumberedImages(Dataset):
    """Two test images of each of `n` classes, each image of another size."""

    name, title, coarse_names = "numbered", "Numbered", ("even", "odd")

    def __init__(self, n):
        self.classnames = tuple(f"class_{i}" for i in range(n))
        self.coarse_of = tuple(i % 2 for i in range(n))
        self.sizes = {"train": n, "test": 2 * n}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.arange(self.sizes[split]) % len(self.classnames)

    def images(self, indices, split="test"):
        labels = self.labels(split)
        return [
            Image.new("RGB", (1 + index % 37, 1 + index % 23), (int(labels[index]) // 256, int(labels[index]) % 256, 0))
            for index in indices
        ]


@pytest.mark.parametrize("n", [300, 1_000])
def test_datasets_of_many_classes_and_images_of_different_sizes(tmp_path, n):
    encoder, dataset = NumberedEncoder(n), NumberedImages(n)
    backend = Backend(ModelPool.of(encoder), datasets={"numbered": dataset}, stores=Stores.open(tmp_path))
    # Classes 0 and 1 have each other's name, so that both are always confused with the other.
    prompts = PromptSet(tuple(f"number {i}" for i in (1, 0, *range(2, n))), ("a photo of {}",))
    for index in (0, 2, n - 1, n, 2 * n - 1):
        prediction = backend.predict(index=index, prompts=prompts, top_k=n)
        label = index % n
        assert prediction.truth == f"class_{label}" and prediction.zero_shot[0].label == f"number {label}"
        assert len(prediction.zero_shot) == n
        assert sum(score.probability for score in prediction.zero_shot) == pytest.approx(1)
    report = backend.evaluate(prompts)
    assert report.accuracy.top1 == 1 - 2 / n and report.accuracy.n == 2 * n
    assert report.accuracy.per_class == (0, 0, *[1] * (n - 2)) and report.classes[0].confused_with == (("number 0", 2),)
    counts = np.array(report.confusion().counts)
    assert counts.shape == (n, n) and counts.sum() == 2 * n and np.diag(counts).sum() == 2 * n - 4
    assert report.images(true=n - 1, predicted=n - 1) == (n - 1, 2 * n - 1)
    assert encoder.encoded_images <= 2 * n + 5
    # The features, with labels above 255, are stored and found again.
    again = Backend(ModelPool.of(NumberedEncoder(n)), datasets={"numbered": dataset}, stores=Stores.open(tmp_path))
    assert again.evaluate(prompts).accuracy == report.accuracy
    assert again.encoder().encoded_images == 0


def test_a_class_list_has_at_most_1000_names():
    with pytest.raises(ClassnamesError):
        PromptSet.for_dataset(NumberedImages(1_001))


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["encode_images", "encode_texts", "preprocess"])
def test_a_failed_evaluation_can_be_repeated(toy_encoder, toy_dataset, tmp_path, monkeypatch, method):
    failures, works, original = [], threading.Event(), getattr(toy_encoder, method)

    def fail(inputs):
        if works.is_set():
            return original(inputs)
        failures.append(inputs)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(toy_encoder, method, fail)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    for _ in range(30):
        with pytest.raises(RuntimeError, match="out of memory"):
            backend.evaluate()
    assert len(failures) == 30  # every call tried again
    works.set()
    assert backend.evaluate().accuracy.top1 == 1.0
    assert toy_encoder.encoded_images == 20 and len(toy_encoder.encoded_prompts) == 5
