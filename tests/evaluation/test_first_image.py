"""The first image: the rule that finds it, its file, and those of the built-in model."""

import threading
from dataclasses import asdict

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.errors import HeadError
from clip_demo.evaluation.accuracy import ranks
from clip_demo.evaluation.first_image import FirstImage, FirstImageStore, find_first_image
from clip_demo.evaluation.labelled_images import LabelledImages, ProbePredictions
from clip_demo.evaluation.predictions import Predictions
from clip_demo.linear_probe.head import HeadStore
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.paths import ASSETS
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet

CLASSES = ("cup", "lamp", "bottle", "pear", "boy")


class Things(Dataset):
    """Five classes, of which a cup and a bottle belong together."""

    name, title, classnames = "things", "Things", CLASSES
    coarse_names, coarse_of = ("containers", "devices", "fruit", "people"), (0, 1, 0, 2, 3)
    sizes = {"test": 10}

    def available(self):
        return False

    def labels(self, split="test"):
        raise NotImplementedError

    def images(self, indices, split="test"):
        raise NotImplementedError


def find(*rows, probe=(0.9, None)):
    """Find the first image of rows of a true class and zero-shot probabilities; all have the same probe prediction."""
    labels = np.array([CLASSES.index(truth) for truth, _ in rows])
    cosines = np.log([probabilities for _, probabilities in rows])
    confidence, predicted = probe
    predicted = labels if predicted is None else np.full(len(rows), CLASSES.index(predicted))
    predictions = Predictions(PromptSet(CLASSES), cosines, ranks(cosines, labels), cosines.argmax(axis=1))
    of_probe = ProbePredictions(None, predicted, np.full(len(rows), confidence))
    return find_first_image(LabelledImages(Things(), cosines, labels, 1.0, of_probe), predictions)


# Without the cup: a lamp 80%, a bottle 80%, a boy 80%.
LAMP, BOTTLE, BOY = (0.7, 0.24, 0.02, 0.02, 0.02), (0.7, 0.02, 0.24, 0.02, 0.02), (0.7, 0.02, 0.02, 0.02, 0.24)


def test_what_flips_is_the_prediction_without_the_true_class():
    first = find(("cup", LAMP))
    assert (first.index, first.truth, first.flip) == (0, "cup", "lamp")
    assert (first.zero_shot, first.probe, first.flip_probability) == pytest.approx((0.7, 0.9, 0.8))


def test_the_image_whose_least_probability_is_the_largest_is_first():
    surer_of_the_flip = (0.65, 0.34, 0.004, 0.003, 0.003)
    surer_of_the_truth = (0.9, 0.075, 0.015, 0.005, 0.005)  # without the cup a lamp 75%
    rows = [("cup", surer_of_the_flip), ("cup", LAMP), ("cup", surer_of_the_truth)]
    assert find(*rows).index == 2
    assert find(*rows[:2]).index == 1
    assert find(*rows, probe=(0.62, None)).index == 0  # now all are equal


@pytest.mark.parametrize(
    ("truth", "row"),
    [("lamp", LAMP), ("cup", BOTTLE), ("cup", BOY), ("boy", BOY[::-1]), ("cup", (0.55, 0.4, 0.03, 0.01, 0.01))],
    ids=["wrong", "same coarse class", "flips to a person", "a person", "unsure"],
)
def test_images_that_are_left_out(truth, row):
    assert find((truth, row)) is None
    assert find((truth, row), ("cup", LAMP)).index == 1


def test_the_probe_must_be_right_and_sure():
    assert find(("cup", LAMP), probe=(0.9, "lamp")) is None
    assert find(("cup", LAMP), probe=(0.59, None)) is None


def test_a_first_image_needs_a_head(toy_backend, toy_encoder, tmp_path):
    with pytest.raises(HeadError, match="head: there is none for toy on toys, and the first image needs one; fit "):
        toy_backend.find_first_image(folder=tmp_path)
    assert toy_backend.first_image() is None and toy_encoder.encoded_images == 0


