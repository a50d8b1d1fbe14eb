"""Several models: which answers, which are in memory, what happens where one does not come."""

import threading

import pytest

from clip_demo.backend import Backend
from clip_demo.errors import ModelError
from clip_demo.models.catalog import AUTO, BUILT_IN, PREFERRED, available_models
from clip_demo.serving.model_pool import ModelPool


def wait_until(condition):
    for _ in range(200):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("waited in vain")


def make_loader(toy, gates=(), failing=()):
    calls = []

    def load(name, progress):
        calls.append(name)
        if name in gates:
            progress(1, 4)
            gates[name].wait(10)
            progress(4, 4)
        if name in failing:
            raise ModelError(f"model: no {name}.")
        encoder = toy()
        encoder.name = name
        return encoder

    load.calls = calls
    return load


@pytest.fixture
def toy(toy_encoder):
    return type(toy_encoder)


def test_the_preferred_model_takes_over_when_it_is_there(toy, toy_images):
    gates = {"big": threading.Event()}
    load = make_loader(toy, gates)
    shelf = ModelPool(load, ["small", "big"], "big")
    assert shelf.default == "small" and shelf.get().encoder.name == "small"
    wait_until(lambda: shelf.status("big").state == "fetching")
    assert shelf.status("big").progress == 0.25 and "25%" in shelf.status("big").message
    gates["big"].set()
    wait_until(lambda: shelf.default == "big")
    assert shelf.get().encoder.name == "big"


def test_a_preferred_model_that_does_not_come_leaves_the_other(toy):
    shelf = ModelPool(make_loader(toy, failing=["big"]), ["small", "big"], "big")
    wait_until(lambda: shelf.status("big").state == "failed")
    assert shelf.default == "small" and shelf.get().encoder.name == "small"
    assert shelf.status("big").message == "model: no big."


def test_a_failure_is_remembered_until_somebody_asks_again(toy):
    failing = ["big"]
    load = make_loader(toy, failing=failing)
    shelf = ModelPool(load, ["small", "big"])
    for _ in range(3):
        with pytest.raises(ModelError, match="no big"):
            _ = shelf.get("big").encoder
    assert load.calls.count("big") == 1
    failing.clear()
    assert shelf.retry("big").encoder.name == "big"


def test_the_least_recently_used_goes(toy):
    load = make_loader(toy)
    shelf = ModelPool(load, ["first", "best", "a", "b", "c"], "best", limit=2)
    for name in ("best", "a", "b", "a", "c"):
        _ = shelf.get(name).encoder
    # The first and the preferred one stay, whatever visitors choose.
    assert [name for name in shelf.names if shelf.peek(name)] == ["first", "best", "a", "c"]
    assert shelf.default == "best"
    _ = shelf.get("b").encoder
    assert load.calls == ["first", "best", "a", "b", "c", "b"]


def test_models_are_loaded_one_after_another_and_memory_is_bounded(toy):
    gates = {name: threading.Event() for name in "abcd"}
    load = make_loader(toy, gates)
    shelf = ModelPool(load, ["first", *"abcd"])
    for name in "abcd":
        shelf.get(name)
    assert shelf.get("first").encoder.name == "first"  # not behind the others
    for place, name in enumerate("abcd", 1):
        wait_until(lambda place=place: len(load.calls) == place + 1)
        gates[load.calls[-1]].set()
        wait_until(lambda name=load.calls[-1]: shelf.peek(name) is None or shelf.peek(name).state == "ready")
        ready = [each for each in shelf.names[1:] if shelf.peek(each) and shelf.peek(each).state == "ready"]
        assert len(ready) <= 2, name


def test_an_unknown_name_is_said(toy):
    with pytest.raises(ModelError, match="'/etc/passwd' is not offered here; use one of 'a'"):
        ModelPool(make_loader(toy), ["a"]).get("/etc/passwd")


def test_a_call_names_its_model(toy, toy_images):
    backend = Backend(make_loader(toy), model="tiny", datasets={"toys": toy_images}, head_folders=[])
    assert backend.models == available_models()
    assert backend.predict(index=0).model == "tiny"
    assert backend.status("RN50").state == "absent"
    backend.use("RN50")
    wait_until(lambda: backend.status("RN50").state == "ready")
    assert backend.predict(index=0, model="RN50").model == "RN50"
    with pytest.raises(ModelError, match="'nope' is not offered here"):
        backend.predict(index=0, model="nope")
    assert backend.status().default_model == "tiny"
    states = {each.name: (each.state, each.megabytes) for each in backend.status().models}
    assert states["tiny"] == ("ready", None) and states["ViT-L/14"] == ("absent", 932)


def test_loading_one_model_does_not_stop_the_others(toy, toy_images):
    gates = {"RN50": threading.Event()}
    backend = Backend(make_loader(toy, gates), model="tiny", datasets={"toys": toy_images}, head_folders=[])
    backend.use("RN50")
    assert backend.predict(index=0).model == "tiny"
    wait_until(lambda: backend.status("RN50").state == "fetching")
    # A call for it is answered too, so that no queue fills up with those who wait.
    with pytest.raises(ModelError, match=r"RN50 is on its way: 25% … Ask again in a while, or use 'tiny'"):
        backend.predict(index=0, model="RN50")
    gates["RN50"].set()
    wait_until(lambda: backend.status("RN50").state == "ready")
    assert backend.predict(index=0, model="RN50").model == "RN50"


def test_auto_is_the_built_in_model_and_then_vit_b_32(toy, toy_images, monkeypatch):
    seen = []

    def load_model(name, *, device, weights_root, progress):
        seen.append(name)
        return make_loader(toy)(name, progress)

    monkeypatch.setattr("clip_demo.model.load_model", load_model)
    backend = Backend.open(AUTO, dataset="shapes100")
    wait_until(lambda: backend.default_model == PREFERRED)
    assert sorted(seen) == sorted([BUILT_IN, PREFERRED])
