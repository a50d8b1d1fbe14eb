"""A backend whose model runs on another machine: the same answers, and what is missing is said."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from encoder_server import EncoderServer
from helpers import wait_for
from PIL import Image

from clip_demo.artifacts import also_known_as
from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.errors import ModelError, OptionError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models import remote_encoder
from clip_demo.models.clip_model import ClipModel
from clip_demo.models.load import load_model
from clip_demo.models.sources import ARCHIVES
from clip_demo.serving.model_pool import ModelPool
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny")


@pytest.fixture
def serve(monkeypatch):
    """Serve an encoder, and return its server."""
    monkeypatch.setattr(remote_encoder, "ABSENT", 0.3)
    monkeypatch.setattr(remote_encoder, "WATCH", 0.05)
    servers = []

    def start(encoder, **options):
        servers.append(EncoderServer(encoder, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.gate.set()
        server.stop()


def test_predictions_are_those_of_a_model_in_this_process(serve, tiny):
    server = serve(tiny)
    remote, local = (
        Backend.open("auto", dataset="shapes100", encoder=server.url),
        Backend.open("tiny", dataset="shapes100"),
    )
    assert (remote.models[0], remote.default_model, remote.preferred_model) == ("tiny", "tiny", "tiny")
    assert "ViT-B/32" in remote.models
    for source in ({"index": 12, "dataset": "shapes100"}, {"image": Image.new("RGB", (50, 30), "green")}):
        got, expected = remote.predict(**source), local.predict(**source)
        assert [each.label for each in got.zero_shot] == [each.label for each in expected.zero_shot]
        np.testing.assert_allclose(
            [each.cosine for each in got.zero_shot], [each.cosine for each in expected.zero_shot], atol=1e-6
        )
        assert got.linear_probe.head is not None
        np.testing.assert_allclose(
            [each.probability for each in got.linear_probe.top],
            [each.probability for each in expected.linear_probe.top],
            atol=1e-6,
        )
    assert {path for path, _ in server.requests} == {"/model", "/images", "/texts"}
    assert remote.model_status().problem == "" and remote.model_status().note == tiny.note


def test_the_inside_is_that_of_the_copy_on_this_machine(serve, tiny):
    remote, local = Backend.open("auto", dataset="shapes100", encoder=serve(tiny).url), Backend.open("tiny")
    image = {"index": 12, "dataset": "shapes100"}
    got, expected = (each.inside.walk(**image) for each in (remote, local))
    assert got.prompts == expected.prompts and got.anatomy == expected.anatomy
    for method in ("instant_maps", "cover_maps"):
        got, expected = (getattr(each.inside, method)(**image) for each in (remote, local))
        np.testing.assert_allclose(got.zero_shot.values, expected.zero_shot.values, atol=1e-5)
        np.testing.assert_allclose(got.probe.values, expected.probe.values, atol=1e-4)


@pytest.fixture
def random_vit():
    """A small network under the name of one of OpenAI's, as if it had been loaded from its archive."""
    model = ClipModel(random_clip(SMALL_VIT), name="ViT-B/32", note="", sha256="5b" * 32)
    also_known_as(model.sha256, ARCHIVES["ViT-B/32"][0])
    return model


def test_without_a_copy_all_but_the_heat_maps_works(serve, random_vit, toy_dataset, tmp_path):
    options = {"weights_root": tmp_path, "dataset": toy_dataset, "stores": Stores.open(tmp_path)}
    backend = Backend.open("ViT-B/32", encoder=serve(random_vit).url, **options)
    assert backend.is_downloaded("ViT-B/32") and not backend.is_downloaded("RN50")
    image = {"index": 3, "dataset": "toys", "prompts": PromptSet(("cat", "dog"))}
    assert len(backend.predict(**image).zero_shot) == 2
    assert backend.inside.walk(**image).prompts
    assert backend.evaluate(dataset="toys").accuracy.n == 20
    for method in ("instant_maps", "cover_maps"):
        with pytest.raises(ModelError, match="run `python -m clip_demo download ViT-B/32`") as raised:
            getattr(backend.inside, method)(**image)
        assert raised.value.page_message == (
            "This needs ViT-B/32 on the computer that runs this page, and it is only on another one."
        )


