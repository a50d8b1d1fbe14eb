import numpy as np
import pytest
from helpers import NO_WEIGHTS, Server, publish
from sklearn.linear_model import LogisticRegression

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.cli.reproduce import reproduce, table
from clip_demo.datasets.catalog import CIFAR100
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.evaluation.published import IMAGES, PROBE_SOURCE, PROBES, ZERO_SHOT, Comparison, PublishedProbe
from clip_demo.features.balanced_order import balanced_order
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.catalog import PREFERRED, is_downloaded
from clip_demo.models.clip_model import ClipModel
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture(scope="module")
def real(cifar100):
    if not is_downloaded(PREFERRED):
        pytest.skip(NO_WEIGHTS)
    return Backend.open(PREFERRED, dataset="cifar100")


@pytest.mark.parametrize(("index", "source", "expected"), IMAGES, ids=lambda value: str(value)[:5])
def test_the_published_top_five(real, index, source, expected):
    scores = real.predict(index=index).zero_shot
    assert [score.label for score in scores] == [label for label, _ in expected]
    for score, (_, percent) in zip(scores, expected, strict=True):
        assert 100 * score.probability == pytest.approx(percent, rel=0.05, abs=0.15)


def test_a_row_that_was_not_computed_is_not_missed():
    assert not Comparison("a", "b", 65.31, 66.0, 1.0).missed
    assert Comparison("a", "b", 65.31, 67.0, 1.0).missed
    assert not Comparison("a", "b", 65.31, None, 1.0, "no head yet").missed
    text = table([Comparison("a", "b", 65.31, 67.0, 1.0), Comparison("c", "d", 78.31, None, 0.5, "no head yet")])
    assert "  MISSED" in text and text.splitlines()[-1].endswith("not computed: no head yet")


def test_the_download_fails(tmp_path, monkeypatch, capsys):
    server = Server(b"")
    publish(server, monkeypatch)
    server.server_close()
    monkeypatch.setattr("clip_demo.download.time.sleep", lambda seconds: None)
    assert main(["reproduce", "--weights-root", str(tmp_path)]) == 2
    assert "model: 'ViT-B/32' " in capsys.readouterr().err


@pytest.mark.long
def test_random_weights_miss_the_published_numbers(cifar100, vit_b_32_archive, tmp_path, monkeypatch, capsys):
    server = Server(vit_b_32_archive.read_bytes())
    try:
        publish(server, monkeypatch)
        root = str(cifar100.root)
        status = main(["reproduce", "--quick", "--weights-root", str(tmp_path), "--data-root", root])
    finally:
        server.server_close()
    out = capsys.readouterr().out
    assert status == 1
    assert "test image 3637: snake" in out and out.count("MISSED") >= 8
    assert "no head yet: python -m clip_demo fit-probe --model ViT-B/32" in out
    backend = Backend.open(PREFERRED, dataset="cifar100", data_root=root, weights_root=tmp_path)
    got = {row.what: row.got for row in reproduce(backend, whole_test_set=False)}
    scores = {s.label: 100 * s.probability for s in backend.predict(index=3637, top_k=100).zero_shot}
    assert got["test image 3637: snake"] == scores["snake"]


@pytest.fixture(scope="module")
def few(cifar100):
    """CIFAR-100 with fewer images."""
    labels = {split: cifar100.labels(split) for split in ("train", "test")}
    subset = type("Subset", (Cifar100,), {"sizes": {"train": 2000, "test": 3638}})(cifar100.root)
    subset.labels = lambda split="test": labels[split][: subset.sizes[split]]
    return subset


@pytest.fixture(scope="module")
def encoder():
    return ClipModel(random_clip(SMALL_VIT), name=PREFERRED, note="random", sha256="a" * 64)


@pytest.fixture(scope="module")
def test_features(encoder, few):
    features = encoder.encode_images([encoder.preprocess(each) for each in few.images(range(few.sizes["test"]))])
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture
def rows(encoder, few):
    """Reproduce the numbers; return the rows by source and subject."""
    backend = Backend(ModelPool.of(encoder), datasets={CIFAR100: few})
    return lambda **options: {(row.source, row.what): row for row in reproduce(backend, **options)}


@pytest.fixture
def only_probes(monkeypatch):
    probes = (PublishedProbe(2, 3, 50.0, 3.0), PublishedProbe(None, 1, 79.97, 3.0))
    monkeypatch.setattr("clip_demo.cli.reproduce.PROBES", probes)
    monkeypatch.setattr("clip_demo.cli.reproduce.ZERO_SHOT", ())