def test_the_first_image_of_the_toy(toy_backend, toy_encoder, toy_dataset, tmp_path):
    toy_backend.fit_probe(folder=tmp_path / "heads")
    assert toy_encoder.encoded_images == 70  # each image once
    # Without "blue", the cosine of white is 0.58 and that of the others at most 0.02, at a logit scale of 10.
    first = toy_backend.first_image()
    assert (first.index, first.truth, first.flip) == (2, "blue", "white")
    assert _predicts(toy_backend, first, toy_dataset.name)
    path = tmp_path / "heads" / "toy-toys.first-image.json"
    assert path.is_file()
    # Another process opens the same; no other model does.
    stores = Stores.open(tmp_path)
    again = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=stores)
    again.encoder()
    assert again.first_image() == first and again.head() is not None
    assert FirstImageStore([tmp_path / "heads"]).get("71" * 32, "toys") is None


def test_a_model_that_is_not_loaded_is_not_waited_for(toy_encoder, toy_dataset, tmp_path):
    gate, stores = threading.Event(), Stores.open(tmp_path)
    FirstImageStore(stores.heads.folders).put(FirstImage(2, "blue", 0.9, 0.8, "white", 0.7), toy_encoder, toy_dataset)
    models = ModelPool(lambda name, progress: gate.wait(30) and toy_encoder, ["toy", "other"])
    backend = Backend(models, datasets={"toys": toy_dataset}, stores=stores)
    assert [backend.first_image(model=name) for name in (None, "toy", "other", "nope")] == [None] * 4
    assert backend.model_status("other").state == "absent"
    gate.set()
    backend.encoder()
    assert backend.first_image().index == 2


def test_a_damaged_file_is_skipped(toy_encoder, toy_dataset, tmp_path, caplog):
    first = FirstImage(2, "blue", 0.9, 0.8, "white", 0.7)
    path = FirstImageStore([tmp_path]).put(first, toy_encoder, toy_dataset)
    assert FirstImageStore([tmp_path]).get(toy_encoder.sha256, "toys") == first
    path.write_text("{}")
    assert FirstImageStore([tmp_path]).get(toy_encoder.sha256, "toys") is None
    assert "does not hold one" in caplog.text and "first-image" in caplog.text


@pytest.fixture(scope="module")
def tiny():
    backend = Backend.open("tiny")
    backend.encoder()
    return backend


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [("cifar100", (6152, "mushroom", "snail")), ("shapes100", (7571, "brown arrow", "white arrow"))],
)
def test_the_committed_files_hold_what_the_built_in_model_predicts(tiny, tmp_path, dataset, expected):
    first = tiny.first_image(dataset)
    assert (first.index, first.truth, first.flip) == expected
    assert _predicts(tiny, first, dataset)
    assert asdict(tiny.find_first_image(dataset, folder=tmp_path)) == pytest.approx(asdict(first), abs=1e-4)
    # The head beside it opens as before.
    assert HeadStore([ASSETS / "heads"]).get(tiny.encoder().sha256, dataset) is not None


def _predicts(backend, first, dataset):
    """Whether a backend predicts, to the per cent, what a first image says."""
    prompts = PromptSet([name for name in backend.datasets[dataset].classnames if name != first.truth])
    whole = backend.predict(index=first.index, dataset=dataset)
    flipped = backend.predict(index=first.index, dataset=dataset, prompts=prompts).zero_shot[0]
    scores = (whole.zero_shot[0], whole.linear_probe.top[0], flipped)
    names, numbers = (first.truth, first.truth, first.flip), (first.zero_shot, first.probe, first.flip_probability)
    return (
        whole.truth == first.truth
        and tuple(score.label for score in scores) == names
        and [f"{score.probability:.0%}" for score in scores] == [f"{number:.0%}" for number in numbers]
    )
