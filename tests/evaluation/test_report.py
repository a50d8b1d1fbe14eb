"""The lab: exact numbers on the toy, slow independent loops on random numbers."""

import csv
import io
import json
import threading

import numpy as np
import pytest

from clip_demo.backend import Backend
from clip_demo.datasets.base import Dataset
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.errors import Cancelled, ClassnamesError, DatasetError, HeadError, OptionError, TemplateError
from clip_demo.evaluation import tables as exports
from clip_demo.evaluation.calibration import reliability
from clip_demo.evaluation.labelled_images import LabelledImages
from clip_demo.evaluation.predictions import answer
from clip_demo.evaluation.report import EvaluationReport
from clip_demo.features.feature_store import TestFeatures
from clip_demo.linear_probe.head import Head, Provenance
from clip_demo.numerics import normalize, softmax
from clip_demo.serving.feature_cache import PROMPTS
from clip_demo.zero_shot.prompt_set import PromptSet

PROVENANCE = Provenance("toy", "70" * 32, "toys", 50, 20, 0.316, 1000, 9, 0, False, 0.8, {"numpy": "2"}, "2026-01-31")
NAMES = ("red", "green", "blue", "yellow", "white")
# Red is called green and green red, so that zero-shot prediction takes the one for the other.
SWAPPED = ("green", "red", "blue", "yellow", "white")


@pytest.fixture
def backend(toy_encoder, toy_images, tmp_path):
    return Backend(
        toy_encoder, datasets={"toys": toy_images}, head_folders=[tmp_path / "heads"], feature_folders=[tmp_path]
    )


@pytest.fixture
def with_head(backend):
    """A head, its classes in an order of its own, that is right but for white, which it takes for yellow."""
    classes = ("yellow", "blue", "green", "red")
    coef = np.array([[4, 4, -4], [-4, -4, 4], [-9, 6, -4], [6, -9, -4]], dtype=np.float32)
    head = Head(coef, np.zeros(4, dtype=np.float32), classes, PROVENANCE)
    backend._heads.remember(head, PROVENANCE.model_sha256, "toys")
    return backend


# --- one wording on the toy ----------------------------------------------------------------------------------------


def test_exact_numbers_beside_the_probe_and_a_baseline(with_head):
    got = with_head.examine(classnames=SWAPPED, baseline=PromptSet(NAMES, ("a photo of a {}",)))
    evaluation = got.evaluation
    assert (evaluation.top1, evaluation.top5, evaluation.n, evaluation.probe_top1) == (0.6, 1.0, 20, 0.8)
    difference = evaluation.difference
    assert (difference.top1, difference.gained, difference.lost) == (-0.4, 0, 8)
    assert difference.p_value == 2 * 0.5**8 and difference.low < -0.4 < difference.high < 0
    row = got.classes[0]
    assert (row.name, row.coarse, row.n, row.zero_shot, row.probe, row.baseline) == ("green", "plain", 4, 0, 1, 1)
    assert row.confused_with == (("red", 4),)
    assert got.classes[4].probe == 0 and got.classes[4].confused_with == ()
    assert (got.wording.templates, got.logit_scale) == (("a photo of a {}",), 10.0)


def test_images_by_kind_class_and_cell(with_head):
    got = with_head.examine(classnames=SWAPPED, baseline=PromptSet(NAMES, ("{}",)))
    reds, greens, whites = (tuple(range(i, 20, 5)) for i in (0, 1, 4))
    assert got.images() == tuple(range(20)) and got.kinds[0] == "all" and len(got.kinds) == 7
    assert got.images("only probe") == got.images("lost") == tuple(sorted(reds + greens))
    assert got.images("only zero-shot") == whites and got.images("both wrong") == got.images("gained") == ()
    assert len(got.images("both right")) == 8
    assert got.images(true=0) == got.images(predicted=1) == reds
    assert got.images(true=0, predicted=2) == ()
    assert got.images(true=4, predicted=3, by="probe") == whites
    assert got.images(true=0, coarse=True, predicted=0) == tuple(i for i in range(20) if i % 5 < 3)
    verdict = got.verdict(5)
    assert (verdict.index, verdict.truth, verdict.zero_shot, verdict.probe) == (5, "green", "red", "green")


