"""Fits, against scikit-learn and against the script of openai/CLIP's README."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.errors import OptionError
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
from clip_demo.paths import BUILT_IN_CHECKPOINT


def test_a_fit_is_scikit_learns_by_the_recipe_of_the_readme(data, fit):
    train, train_labels, test, test_labels = data
    # openai/CLIP, README.md, section "Linear-probe evaluation".
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    classifier.fit(train, train_labels)
    accuracy = np.mean((test_labels == classifier.predict(test)).astype(float)) * 100.0

    head = fit()
    assert 100 * head.provenance.test_accuracy == accuracy
    np.testing.assert_allclose(head.predict_proba(test), classifier.predict_proba(test), atol=1e-5)
    np.testing.assert_array_equal(head.predict_proba(test).argmax(axis=1), classifier.predict(test))


def test_the_provenance_says_how_a_head_was_fitted(fit):
    made = fit(C=0.5).provenance
    assert (made.model, made.model_sha256, made.dataset) == ("toy/1", "ab" * 32, "toys")
    assert (made.n_train, made.n_test, made.C, made.max_iter, made.random_state) == (300, 100, 0.5, 1000, 0)
    assert 1 <= made.n_iter <= 1000 and made.normalized is False
    assert {"scikit-learn", "numpy", "torch"} <= set(made.versions)


@pytest.mark.parametrize("options", [{"C": 0}, {"C": -1.0}, {"max_iter": 0}])
def test_parameters_that_are_not_positive_are_refused(fit, options):
    with pytest.raises(OptionError, match="must be positive"):
        fit(**options)


@pytest.mark.parametrize("name", ["shapes100", pytest.param("cifar100", marks=pytest.mark.long)])
def test_a_fit_is_that_of_the_readmes_script(name, request, tmp_path):
    import torch
    from torch.utils.data import DataLoader, Dataset

    dataset = Shapes100() if name == "shapes100" else request.getfixturevalue("cifar100")
    subset = type("Subset", (type(dataset),), {"sizes": {"train": 500, "test": 300}})
    few = subset() if name == "shapes100" else subset(dataset.root)
    labels = {split: dataset.labels(split) for split in few.sizes}
    few.labels = lambda split="test": labels[split][: few.sizes[split]]

    # The script of openai/CLIP's README, written out, on images that torch loads.
    clip = import_clip()
    model = clip.model.build_model(torch.load(BUILT_IN_CHECKPOINT, weights_only=True)).float().eval()
    preprocess = clip.clip._transform(model.visual.input_resolution)

    class Images(Dataset):
        def __init__(self, split):
            self.split = split

        def __len__(self):
            return few.sizes[self.split]

        def __getitem__(self, index):
            return preprocess(dataset.image(index, self.split)), dataset.label(index, self.split)

    def get_features(images):
        all_features, all_labels = [], []
        with torch.no_grad():
            for batch, batch_labels in DataLoader(images, batch_size=100):
                all_features.append(model.encode_image(batch))
                all_labels.append(batch_labels)
        return torch.cat(all_features).cpu().numpy(), torch.cat(all_labels).cpu().numpy()

    train_features, train_labels = get_features(Images("train"))
    test_features, test_labels = get_features(Images("test"))
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000, verbose=0)
    classifier.fit(train_features, train_labels)
    accuracy = np.mean((test_labels == classifier.predict(test_features)).astype(float)) * 100.0

    fitter = ProbeFitter(load_model("tiny", device="cpu"), few, tmp_path)
    for split, theirs in (("train", train_features), ("test", test_features)):
        fitter.encode(split)
        # Batches of another size are summed in another order: the bound is on features scaled to length 1.
        length = np.linalg.norm(theirs, axis=1, keepdims=True)
        np.testing.assert_allclose(fitter.shards[split].features / length, theirs / length, rtol=0, atol=1e-5)
    own = fitter.fit().provenance.test_accuracy
    # The last digits of the features decide where the solver stops, so one image at a class border may change.
    assert abs(100 * own - accuracy) <= 100 / few.sizes["test"] + 1e-9
    # On exactly the same features the accuracy is exactly the same.
    fitter.shards["train"].features, fitter.shards["test"].features = train_features, test_features
    assert 100 * fitter.fit().provenance.test_accuracy == accuracy
