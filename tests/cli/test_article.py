"""The article's two experiments, against the backend, openai-clip and scikit-learn."""

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from clip_demo.backend import Backend
from clip_demo.cli import commands
from clip_demo.cli.article import evaluate_linear_probe, fit_linear_probe, predict_zero_shot
from clip_demo.cli.text import top_predictions
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.features.feature_store import TestFeatures
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip

clip = import_clip()


@pytest.fixture(scope="module")
def tiny():
    return load_model(device="cpu")


@pytest.mark.parametrize("name", ["shapes100", "cifar100"])
def test_the_prediction_is_that_of_the_backend_to_the_last_printed_digit(tiny, name, request):
    dataset = Shapes100() if name == "shapes100" else request.getfixturevalue("cifar100")
    backend = Backend.open("tiny", dataset=name, data_root=getattr(dataset, "root", None))
    for index in (3637, 15, 9999):
        ours = top_predictions(predict_zero_shot(tiny, dataset, index))
        assert ours == top_predictions(backend.predict(index=index).zero_shot)


@torch.no_grad()
def test_the_prediction_is_that_of_the_readmes_script(tiny):
    # openai/CLIP, README.md, section "Zero-Shot Prediction", with the model's own logit scale in place of 100.
    dataset, model = Shapes100(), load_model(device="cpu").network
    preprocess = clip.clip._transform(model.visual.input_resolution)
    image_input = preprocess(dataset.image(3637)).unsqueeze(0)
    text_inputs = torch.cat([clip.tokenize(f"a photo of a {c}") for c in dataset.classnames])
    image_features = model.encode_image(image_input)
    text_features = model.encode_text(text_inputs)
    image_features /= image_features.norm(dim=-1, keepdim=True)
    text_features /= text_features.norm(dim=-1, keepdim=True)
    similarity = (model.logit_scale.exp() * image_features @ text_features.T).softmax(dim=-1)
    values, indices = similarity[0].topk(5)
    ours = predict_zero_shot(tiny, dataset, 3637)
    assert [score.label for score in ours] == [dataset.classnames[i] for i in indices]
    np.testing.assert_allclose([score.probability for score in ours], values, atol=1e-5)


def test_the_probe_is_scikit_learns_with_the_settings_of_the_readme(toy_encoder, toy_dataset, tmp_path):
    stores = Stores.open(tmp_path)
    head = fit_linear_probe(toy_encoder, toy_dataset, stores, lambda *_: None)
    images = {split: toy_dataset.images(range(size), split) for split, size in toy_dataset.sizes.items()}
    features = {split: toy_encoder.encode_images(list(map(toy_encoder.preprocess, images[split]))) for split in images}
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    classifier.fit(features["train"], toy_dataset.labels("train"))
    np.testing.assert_allclose(head.coef, classifier.coef_, atol=1e-6)
    test = stores.features.get(toy_encoder.sha256, "toys")  # an evaluation need not encode the images again
    np.testing.assert_array_equal(test.features, features["test"])
    accuracy = 100 * np.mean(classifier.predict(features["test"]) == toy_dataset.labels())
    assert evaluate_linear_probe(head, test, toy_dataset) == accuracy
    other = TestFeatures(features["test"], (toy_dataset.labels() + 1) % 5)
    assert evaluate_linear_probe(head, other, toy_dataset) == 0


def test_the_command_prints_the_blocks_of_the_article(run):
    status, out, err = run("article", "--dataset", "shapes100")
    backend = Backend.open("tiny", dataset="shapes100")
    accuracy = 100 * backend.head().provenance.test_accuracy
    prediction = top_predictions(backend.predict(index=3637).zero_shot)
    assert (status, out) == (0, f"{prediction}\n\nAccuracy = {accuracy:.3f}\n")
    assert "tiny on Shapes-100, test image 3637" in err and "--fit fits it here" in err


def test_an_index_is_checked_before_anything_long(run, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda options: pytest.fail("it loaded a model"))
    status, out, err = run("article", "--dataset", "shapes100", "--index", "10000")
    assert (status, out) == (2, "") and err.startswith("clip_demo: index: 10000 is not in the test split")


def test_a_probe_is_fitted_where_none_by_the_articles_recipe_is_stored(toy_backend, monkeypatch, capsys):
    monkeypatch.setattr(commands, "open_backend", lambda options: toy_backend)
    options = Namespace(dataset="shapes100", data_root=None, index=3, fit=False)

    def fitted():
        commands.run_article(options)
        output = capsys.readouterr()
        assert "Accuracy = 100.000" in output.out
        return "--fit fits it here" not in output.err

    sha256 = toy_backend.encoder().sha256
    assert fitted()
    assert not fitted()  # it was stored, and is used
    assert Stores.open().heads.get(sha256, "toys").provenance.n_train == 50
    options.fit = True
    assert fitted()
    options.fit = False
    early = Stores.open().heads.get(sha256, "toys")
    for other in ({"n_train": 20}, {"normalized": True}, {"C": 1.0}):  # these are not the article's
        Stores.open().heads.put(replace(early, provenance=replace(early.provenance, **other)))
        assert fitted()
        next(Stores.open().heads.folders[-1].glob("*.npz")).unlink()
