"""The model pool: which model answers, which are in memory, and what a failure means."""

import threading

import pytest
from helpers import wait_for

from clip_demo.backend import Backend
from clip_demo.errors import ModelError
from clip_demo.models.catalog import AUTO, BUILT_IN, PREFERRED, available_models
from clip_demo.serving.model_pool import ModelPool


@pytest.fixture
def make_loader(toy_encoder):
    """Make a function that loads toys, records their names, waits at gates, and fails for some names."""

    def make(gates=(), failing=()):
        def load(name, progress):
            load.calls.append(name)
            if name in gates:
                progress(name, 1, 4)
                gates[name].wait(10)
                progress(name, 4, 4)
            if name in failing:
                raise ModelError(f"model: no {name}.")
            encoder = type(toy_encoder)()
            encoder.name = name
            return encoder

        load.calls = []
        return load

    return make


def backend_of(load, toy_dataset):
    return Backend(ModelPool(load, available_models()), datasets={"toys": toy_dataset})


def test_the_preferred_model_becomes_the_default_once_it_is_loaded(make_loader):
    gates = {"big": threading.Event()}
    pool = ModelPool(make_loader(gates), ["small", "big"], "big")
    assert pool.default == "small" and pool.get().encoder.name == "small"
    wait_for(lambda: pool.status("big").state == "downloading")
    assert pool.status("big").progress == 0.25 and "25%" in pool.status("big").message
    gates["big"].set()
    wait_for(lambda: pool.default == "big")
    assert pool.get().encoder.name == "big"


def test_a_preferred_model_that_fails_leaves_the_first_as_the_default(make_loader):
    pool = ModelPool(make_loader(failing=["big"]), ["small", "big"], "big")
    wait_for(lambda: pool.status("big").state == "failed")
    assert pool.default == "small" and pool.get().encoder.name == "small"
    assert pool.status("big").message == "No big."


def test_a_failure_is_remembered_until_a_retry(make_loader):
    failing = ["big"]
    load = make_loader(failing=failing)
    pool = ModelPool(load, ["small", "big"])
    for _ in range(3):
        with pytest.raises(ModelError, match="no big"):
            _ = pool.get("big").encoder
    assert load.calls.count("big") == 1
    failing.clear()
    assert pool.retry("big").encoder.name == "big"


def test_another_exception_than_ours_becomes_a_model_error(toy_dataset):
    def load(name, progress):
        raise OSError("disk")

    with pytest.raises(ModelError, match=r"'broken' cannot be loaded \(disk\)"):
        _ = ModelPool(load, ["broken"]).get().encoder


def test_the_details_of_a_failure_are_logged_once_and_only_for_the_page(toy_dataset, caplog):
    def load(name, progress):
        raise OSError(2, "No such file", "/srv/weights.pt")

    pool = ModelPool(load, ["first"])
    with pytest.raises(ModelError):  # as a command does, which prints the error
        _ = pool.get().encoder
    assert pool.default == "first" and not caplog.records
    for _ in range(2):
        assert pool.status("first").message == "first could not be loaded. Try again, or choose another model."
    (record,) = caplog.records
    assert record.name.startswith("clip_demo.") and "[Errno 2] No such file: '/srv/weights.pt'" in record.message


def test_the_page_does_not_say_where_a_checkpoint_is(toy_encoder):
    gate = threading.Event()
    pool = ModelPool(lambda name, progress: gate.wait(10) and toy_encoder, ["/srv/models/mine.pt"])
    status = pool.status("/srv/models/mine.pt")
    gate.set()
    assert (status.name, status.message) == ("/srv/models/mine.pt", "mine.pt is loading …")


def test_the_least_recently_used_model_is_dropped(make_loader):
    load = make_loader()
    pool = ModelPool(load, ["first", "best", "a", "b", "c"], "best", limit=2, idle_seconds=0)
    for name in ("best", "a", "b", "a", "c"):
        _ = pool.get(name).encoder
    # The first and the preferred one stay, whatever visitors choose.
    assert [name for name in pool.names if pool.peek(name)] == ["first", "best", "a", "c"]
    assert pool.default == "best"
    _ = pool.get("b").encoder
    assert load.calls == ["first", "best", "a", "b", "c", "b"]


def test_a_model_in_use_is_not_dropped_for_others(make_loader):
    """Two models that were asked for in turns pushed out a third in use."""
    load = make_loader()
    pool = ModelPool(load, ["first", *"abcd"])
    for name in "abc":
        _ = pool.get(name).encoder
    with pytest.raises(ModelError, match="'d' is not loaded, because a, b, c were used within 60 s and stay"):
        _ = pool.get("d").encoder
    assert "a, b, c are in use" in pool.status("d").message
    for name in "ab":
        pool.peek(name).last_used -= 60
    assert pool.retry("d").encoder.name == "d"
    assert [name for name in pool.names if pool.peek(name)] == ["first", "c", "d"]


