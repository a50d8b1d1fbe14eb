"""The pipeline from images to heads and the few-shot curve."""

import errno
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import ArtifactError, Cancelled, OptionError
from clip_demo.linear_probe.fit import ProbeFitter
from clip_demo.linear_probe.pipeline import ProbePipeline, Stores
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture
def curved(toy_backend, tmp_path):
    _, head = toy_backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    return toy_backend, head


@pytest.fixture
def fits(monkeypatch):
    """The arguments of all fits."""
    fits, fit = [], ProbeFitter.fit
    monkeypatch.setattr(ProbeFitter, "fit", lambda self, *args, **more: fits.append(args) or fit(self, *args, **more))
    return fits


def test_a_fit_encodes_everything_and_reports_its_progress(toy_backend, tmp_path):
    calls = []
    path, head = toy_backend.fit_probe(folder=tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("train features", 50, 50), ("test features", 20, 20)]
    assert path.parent == tmp_path and (head.provenance.n_train, head.provenance.n_test) == (50, 20)


def test_the_curve_ends_in_the_head_and_holds_the_zero_shot_accuracy(curved):
    backend, head = curved
    curve = backend.few_shot_curve()
    assert [(each.per_class, len(each.draws)) for each in curve.points] == [(1, 3), (2, 3), (4, 2), (8, 1), (10, 1)]
    assert curve.complete and curve.points[-1].draws == (head.provenance.test_accuracy,)
    assert curve.zero_shot == backend.evaluate().accuracy.top1 and curve.zero_shot_templates == ("a photo of a {}",)
    assert (head.provenance.n_train, head.provenance.note) == (50, "")


def test_an_incomplete_curve_is_continued(curved, toy_encoder, toy_dataset, tmp_path, fits):
    whole, stores = curved[0].few_shot_curve(), Stores.open(tmp_path)
    stores.curves.put(replace(whole, points=whole.points[:1], complete=False))
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=stores)
    backend.fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    assert len(fits) == 7 and backend.few_shot_curve().points == whole.points


def test_a_complete_curve_is_fitted_again_on_request(curved, tmp_path, fits):
    curved[0].fit_probe(folder=tmp_path / "heads", curve_folder=tmp_path / "curves")
    assert len(fits) == 10


def test_heads_come_early_first_and_then_with_ever_more_images(toy_encoder, toy_dataset, tmp_path):
    toy_dataset.sizes = {"train": 150, "test": 20}
    pipeline = ProbePipeline(toy_encoder, toy_dataset, Stores.open(tmp_path), lambda: (0.5, ("a {}",)))
    heads = [*pipeline.early_heads(), *pipeline.heads()]
    assert (heads[0].provenance.n_train, heads[0].provenance.note) == (100, "20 images per class")
    assert heads[1].provenance.n_train == 40 and heads[-1].provenance.n_train == 150  # the curve has begun before


def test_work_that_was_cancelled_continues_where_it_was(toy_encoder, toy_dataset, tmp_path, fits):
    def cancel(what, done, total):
        if (what, done) == ("fits of the curve", 3):
            raise Cancelled("stopped")

    def pipeline(progress=None):
        return ProbePipeline(
            toy_encoder, toy_dataset, Stores.open(tmp_path), lambda: (0.5, ("a {}",)), progress=progress
        )

    with pytest.raises(Cancelled):
        list(pipeline(cancel).heads())
    assert len(fits) == 3 and not pipeline().is_finished()
    encoded = toy_encoder.encoded_images
    heads = list(pipeline().heads())
    assert len(fits) == 10 and len(heads) == 7 and toy_encoder.encoded_images == encoded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweep": True, "C": 1.0}, "C: got 1.0 together with a sweep"),
        ({"curve_folder": "x", "C": 1.0}, "curve: it is fitted by the default recipe"),
        ({"curve_folder": "x", "sweep": True}, "curve: it is fitted by the default recipe"),
        ({"C": 0}, "both must be positive"),
        ({"C": -1.0}, "both must be positive"),
        ({"C": float("nan")}, "both must be positive"),
        ({"curve_folder": "/dev/null/x"}, "curve: nothing can be written in '/dev/null/x'"),
        ({"folder": "/dev/null/x"}, "folder: nothing can be written in '/dev/null/x'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_encoded(toy_backend, toy_encoder, tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        toy_backend.fit_probe(**{"folder": tmp_path} | options)
    for call in (toy_backend.store_features, toy_backend.find_first_image):
        with pytest.raises(OptionError, match="folder: nothing can be written in '/dev/null/x'"):
            call(folder="/dev/null/x")
    assert toy_encoder.encoded_images == 0


def test_a_head_that_cannot_be_saved_is_used_and_its_features_are_kept(
    toy_backend, toy_encoder, toy_dataset, tmp_path, monkeypatch
):
    with monkeypatch.context() as patched:
        full = OSError(errno.ENOSPC, "No space left on device")
        patched.setattr("clip_demo.linear_probe.head.write_npz", lambda *args, **more: (_ for _ in ()).throw(full))
        with pytest.raises(
            ArtifactError, match="cannot be saved in '.*' .No space left on device.; fit it again"
        ) as caught:
            toy_backend.fit_probe(folder=tmp_path / "heads")
    assert caught.value.page_message == "There is no space left on the disk. Free some space and try again."
    assert toy_backend.head().provenance.n_train == 50
    again = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    encoded = toy_encoder.encoded_images
    assert again.fit_probe(folder=tmp_path / "heads")[0].is_file() and toy_encoder.encoded_images == encoded


def test_many_classes_and_images_of_any_size(toy_encoder, toy_dataset, tmp_path):
    toy_dataset.classnames = tuple(f"class {i}" for i in range(300))
    toy_dataset.coarse_of = (0,) * 300
    toy_dataset.sizes = {"train": 600, "test": 300}
    labels = {split: [i % 300 for i in range(n)] for split, n in toy_dataset.sizes.items()}
    colours = [tuple((37 * i + 11 * k) % 256 for k in range(3)) for i in range(300)]
    toy_dataset.labels = lambda split="test": np.array(labels[split])
    toy_dataset.images = lambda indices, split="test": [
        Image.new("RGB", (8 + i % 50, 9 + i % 31), colours[i % 300]) for i in indices
    ]
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    _, head = backend.fit_probe(folder=tmp_path / "heads")
    assert len(head.classes_) == 300 and head.provenance.n_train == 600
    report = backend.evaluate()
    assert report.accuracy.n == 300 and len(report.classes) == 300
    assert report.accuracy.probe_top1 == head.provenance.test_accuracy
