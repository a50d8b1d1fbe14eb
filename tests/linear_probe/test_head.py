"""The linear probe against scikit-learn by the article's recipe, and its files."""

import json
import logging

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from clip_demo.artifacts import file_name
from clip_demo.errors import HeadError, OptionError
from clip_demo.linear_probe.head import HeadStore, fit_head, load_head, save_head

NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    features = (rng.normal(size=(400, 8)) + 2 * np.eye(4, 8)[labels]).astype(np.float32)
    return features[:300], labels[:300], features[300:], labels[300:]


def fit(data, **options):
    options = {"classnames": NAMES, "model": "toy/1", "model_sha256": "ab" * 32, "dataset": "toys"} | options
    return fit_head(*data, **options)


def test_it_is_the_articles_script(data):
    train, train_labels, test, test_labels = data
    # The article's script, written out.
    classifier = LogisticRegression(random_state=0, C=0.316, max_iter=1000)
    classifier.fit(train, train_labels)
    accuracy = np.mean((test_labels == classifier.predict(test)).astype(float)) * 100.0

    head = fit(data)
    assert 100 * head.provenance.test_accuracy == accuracy
    np.testing.assert_allclose(head.predict_proba(test), classifier.predict_proba(test), atol=1e-5)
    np.testing.assert_array_equal(head.predict_proba(test).argmax(axis=1), classifier.predict(test))


def test_probabilities_sum_to_one_and_do_not_overflow(data):
    head = fit(data)
    np.testing.assert_allclose(head.predict_proba(1e6 * data[2]).sum(axis=1), 1)


def test_provenance_says_where_it_comes_from(data):
    made = fit(data, C=0.5).provenance
    assert (made.model, made.model_sha256, made.dataset) == ("toy/1", "ab" * 32, "toys")
    assert (made.n_train, made.n_test, made.C, made.max_iter, made.random_state) == (300, 100, 0.5, 1000, 0)
    assert 1 <= made.n_iter <= 1000 and made.normalized is False
    assert {"scikit-learn", "numpy", "torch"} <= set(made.versions)


def test_a_normalised_head_normalises_what_it_is_given(data):
    head = fit(data, normalized=True)
    np.testing.assert_allclose(head.predict_proba(data[2]), head.predict_proba(7 * data[2]), atol=1e-6)


def test_a_saved_head_is_the_same_and_holds_no_pickle(data, tmp_path):
    head = fit(data)
    path = save_head(head, tmp_path / "new")
    assert path.name == "toy-1-toys.npz" == file_name("toy/1", "toys")
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored) == {"coef", "intercept", "classes", "metadata"}
        assert json.loads(str(stored["metadata"]))["n_train"] == 300
    again = load_head(path)
    assert again.provenance == head.provenance and again.classes_ == NAMES
    np.testing.assert_array_equal(again.predict_proba(data[2]), head.predict_proba(data[2]))
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_head_is_found_by_checksum_and_never_for_another_model(data, tmp_path):
    save_head(fit(data), tmp_path)
    assert HeadStore([tmp_path / "none", tmp_path]).get("ab" * 32, "toys").provenance.model == "toy/1"
    assert HeadStore([tmp_path]).get("cd" * 32, "toys") is None
    assert HeadStore([tmp_path]).get("ab" * 32, "cifar100") is None


def test_a_renamed_head_is_not_taken_for_another_dataset(data, tmp_path):
    save_head(fit(data), tmp_path).rename(tmp_path / "toy-cifar100.npz")
    assert HeadStore([tmp_path]).get("ab" * 32, "cifar100") is None


def test_a_damaged_head_is_passed_over_with_a_warning(data, tmp_path, caplog):
    (tmp_path / "a-toys.npz").write_bytes(b"nonsense")
    save_head(fit(data), tmp_path)
    with caplog.at_level(logging.WARNING):
        assert HeadStore([tmp_path]).get("ab" * 32, "toys") is not None
    assert "a-toys.npz' is not a head" in caplog.text


def test_a_pickle_in_a_head_is_not_opened(data, tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, coef=np.array([{}], dtype=object), intercept=np.zeros(1), classes=np.array(["a"]), metadata="{}")
    with pytest.raises(HeadError, match="is not a head"):
        load_head(path)


def test_features_of_another_width_are_refused(data):
    with pytest.raises(HeadError, match="it takes features of 8 numbers, 3 came; use it with toy/1"):
        fit(data).predict_proba(np.zeros((1, 3)))


@pytest.mark.parametrize("options", [{"C": 0}, {"C": -1.0}, {"max_iter": 0}])
def test_a_recipe_that_cannot_be_is_refused(data, options):
    with pytest.raises(OptionError, match="must be positive"):
        fit(data, **options)