def test_confusions_with_the_classes_of_a_group_together(with_head):
    got = with_head.examine(classnames=SWAPPED)
    fine, coarse = got.confusion(), got.confusion(by="probe", coarse=True)
    assert fine.counts == ((0, 4, 0, 0, 0), (4, 0, 0, 0, 0), (0, 0, 4, 0, 0), (0, 0, 0, 4, 0), (0, 0, 0, 0, 4))
    assert fine.groups == ("plain",) * 3 + ("mixed",) * 2 and fine.names == SWAPPED
    assert (coarse.names, coarse.counts) == (("plain", "mixed"), ((12, 0), (0, 8)))
    assert got.confusion(by="probe").counts[4] == (0, 0, 0, 4, 0)


def test_without_a_head_or_a_baseline_nothing_is_made_up(backend):
    got = backend.examine()
    assert (got.evaluation.difference, got.evaluation.probe_top1, got.baseline) == (None, None, None)
    assert (got.classes[0].probe, got.classes[0].baseline, got.predicted("probe")) == (None, None, None)
    assert (got.verdict(0).probe, got.calibration()["probe"], got.kinds) == (None, None, ("all",))
    with pytest.raises(OptionError, match="kind: 'gained' is not to be had here; give a baseline."):
        got.images("gained")
    with pytest.raises(OptionError, match="kind: 'both right' is not to be had here; there is no head; make one with"):
        got.images("both right")
    with pytest.raises(HeadError, match="none for this model on toys; make one with `python -m clip_demo fit-probe"):
        got.confusion(by="probe")


def test_a_head_that_is_fitted_later_is_used_at_once(backend, tmp_path):
    assert backend.examine().evaluation.probe_top1 is None
    backend.fit_probe(folder=tmp_path / "heads")
    assert backend.examine().evaluation.probe_top1 == 1.0


def test_a_head_of_other_classes_is_said(backend):
    head = Head(np.ones((2, 3), dtype=np.float32), np.zeros(2, dtype=np.float32), ("red", "zebra"), PROVENANCE)
    backend._heads.remember(head, PROVENANCE.model_sha256, "toys")
    with pytest.raises(HeadError, match="its class 'zebra' is none of Toys-5; make it again with"):
        backend.examine()


def test_ties_go_to_the_earlier_class_for_the_probe_too(backend):
    head = Head(np.zeros((5, 3), dtype=np.float32), np.zeros(5, dtype=np.float32), NAMES[::-1], PROVENANCE)
    backend._heads.remember(head, PROVENANCE.model_sha256, "toys")
    # No colour is said, so all prompts are the same; the head's first class is white.
    got = backend.examine(classnames=["one", "two", "three", "four", "five"])
    assert set(got.predicted()) == {0} and set(got.predicted("probe")) == {4}
    assert got.evaluation.per_class == (1, 0, 0, 0, 0) and got.evaluation.top5 == 1.0
    first = backend.predict(index=0, classnames=["one", "two", "three", "four", "five"])
    assert (first.zero_shot[0].label, first.linear_probe.top[0].label) == ("one", "white")