def test_every_number_is_computed_with_the_prompts_that_its_row_names(rows, encoder, few, test_features, monkeypatch):
    monkeypatch.setattr("clip_demo.cli.reproduce.PROBES", ())
    found = rows()
    for each in ZERO_SHOT:
        row = found[each.source, f"zero-shot, {each.what}, top-1"]
        assert (row.expected, row.tolerance, row.prompts) == (each.top1, each.tolerance, each.prompts)
        if not each.templates:
            assert row.got is None and row.note
            continue
        names = [name.replace("_", " ") if each.replace_underscores else name for name in few.classnames]
        assert ("underscores replaced" in each.prompts) == each.replace_underscores
        weights = 0
        for template in each.templates:
            texts = encoder.encode_texts([template.format(name) for name in names])
            weights = weights + texts / np.linalg.norm(texts, axis=1, keepdims=True)
        order = np.argsort(-test_features @ (weights / np.linalg.norm(weights, axis=1, keepdims=True)).T)
        right = order == few.labels()[:, None]
        assert row.got == pytest.approx(100 * right[:, 0].mean(), abs=0.1)
        if each.top5 is not None:
            top5 = found[each.source, f"zero-shot, {each.what}, top-5"].got
            assert top5 == pytest.approx(100 * right[:, :5].any(axis=1).mean(), abs=0.1)


def test_few_shot_probes_are_fitted_on_normalised_features(rows, encoder, few, test_features, only_probes):
    found, order = rows(), balanced_order(few.labels("train"))[:600]
    features = encoder.encode_images([encoder.preprocess(each) for each in few.images(order, "train")])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    accuracies = []
    for start in (0, 200, 400):
        classifier = LogisticRegression(random_state=0, C=31.6, max_iter=1000)
        classifier.fit(features[start : start + 200], few.labels("train")[order[start : start + 200]])
        accuracies.append(100 * np.mean(classifier.predict(test_features) == few.labels()))
    row = found[PROBE_SOURCE, "linear probe, normalised features, 2 images per class"]
    assert row.got == pytest.approx(np.mean(accuracies), abs=0.1) and row.missed
    # An hour's work is not started for one row.
    row = found[PROBE_SOURCE, "linear probe, normalised features, all images"]
    assert row.got is None and not row.missed
    assert row.note.endswith("2,000 training images: python -m clip_demo fit-probe --model ViT-B/32 --dataset cifar100")
    ProbeFitter(encoder, few, Stores.open().shards).encode("train")
    assert rows()[PROBE_SOURCE, "linear probe, normalised features, all images"].got > 0


def test_a_row_that_cannot_be_computed_says_why(rows):
    quick = [row for (_, what), row in rows(whole_test_set=False).items() if not what.startswith("test image")]
    assert len(quick) == 16 and all(row.got is None and row.note for row in quick)


def test_few_shot_probes_need_the_images(rows, few, only_probes, monkeypatch):
    monkeypatch.setattr(few, "available", lambda: False)
    notes = [row.note for (source, _), row in rows().items() if source == PROBE_SOURCE]
    assert notes == ["needs the training images: python -m clip_demo download cifar100"] * 2


def test_the_published_numbers_are_all_there():
    found = {(each.what, each.top1, each.top5, len(each.templates)) for each in ZERO_SHOT}
    assert found == {
        ("one template", 62.24, None, 1),
        ("7 templates", 64.58, 88.61, 7),
        ("80 templates", 64.21, 88.08, 80),
        ("18 templates", 64.53, 88.80, 18),
        ("18 templates", 64.23, None, 18),
        ("unknown templates", 63.72, None, 0),
    }
    assert [(each.per_class, each.percent) for each in PROBES] == [(10, 64.58), (25, 70.64), (None, 79.97)]


def test_the_table_fits_a_terminal_of_100_columns():
    long = "a b c d " * 40
    rows = [
        Comparison("what", "source", 78.31, None, 0.5, long, "prompts"),
        Comparison("linear probe, normalised features, 10 images per class", "source", 64.58, 61.0, 3.0, "", "prompts"),
        Comparison("x", "another", 1, 2, 3, "", long),
    ]
    text = table(rows)
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("source: prompts") == 1 and "  MISSED" in text and "not computed: a b c" in text