def test_models_are_loaded_one_at_a_time_and_memory_is_bounded(make_loader):
    gates = {name: threading.Event() for name in "abcd"}
    load = make_loader(gates)
    pool = ModelPool(load, ["first", *"abcd"], idle_seconds=0)
    for name in "abcd":
        pool.get(name)
    assert pool.get("first").encoder.name == "first"  # does not wait for the others
    for count in range(2, 6):
        wait_for(lambda count=count: len(load.calls) == count)
        name = load.calls[-1]
        gates[name].set()
        wait_for(lambda name=name: pool.peek(name) is None or pool.peek(name).state == "ready")
        assert sum(pool.status(each).state == "ready" for each in pool.names[1:]) <= 2


def test_an_unknown_name_is_an_error(make_loader):
    with pytest.raises(ModelError, match="'/etc/passwd' is not available here; use one of 'a'"):
        ModelPool(make_loader(), ["a"]).get("/etc/passwd")


def test_the_status_of_an_unknown_name_is_that_error(make_loader):
    pool = ModelPool(make_loader(), ["a"])
    status = pool.status("/etc/passwd")
    with pytest.raises(ModelError) as caught:
        pool.get("/etc/passwd")
    assert (status.state, status.message) == ("failed", caught.value.page_message)
    assert caught.value.page_message == "This model is not available here. Choose one from the list."


def test_a_pool_of_one_encoder(toy_encoder):
    pool = ModelPool.of(toy_encoder)
    assert pool.names == ("toy",) and pool.get().encoder is toy_encoder
    status = pool.status("toy")
    assert (status.state, status.note, status.message, status.megabytes) == ("ready", "a toy", "", None)


def test_a_call_may_name_a_model(make_loader, toy_dataset):
    backend = backend_of(make_loader(), toy_dataset)
    assert backend.predict(index=0).model == "tiny"
    assert backend.model_status("RN50").state == "absent"
    backend.load_model("RN50")
    wait_for(lambda: backend.model_status("RN50").state == "ready")
    assert backend.predict(index=0, model="RN50").model == "RN50"
    with pytest.raises(ModelError, match="'nope' is not available here"):
        backend.predict(index=0, model="nope")
    status = backend.status()
    assert status.default_model == "tiny"
    states = {each.name: (each.state, each.megabytes) for each in status.models}
    assert states["tiny"] == ("ready", None) and states["ViT-L/14"] == ("absent", 932)


def test_a_call_for_a_model_that_is_still_loading_does_not_wait(make_loader, toy_dataset):
    gates = {"RN50": threading.Event()}
    backend = backend_of(make_loader(gates), toy_dataset)
    backend.load_model("RN50")
    assert backend.predict(index=0).model == "tiny"
    wait_for(lambda: backend.model_status("RN50").state == "downloading")
    with pytest.raises(ModelError, match=r"RN50 is downloading: 25% … Ask again later, or use 'tiny'"):
        backend.predict(index=0, model="RN50")
    with pytest.raises(ModelError) as caught:
        backend.predict(index=0, model="RN50")
    assert caught.value.page_message == ("RN50 is downloading: 25% … Wait until it is ready, or choose another model.")
    gates["RN50"].set()
    wait_for(lambda: backend.model_status("RN50").state == "ready")
    assert backend.predict(index=0, model="RN50").model == "RN50"


def test_auto_means_the_built_in_model_first_and_then_vit_b_32(make_loader, monkeypatch):
    loaded = []

    def load_model(name, *, device, weights_root, progress):
        loaded.append(name)
        return make_loader()(name, progress)

    monkeypatch.setattr("clip_demo.models.load.load_model", load_model)
    pool = ModelPool.open(AUTO)
    wait_for(lambda: pool.default == PREFERRED)
    assert sorted(loaded) == sorted([BUILT_IN, PREFERRED])


def test_models_wait_until_they_are_released(make_loader, monkeypatch):
    loaded, hold = [], threading.Event()
    monkeypatch.setattr(
        "clip_demo.models.load.load_model", lambda name, **_: loaded.append(name) or make_loader()(name, None)
    )
    pool = ModelPool.open(BUILT_IN, hold=hold)
    assert pool.status(BUILT_IN).state == "loading" and loaded == []
    hold.set()
    assert pool.get().encoder.name == BUILT_IN
