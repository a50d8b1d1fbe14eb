"""The evaluator: what it computes once, how it is cancelled, and how threads share its work."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from clip_demo.backend import Backend
from clip_demo.errors import Cancelled, ClassnamesError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.feature_cache import PROMPTS
from clip_demo.serving.memo import Memo
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture
def many_prompts(toy_dataset):
    """A prompt set of 500 prompts."""
    return PromptSet.for_dataset(toy_dataset, templates=[f"number {i} of {{}}" for i in range(100)])


def test_the_images_of_a_dataset_are_encoded_once(toy_backend, toy_encoder, toy_dataset, tmp_path):
    toy_backend.evaluate()
    assert toy_encoder.encoded_images == 20
    toy_backend.evaluate(PromptSet.for_dataset(toy_dataset, templates=["{}"]))
    again = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    again.evaluate()
    assert toy_encoder.encoded_images == 20


def test_a_prompt_set_is_evaluated_once(toy_backend, toy_encoder, toy_dataset):
    prompts = PromptSet.for_dataset(toy_dataset, templates=["a {}"])
    first = toy_backend.evaluate(prompts)
    toy_backend.evaluate(prompts.varied(templates=["{}"]), baseline=prompts)
    equal = PromptSet.for_dataset(toy_dataset, templates=["a {}"])
    assert toy_backend.evaluate(equal).predictions is first.predictions
    assert (len(toy_encoder.encoded_prompts), toy_encoder.encoded_images) == (10, 20)


def test_a_head_that_is_fitted_later_is_used_at_once(toy_backend, tmp_path):
    assert toy_backend.evaluate().accuracy.probe_top1 is None
    toy_backend.fit_probe(folder=tmp_path / "heads")
    assert toy_backend.evaluate().accuracy.probe_top1 == 1.0


def test_encoding_prompts_can_be_cancelled_and_continues_where_it_stopped(toy_backend, toy_encoder, many_prompts):
    def cancel(what, done, total):
        if (what, done, total) == ("prompts", PROMPTS, 500):
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        toy_backend.evaluate(many_prompts, progress=cancel)
    assert len(toy_encoder.encoded_prompts) == PROMPTS == 128
    calls = []
    toy_backend.evaluate(many_prompts, progress=lambda *call: calls.append(call))
    assert len(toy_encoder.encoded_prompts) == 500  # none twice
    assert calls == [("prompts", n, 372) for n in (0, 128, 256, 372)]


def test_failed_evaluations_leave_nothing_in_memory(toy_encoder, toy_dataset, tmp_path, monkeypatch):
    memos = []

    class RecordedMemo(Memo):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            memos.append(self)

    def fail(prompts):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("clip_demo.serving.evaluator.Memo", RecordedMemo)
    monkeypatch.setattr(toy_encoder, "encode_texts", fail)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    for i in range(300):
        with pytest.raises(RuntimeError, match="out of memory"):
            backend.evaluate(PromptSet.for_dataset(toy_dataset, templates=[f"{i} {{}}"]))
    assert memos and all(memo.pending == set() for memo in memos)


def test_encoding_images_can_be_cancelled_and_repeated(toy_backend):
    def cancel(what, done, total):
        assert what == "test features"
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        toy_backend.evaluate(progress=cancel)
    assert toy_backend.evaluate().accuracy.top1 == 1.0


def test_images_are_encoded_in_small_batches_and_in_order(toy_encoder, toy_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(type(toy_dataset), "sizes", {"train": 50, "test": 150})
    encode, sizes = toy_encoder.encode_images, []
    monkeypatch.setattr(toy_encoder, "encode_images", lambda inputs: sizes.append(len(inputs)) or encode(inputs))
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    calls = []
    assert backend.evaluate(progress=lambda *call: calls.append(call)).accuracy.top1 == 1.0
    assert max(sizes) <= 32 and sum(sizes) == 150
    assert calls[:6] == [("test features", done, 150) for done in (0, 32, 64, 96, 128, 150)]


def test_threads_share_an_evaluation_and_may_stop_waiting_for_it(toy_encoder, toy_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("clip_demo.serving.memo.POLL", 0.01)
    go, started, waiting = threading.Event(), threading.Event(), threading.Event()
    encode = toy_encoder.encode_images

    def slow(inputs):
        started.set()
        assert go.wait(30)
        return encode(inputs)

    monkeypatch.setattr(toy_encoder, "encode_images", slow)
    backend = Backend(ModelPool.of(toy_encoder), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))

    def cancel(what, done, total):
        assert what == "waiting"
        raise Cancelled("stopped")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(backend.evaluate)
        assert started.wait(30)
        second = threads.submit(backend.evaluate, progress=lambda *call: waiting.set())
        assert waiting.wait(30)
        with pytest.raises(Cancelled):
            backend.evaluate(progress=cancel)
        go.set()
        assert [each.result(30).accuracy.top1 for each in (first, second)] == [1.0, 1.0]
    assert toy_encoder.encoded_images == 20


@pytest.mark.parametrize(
    "ask",
    [
        lambda backend, short: backend.evaluate(short, model="other"),
        lambda backend, short: backend.evaluate(baseline=short, model="other"),
        lambda backend, short: backend.ablate_templates(short, model="other"),
        lambda backend, short: backend.compare_names("red", ["a"], short, model="other"),
        lambda backend, short: backend.compare_names("zebra", ["a"], model="other"),
        lambda backend, short: backend.compare_names("red", ["blue"], model="other"),
    ],
)
def test_a_refused_call_loads_no_model(toy_encoder, toy_dataset, tmp_path, ask):
    pool = ModelPool(lambda name, progress: toy_encoder, ["tiny", "other"])
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    with pytest.raises(ClassnamesError):
        ask(backend, PromptSet(("red", "green")))
    assert backend.model_status("other").state == "absent"
