"""The client of an encoder on another machine, against a server on loopback that fails as it is told."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from encoder_server import EncoderServer, MeanEncoder
from helpers import wait_for

from clip_demo.errors import ModelError, OptionError, PromptTooLongError
from clip_demo.models import remote_encoder
from clip_demo.models.encoder_protocol import ModelCard
from clip_demo.models.load import load_model
from clip_demo.models.remote_encoder import RemoteEncoder, check_url

CARD = ModelCard.of(MeanEncoder())


@pytest.fixture
def server():
    server = EncoderServer()
    yield server
    server.gate.set()
    server.stop()


@pytest.fixture
def quick(monkeypatch):
    """Patience for tests."""
    monkeypatch.setattr(remote_encoder, "ABSENT", 0.3)
    monkeypatch.setattr(remote_encoder, "FAILING", 0.6)
    monkeypatch.setattr(remote_encoder, "WATCH", 0.05)
    monkeypatch.setattr(remote_encoder, "PAUSES", (0.01, 0.05))


@pytest.fixture
def remote(server, quick):
    remote = RemoteEncoder.connect(server.url)
    server.requests.clear()
    yield remote
    remote.close()


def images(n):
    return list(np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8))


def test_it_has_what_the_encoder_says_of_itself(remote):
    assert (remote.name, remote.note, remote.sha256, remote.logit_scale) == ("toy", "a toy", "70" * 32, 10.0)
    assert (remote.anatomy, remote.heat_map_method) == (CARD.anatomy, "Grad-ECLIP")


def test_features_are_those_of_the_encoder_in_order(remote):
    inputs = images(70)
    expected = np.stack(inputs).mean(axis=(1, 2), dtype=np.float32)
    np.testing.assert_array_equal(remote.encode_images(inputs), expected)
    prompts = ["a" * (n % 40) for n in range(1, 301)]
    np.testing.assert_array_equal(remote.encode_texts(prompts)[:, 0], [len(each) for each in prompts])


def test_large_calls_become_several_requests_side_by_side(remote, server):
    server.gate.clear()
    results = []
    thread = threading.Thread(target=lambda: results.append(remote.encode_images(images(100))))
    thread.start()
    wait_for(lambda: server.running == 4, 5)
    server.gate.set()
    thread.join(10)
    assert results[0].shape == (100, 3)
    assert sorted(length for _, length in server.requests) == [4 * 48, 32 * 48, 32 * 48, 32 * 48]


def test_connections_are_kept(remote, server):
    before = len(server.sockets)
    for _ in range(20):
        remote.encode_images(images(1))
    assert len(server.sockets) - before == 1


def test_preprocessing_and_tokens_are_those_of_a_local_model():
    local = load_model("tiny")
    remote = RemoteEncoder("http://127.0.0.1:9", ModelCard.of(local))
    from clip_demo.datasets.shapes100 import Shapes100

    image = Shapes100().image(3)
    np.testing.assert_array_equal(remote.preprocess(image), local.preprocess(image))
    assert remote.tokens("a red circle") == local.tokens("a red circle")
    assert remote.token_pieces("a red circle") == local.token_pieces("a red circle")
    remote.close()


@pytest.mark.parametrize("fault", [500, 502, 503, 504, 429, 408, 404, "drop", "no tag"])
def test_a_request_that_fails_is_repeated_and_answered_once(remote, server, fault):
    server.faults = [fault, fault]
    np.testing.assert_array_equal(remote.encode_images(images(2)), np.stack(images(2)).mean((1, 2), np.float32))
    assert [path for path, _ in server.requests] == ["/images"] * 3
    assert remote.problem == ""


def test_an_answer_with_other_bytes_is_an_error(remote, server):
    server.faults = ["garbage"]
    with pytest.raises(ModelError, match="encoder: its answer"):
        remote.encode_images(images(2))
    assert remote.encode_images(images(2)).shape == (2, 3)


def test_a_refusal_is_the_error_that_it_was_and_not_repeated(remote, server):
    server.faults = [ModelError("model: NaN", page="No numbers.")]
    with pytest.raises(ModelError, match="^model: NaN$") as raised:
        remote.encode_images(images(1))
    assert raised.value.page_message == "No numbers."
    assert len(server.requests) == 1 and remote.problem == ""


def test_a_prompt_that_is_too_long_is_not_sent(remote, server):
    with pytest.raises(PromptTooLongError, match="has 102 tokens"):
        remote.encode_texts(["short", "word " * 100])
    assert server.requests == []


def test_an_encoder_that_is_gone_is_missed_and_found_again(server, quick):
    remote = RemoteEncoder.connect(server.url)
    port = server.server_address[1]
    server.stop()
    start = time.monotonic()
    with pytest.raises(
        ModelError, match=r"^encoder: nothing usable answers at http://127.0.0.1:\d+ \(.*refused"
    ) as raised:
        remote.encode_images(images(1))
    assert time.monotonic() - start < 2
    assert "does not answer" in raised.value.page_message and "127.0.0.1" not in raised.value.page_message
    assert remote.problem == raised.value.page_message
    start = time.monotonic()
    with pytest.raises(ModelError):
        remote.encode_texts(["a"])  # at once now
    assert time.monotonic() - start < 0.1
    again = EncoderServer(port=port)
    try:
        wait_for(lambda: remote.problem == "", 5)
        assert remote.encode_images(images(1)).shape == (1, 3)
        watchers = [thread for thread in threading.enumerate() if thread.name == "watch-encoder"]
        wait_for(lambda: not any(thread.is_alive() for thread in watchers), 5)
    finally:
        again.stop()
        remote.close()


def test_errors_that_go_on_are_given_up(remote, server):
    server.faults = [503] * 1000
    with pytest.raises(ModelError, match="status 503: 'it failed'"):
        remote.encode_images(images(1))
    server.faults = []
    wait_for(lambda: remote.problem == "", 5)


def test_another_model_at_the_address_is_refused_until_it_is_the_right_one_again(remote, server):
    server.card = ModelCard("other", "", "99" * 32, 5.0, CARD.anatomy, "Grad-ECLIP")
    with pytest.raises(ModelError, match=f'is a model with the checksum "{"99" * 32}" now') as raised:
        remote.encode_images(images(1))
    assert [path for path, _ in server.requests][:1] == ["/images"]
    assert "runs another model now" in remote.problem == raised.value.page_message
    server.card = CARD
    wait_for(lambda: remote.problem == "", 5)
    assert remote.encode_images(images(1)).shape == (1, 3)


@pytest.mark.parametrize("expected", [None, "70" * 32, "71" * 32])
def test_the_expected_model_is_accepted(server, expected):
    server.card = replace(CARD, former=("71" * 32,))
    RemoteEncoder.connect(server.url, expected).close()


def test_an_unexpected_model_is_refused(server):
    with pytest.raises(ModelError, match=f"is toy with SHA-256 {'70' * 32}; expected {'72' * 32}"):
        RemoteEncoder.connect(server.url, "72" * 32)


@pytest.mark.parametrize("fault", ["drop", 404, 500, "garbage", "no tag"])
def test_what_is_no_encoder_is_not_taken_for_one(server, fault):
    server.faults = [fault]
    with pytest.raises(ModelError, match=f"^encoder: no encoder answers at {server.url} "):
        RemoteEncoder.connect(server.url)


@pytest.mark.parametrize(
    "url",
    ["", "tiny", "127.0.0.1:8000", "ftp://a", "http://", "http://a:0", "http://a:x", "http://u:p@a", "http://a?b"],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(OptionError, match="is not an address; use one such as http://127.0.0.1:8000"):
        check_url(url)


def test_an_address_may_have_a_path_and_ends_without_a_slash():
    assert check_url("https://example.org/encoder/") == "https://example.org/encoder"


def test_no_proxy_of_the_environment_is_asked(server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    RemoteEncoder.connect(server.url).close()


def test_what_needs_the_network_says_so_where_there_is_no_copy(remote):
    with pytest.raises(ModelError, match="'toy' runs on another machine, and there is no copy of it here"):
        remote.gradient_maps(images(1)[0], np.ones((1, 3)), True)
    with pytest.raises(ModelError, match="no copy of it here"):
        remote.encode_covered(images(1)[0], np.zeros((1, 2, 2), bool))


def test_what_needs_the_network_is_computed_by_the_copy_which_is_opened_once(quick):
    local, opened = load_model("tiny"), []
    server = EncoderServer(local)

    def open_copy(card):
        opened.append(card)
        return local

    remote = RemoteEncoder.connect(server.url, open_copy=open_copy)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    covers = np.zeros((2, 8, 8), bool)
    covers[1, :4] = True
    directions = np.eye(2, 256)
    np.testing.assert_array_equal(remote.encode_covered(pixels, covers), local.encode_covered(pixels, covers))
    maps = remote.gradient_maps(pixels, directions, True)
    np.testing.assert_allclose(maps, local.gradient_maps(pixels, directions, True), rtol=1e-5, atol=1e-8)
    assert opened == [server.card]
    remote.close()
    server.stop()