def test_every_verdict_is_what_a_prediction_says(with_head):
    names = ["green", "reddish", "blue", "yellow", "white"]
    got = with_head.examine(classnames=names)
    for index in range(20):
        prediction = with_head.predict(index=index, classnames=names)
        assert names[got.predicted()[index]] == prediction.zero_shot[0].label
        assert NAMES[got.predicted("probe")[index]] == prediction.linear_probe.top[0].label


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (
            {"classnames": ["red", "blue"]},
            ClassnamesError,
            "2 came; the test set of Toys-5 needs one for each",
        ),
        ({"templates": ["no"]}, TemplateError, "^templates: 'no' has no {}"),
        ({"replace_underscores": "yes"}, OptionError, "^spaces: 'yes' is not allowed"),
        ({"baseline": PromptSet(NAMES, ("no",))}, TemplateError, "^baseline, templates: 'no' has no {}"),
        ({"baseline": PromptSet(("red", "blue"), ("{}",))}, ClassnamesError, "^baseline, classnames: 2 came"),
        ({"baseline": "a {}"}, OptionError, "^baseline: 'a {}' came; give a clip_demo.lab.PromptSet."),
    ],
)
def test_what_is_wrong_with_a_wording_is_said(backend, arguments, error, said):
    with pytest.raises(error, match=said):
        backend.examine(**arguments)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda got: got.images("some"), "kind: 'some' is not to be had here; use one of 'all', 'both right'"),
        (lambda got: got.images(true=5), "true: 5 is not allowed; use a whole number from 0 to 4."),
        (lambda got: got.images(predicted=2, coarse=True), "predicted: 2 is not allowed; .* from 0 to 1."),
        (lambda got: got.confusion(by="x"), "by: 'x' is unknown; use one of 'zero-shot', 'probe'."),
        (lambda got: got.calibration(0), "logit_scale: 0 is not allowed; use a number above 0"),
        (lambda got: got.calibration(float("nan")), "logit_scale: nan is not allowed"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(with_head, ask, said):
    with pytest.raises(OptionError, match=said):
        ask(with_head.examine())


# --- random numbers against loops ----------------------------------------------------------------------------------


class Numbers(Dataset):
    """No images, only labels; the groups do not follow the order of the classes."""

    name, title = "numbers", "Numbers"
    classnames = tuple("abcdefg")
    coarse_names, coarse_of = ("x", "y", "z"), (2, 0, 1, 0, 2, 1, 0)
    sizes = {"test": 400}

    def available(self):
        return True

    def labels(self, split="test"):
        return np.random.default_rng(3).integers(0, 7, 400)

    def pixels(self, indices, split="test"):
        raise NotImplementedError


@pytest.fixture(scope="module")
def random():
    """An examination of random numbers, rounded so coarsely that many cosines are equal."""
    rng = np.random.default_rng(0)
    features = rng.integers(-1, 2, (400, 4)) + np.array([0, 0, 0, 3])
    weights = np.round(normalize(rng.normal(size=(2, 7, 4))), 1)
    provenance = Provenance("toy", "70" * 32, "numbers", 1, 1, 1.0, 1, 1, 0, False, 0.1, {}, "2026-01-31")
    head = Head(rng.integers(-1, 2, (7, 4)).astype(np.float32), np.zeros(7, np.float32), tuple("gfedcba"), provenance)
    numbers = Numbers()
    images = LabelledImages.of(TestFeatures(features.astype(np.float32), numbers.labels()), numbers, 3.0, head)
    new, old = (answer(PromptSet(numbers.classnames, ("{}",)), each, images) for each in weights)
    return EvaluationReport(images, new, old)


def firsts(random):
    """Yield the label of every image, and the first class by zero-shot, by the baseline and by the probe."""
    images = random.images_of_set
    probabilities = images.probe.head.predict_proba(images.features)  # the same order as of unscaled features
    for i, label in enumerate(images.labels):
        yield (
            label,
            *(
                min(range(7), key=lambda k: (-row[k], k))
                for row in (random.answers.cosines[i], random.before.cosines[i], probabilities[i])
            ),
        )


def test_counts_equal_those_of_a_loop(random):
    said = [(int(t), z, b, 6 - p) for t, z, b, p in firsts(random)]  # the head lists its classes backwards
    evaluation = random.evaluation
    assert evaluation.top1 == np.mean([t == z for t, z, _, _ in said])
    assert evaluation.probe_top1 == np.mean([t == p for t, _, _, p in said])
    gained, lost = sum(t == z != b for t, z, b, _ in said), sum(t == b != z for t, z, b, _ in said)
    assert (evaluation.difference.gained, evaluation.difference.lost) == (gained, lost) and gained and lost
    for by, place in (("zero-shot", 1), ("probe", 3)):
        fine, coarse = random.confusion(by), random.confusion(by, coarse=True)
        for i, true in enumerate(fine.classes):
            for j, predicted in enumerate(fine.classes):
                behind = tuple(k for k, each in enumerate(said) if (each[0], each[place]) == (true, predicted))
                assert fine.counts[i][j] == len(behind)
                assert random.images(true=true, predicted=predicted, by=by) == behind
        assert [sorted(fine.groups) == list(fine.groups), sum(map(sum, coarse.counts))] == [True, 400]
        for i in range(3):
            for j in range(3):
                assert coarse.counts[i][j] == len(random.images(true=i, predicted=j, by=by, coarse=True))
    for c, row in enumerate(random.classes):
        of_class = [each for each in said if each[0] == c]
        assert row.n == len(of_class) and row.zero_shot == np.mean([z == c for _, z, _, _ in of_class])
        assert (row.probe, row.baseline) == tuple(np.mean([each[k] == c for each in of_class]) for k in (3, 2))
        wrong = [z for _, z, _, _ in of_class if z != c]
        ranked = sorted(set(wrong), key=lambda k: (-wrong.count(k), k))
        assert row.confused_with == tuple(("abcdefg"[k], wrong.count(k)) for k in ranked[:3])


def test_the_kinds_part_the_images(random):
    kinds = ("both right", "only zero-shot", "only probe", "both wrong")
    assert sorted(sum((random.images(kind) for kind in kinds), ())) == list(range(400))
    right = len(random.images("both right")) + len(random.images("only zero-shot"))
    assert right == round(400 * random.evaluation.top1)


# --- calibration ---------------------------------------------------------------------------------------------------


def slow_ece(confidence, hits, bins=15):
    """Guo et al. 2017, equation 3, bin by bin."""
    total = 0.0
    for m in range(bins):
        inside = [k for k in range(len(hits)) if m / bins < confidence[k] <= (m + 1) / bins]
        if inside:
            gap = np.mean([hits[k] for k in inside]) - np.mean([confidence[k] for k in inside])
            total += len(inside) / len(hits) * abs(gap)
    return total


def test_the_calibration_error_equals_that_of_a_loop(random):
    rng = np.random.default_rng(5)
    for n in (1, 7, 300):
        confidence, hits = rng.random(n), rng.random(n) < 0.4
        assert reliability(confidence, hits).ece == pytest.approx(slow_ece(confidence, hits), abs=1e-12)
    for scale in (0.5, 3.0, 100.0):
        probabilities = softmax(np.float32(scale) * random.answers.cosines)
        got = random.calibration(scale)["zero-shot"]
        assert got.ece == pytest.approx(slow_ece(probabilities.max(axis=1), random.answers.hits), abs=1e-6)
        assert (got.accuracy, sum(each.n for each in got.bins)) == (random.evaluation.top1, 400)
    own, probe = random.calibration(), random.calibration(50)["probe"]
    assert own["zero-shot"] == random.calibration(3.0)["zero-shot"] and own["probe"] == probe
    assert probe.accuracy == random.evaluation.probe_top1


def test_a_larger_scale_is_more_confident_and_no_more_right(random):
    curves = [random.calibration(scale)["zero-shot"] for scale in (0.001, 1, 10, 100, 10_000)]
    means = [each.mean_confidence for each in curves]
    assert means == sorted(means) and means[0] == pytest.approx(1 / 7, abs=1e-3)
    assert len({each.accuracy for each in curves}) == 1


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_and_1_to_the_last():
    edges = np.linspace(0, 1, 16)
    got = reliability(np.array([edges[3], edges[3] + 1e-9, 1.0, 0.0]), np.array([True, False, True, False]))
    assert [each.n for each in got.bins] == [1, 0, 1, 1, *[0] * 10, 1]
    assert (got.bins[1].confidence, got.bins[1].accuracy) == (None, None)
    assert (got.bins[14].accuracy, got.bins[14].low, got.bins[14].high) == (1.0, edges[14], 1.0)


def test_certain_and_always_right_is_perfectly_calibrated():
    assert reliability(np.ones(9), np.ones(9, dtype=bool)).ece == 0
    assert reliability(np.ones(9), np.zeros(9, dtype=bool)).ece == 1


# --- many wordings -------------------------------------------------------------------------------------------------

TEMPLATES = ("a {}", "red {}", "{} blue blue blue")


def test_a_template_alone_and_the_ensemble_without_it(backend):
    told = []
    rows = backend.templates_report(templates=TEMPLATES, progress=lambda *said: told.append(said))
    whole = backend.evaluate(templates=TEMPLATES)
    for i, row in enumerate(rows):
        without = backend.evaluate(templates=TEMPLATES[:i] + TEMPLATES[i + 1 :]).top1
        assert (row.template, row.top1) == (TEMPLATES[i], backend.evaluate(templates=[TEMPLATES[i]]).top1)
        assert (row.ensemble_without, row.gain) == (without, pytest.approx(whole.top1 - without))
    assert {row.top1 for row in rows} != {1.0}
    assert told[-3:] == [("templates", i, 3) for i in (1, 2, 3)] and ("prompts", 15, 15) in told


def test_a_single_template_has_no_others(backend):
    (row,) = backend.templates_report(templates=["{}"])
    assert (row.top1, row.ensemble_without, row.difference, row.gain) == (1.0, None, None, None)


def test_other_names_for_one_class(backend):
    told = []
    rows = backend.try_names("Red", ["green blue", "crimson red"], progress=lambda *said: told.append(said))
    for row in rows:
        whole = backend.evaluate(classnames=[row.name, *NAMES[1:]], baseline=PromptSet(NAMES, ("a photo of a {}",)))
        assert (row.accuracy, row.top1, row.difference) == (whole.per_class[0], whole.top1, whole.difference)
    assert [(row.name, row.accuracy, row.top1) for row in rows] == [("green blue", 0.0, 0.8), ("crimson red", 1.0, 1.0)]
    assert told[-1] == ("names", 2, 2)


@pytest.mark.parametrize(
    ("classname", "names", "error", "said"),
    [
        ("zebra", ["a"], ClassnamesError, "classname: 'zebra' is not in the class list"),
        (None, ["a"], ClassnamesError, "classname: None is not in the class list"),
        ("red", [], OptionError, "names: 0 came; give 1 to 50 other names"),
        ("red", ["Blue"], ClassnamesError, "'Blue' and 'blue' make the same prompt"),
        ("red", [" "], ClassnamesError, "number 1 is blank"),
    ],
)
def test_names_that_cannot_be_tried_are_said(backend, classname, names, error, said):
    with pytest.raises(error, match=said):
        backend.try_names(classname, names)


# --- long work and memory ------------------------------------------------------------------------------------------


def test_long_work_stops_between_turns_and_keeps_what_is_done(backend, toy_encoder):
    templates = [f"number {i} of {{}}" for i in range(100)]  # 500 prompts

    def stop(what, done, total):
        if what == "prompts":
            assert (done, total) == (PROMPTS, 500)
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        backend.evaluate(templates=templates, progress=stop)
    assert len(toy_encoder.encoded_prompts) == PROMPTS
    told = []
    backend.evaluate(templates=templates, progress=lambda *said: told.append(said))
    assert len(toy_encoder.encoded_prompts) == 500  # none twice
    assert told == [("prompts", 128, 372), ("prompts", 256, 372), ("prompts", 372, 372)]


def test_the_encoding_of_images_can_be_stopped_and_asked_again(backend):
    def stop(what, done, total):
        assert what == "test features"
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        backend.evaluate(progress=stop)
    assert backend.evaluate().top1 == 1.0


def test_images_are_encoded_a_few_at_a_time_and_all_come_in_order(toy_encoder, toy_images, monkeypatch):
    monkeypatch.setattr(type(toy_images), "sizes", {"train": 50, "test": 150})
    encode, sizes = toy_encoder.encode_pixels, []
    toy_encoder.encode_pixels = lambda batch: sizes.append(len(batch)) or encode(batch)
    backend = Backend(toy_encoder, datasets={"toys": toy_images}, head_folders=[], feature_folders=[])
    told = []
    assert backend.evaluate(progress=lambda *said: told.append(said)).top1 == 1.0
    assert max(sizes) <= 32 and sum(sizes) == 150
    assert told[:5] == [("test features", done, 150) for done in (32, 64, 96, 128, 150)]


def test_a_wording_is_asked_once(backend, toy_encoder):
    first = backend.examine(templates=["a {}"])
    backend.examine(templates=["{}"], baseline=PromptSet(NAMES, ("a {}",)))
    assert backend.examine(templates=["a {}"]).answers is first.answers
    assert (len(toy_encoder.encoded_prompts), toy_encoder.encoded_images) == (10, 20)


def test_visitors_that_come_together_wait_for_one_and_may_give_up(backend, toy_encoder, monkeypatch):
    monkeypatch.setattr("clip_demo.lab.desk.PATIENCE", 0.01)
    go, started, encode = threading.Event(), threading.Event(), toy_encoder.encode_pixels

    def slow(batch):
        started.set()
        assert go.wait(30)
        return encode(batch)

    toy_encoder.encode_pixels = slow
    got = []
    first, second = (threading.Thread(target=lambda: got.append(backend.evaluate().top1)) for _ in range(2))
    first.start()
    assert started.wait(30)
    second.start()

    def impatient(what, done, total):
        assert what == "waiting"
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        backend.evaluate(progress=impatient)
    go.set()
    first.join(30)
    second.join(30)
    assert got == [1.0, 1.0] and toy_encoder.encoded_images == 20


def test_images_that_are_nowhere_are_said_with_the_next_step(toy_encoder, tmp_path):
    absent = Backend(toy_encoder, datasets={"cifar100": Cifar100(tmp_path)}, head_folders=[], feature_folders=[])
    with pytest.raises(DatasetError, match="CIFAR-100 is not on disk. Fetch it with `python -m clip_demo download"):
        absent.examine()


# --- tables for other programs -------------------------------------------------------------------------------------


def test_tables_say_what_is_shown(with_head):
    got = with_head.examine(classnames=SWAPPED, templates=["a {}", '{}, "so"'], baseline=PromptSet(NAMES, ("{}",)))
    (row,) = json.loads(exports.to_json(exports.summary(got)))
    assert (row["templates"], row["top1"], row["difference_lost"]) == ('a {}\n{}, "so"', 0.6, 8)
    read = list(csv.DictReader(io.StringIO(exports.to_csv(exports.summary(got)))))
    assert read[0]["templates"] == row["templates"] and float(read[0]["difference_p_value"]) == 2 * 0.5**8
    classes = list(csv.DictReader(io.StringIO(exports.to_csv(exports.per_class(got)))))
    assert [each["class"] for each in classes] == list(SWAPPED)
    assert (classes[0]["confused_with_1"], classes[0]["count_1"], classes[0]["confused_with_2"]) == ("red", "4", "")
    cells = json.loads(exports.to_json(exports.confusion(got.confusion())))
    assert {"true": "green", "predicted": "red", "n": 4} in cells and sum(each["n"] for each in cells) == 20
    bins = json.loads(exports.to_json(exports.calibration(got.calibration())))
    assert len(bins) == 30 and {each["predictor"] for each in bins} == {"zero-shot", "probe"}
    shown = json.loads(exports.to_json(exports.images(got, got.images("only zero-shot")[:1])))
    assert shown == [{"index": 4, "truth": "white", "zero_shot": "white", "probe": "yellow"}]


def test_tables_of_what_is_not_there_have_empty_cells(backend):
    got = backend.examine()
    (row,) = json.loads(exports.to_json(exports.summary(got)))
    assert (row["probe_top1"], row["difference_top1"]) == (None, None)
    assert len(exports.calibration(got.calibration()).rows) == 15
    (template,) = exports.templates(backend.templates_report(templates=["{}"])).rows
    assert template == ("{}", 1.0, *[None] * 7)
    (name,) = exports.names(backend.try_names("red", ["green blue"])).rows
    assert name[:4] == ("green blue", 0.0, 0.8, pytest.approx(-0.2))