def test_the_builder_and_the_search_work_on_it(serve, random_vit, toy_dataset, tmp_path):
    options = {"dataset": toy_dataset, "stores": Stores.open(tmp_path)}
    backend = Backend.open("auto", encoder=serve(random_vit).url, **options)
    backend.start_probe_job()
    wait_for(lambda: not backend.status().job.running, 10)
    assert backend.status().job.state == "done"
    head = backend.head()
    assert (head.provenance.model, head.provenance.n_train) == ("ViT-B/32", 50)
    local = Backend(ModelPool.of(random_vit), datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path / "local"))
    _, expected = local.fit_probe(folder=tmp_path / "local" / "heads")
    np.testing.assert_allclose(head.coef, expected.coef, atol=1e-3)
    assert backend.search("red").matches[0].index == local.search("red").matches[0].index


def test_another_model_than_the_page_expects_is_refused(serve, tiny, random_vit):
    with pytest.raises(ModelError, match=f"is tiny with SHA-256 {tiny.sha256}; expected {ARCHIVES['RN50'][0]}"):
        Backend.open("RN50", encoder=serve(tiny).url)
    with pytest.raises(ModelError, match=f"is ViT-B/32 with SHA-256 {'5b' * 32}; expected {tiny.sha256}"):
        Backend.open("tiny", encoder=serve(random_vit).url)
    Backend.open("tiny", encoder=serve(tiny).url)


def test_a_checkpoint_of_ones_own_is_known_by_its_weights(serve, tmp_path, toy_dataset):
    paths = [tmp_path / name for name in ("a.pt", "b.pt")]
    network = random_clip(SMALL_VIT)
    torch.save(network.state_dict(), paths[0])
    network.visual.proj.mul_(2)
    torch.save(network.state_dict(), paths[1])
    server = serve(load_model(str(paths[0])))
    with pytest.raises(ModelError, match="; expected "):
        Backend.open(str(paths[1]), encoder=server.url)
    backend = Backend.open(str(paths[0]), encoder=server.url, dataset=toy_dataset, stores=Stores.open(tmp_path))
    assert backend.models[0] == "a.pt"
    assert backend.assumption() == load_model(str(paths[0])).assumption != ""
    assert backend.inside.instant_maps(index=3, dataset="toys").zero_shot.values.min() >= 0  # by the copy
    without = Backend.open("auto", encoder=server.url, dataset=toy_dataset, stores=Stores.open(tmp_path))
    with pytest.raises(ModelError, match="give its path with --model"):
        without.inside.instant_maps(index=3, dataset="toys")


def test_what_was_computed_still_works_while_nothing_answers(serve, tiny):
    server = serve(tiny)
    port = server.server_address[1]
    backend = Backend.open("auto", dataset="shapes100", encoder=server.url)
    known = {"index": 12, "dataset": "shapes100", "prompts": PromptSet(("circle", "square"))}
    first = backend.predict(**known)
    server.stop()
    with pytest.raises(ModelError, match="^encoder: nothing usable answers"):
        backend.predict(**{**known, "prompts": PromptSet(("circle", "house"))})
    status = backend.status()
    assert status.model.state == "ready" and "tiny does not answer" in status.model.problem
    assert status.head is not None
    assert backend.predict(**known) == first
    again = EncoderServer(tiny, port=port)
    try:
        wait_for(lambda: backend.model_status().problem == "", 10)
        assert backend.predict(**{**known, "prompts": PromptSet(("circle", "house"))}).zero_shot
    finally:
        again.stop()


def test_visitors_are_served_side_by_side(serve, tiny):
    server = serve(tiny)
    backend = Backend.open("auto", dataset="shapes100", encoder=server.url)
    backend.predict(index=0)
    server.gate.clear()
    server.most = 0
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(backend.predict, index=index) for index in range(1, 9)]
        wait_for(lambda: server.running >= 2, 10)  # the first request, and the batch of those that came meanwhile
        server.gate.set()
        assert all(each.result(30).zero_shot for each in asked)
    assert server.most >= 2


def test_a_model_of_this_machine_still_has_its_cores_for_itself(serve, tiny):
    backend = Backend.open("auto", dataset="shapes100", encoder=serve(tiny).url)
    handle = backend._models.get("tiny")
    assert handle.features._queue is not backend._models._queue


@pytest.mark.parametrize("url", ["tiny", "http://"])
def test_an_address_is_checked_first(url):
    with pytest.raises(OptionError, match="is not an address"):
        Backend.open("auto", encoder=url)
