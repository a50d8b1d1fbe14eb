"""The tab "Search" and its endpoint, without a browser, on the toy encoder."""

import json
import re
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.searcher import Match, SearchResult
from clip_demo.serving.thumbnails import Thumbnails
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.search.events import Query, answers
from clip_demo.ui.search.view import MOST, about, counted, example_sentences, invitation, tiles

MARKUP = "<img src=x>"


def query(text="", *, index=None, offset=0, upload=None):
    return Query(1, text, upload, index, offset)


def last(backend, asked):
    *_, answer = answers(backend, asked, backend.datasets["toys"], "toy")
    return answer


def result(n=20, offset=0, matches=1, text="a", model="toy"):
    found = tuple(Match(offset + i, -0.5, "red") for i in range(matches))
    return SearchResult(model, "toys", text, None, n, offset, found)


def test_the_endpoint_returns_what_the_backend_returns(toy_backend, tmp_path):
    Image.new("RGB", (40, 30), (0, 255, 0)).save(tmp_path / "green.png")
    demo = build_ui(toy_backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    try:
        with closing(Client(url, verbose=False)) as client:

            def search(**arguments):
                return client.predict(**arguments, api_name="/search")

            def expected(*text, **options):
                return json.loads(json.dumps(toy_backend.search(*text, **options).to_dict()))

            assert search(text="a blue thing", limit=3) == expected("a blue thing", limit=3)
            assert search(text="red", index=3, dataset="toys", offset=2) == expected("red", index=3, offset=2)
            photo = search(text="red", image=handle_file(tmp_path / "green.png"))
            assert photo == expected("red", image=tmp_path / "green.png")
            for arguments, message in (
                ({}, "text, image, index: got none; give a sentence"),
                ({"text": "word " * 80}, "is too long"),
                ({"text": "red", "limit": 0}, "limit: 0 is not allowed; use a whole number from 1 to 1,000."),
                ({"text": "red", "dataset": "/etc"}, "dataset: '/etc' is unknown; use one of 'toys'."),
            ):
                with pytest.raises(AppError, match=re.escape(message)):
                    search(**arguments)
    finally:
        demo.close()


def test_without_a_query_the_page_invites(toy_backend):
    message, answer = last(toy_backend, query("  "))
    assert message == "" and answer["tiles"] == answer["more"] == ""
    assert "the 20 test images of <b>Toys-5</b> with the model <b>toy</b>" in answer["about"]
    assert answer["about"].count('data-search="example"') == 3


def test_a_page_of_images_says_what_was_searched_for_and_where(toy_backend):
    message, answer = last(toy_backend, query("red"))
    assert message == "" and "Nearest to “<bdi>red</bdi>”" in answer["about"]
    assert "Among the 20 test images of <b>Toys-5</b> with the model <b>toy</b>" in answer["about"]
    assert re.findall(r'data-open="(\d+)"', answer["tiles"])[:4] == ["0", "5", "10", "15"]
    assert answer["tiles"].count("<img") == answer["tiles"].count('class="truth"') == 20
    assert (answer["says"], answer["more"]) == ("20 of 20 images, the nearest first.", "")


def test_a_test_image_and_a_sentence_are_named_with_the_formula(toy_backend):
    _, answer = last(toy_backend, query("red", index=1))
    assert "“<bdi>red</bdi>” and test image 1</h3>" in answer["about"]
    assert "the normalised sum of their two normalised vectors" in answer["about"]
    assert "Among the 19 other test images" in answer["about"]
    assert answer["image"]["name"] == "Test image 1." and answer["image"]["url"].startswith("data:image/")
    assert "normalised" not in last(toy_backend, query(index=1))[1]["about"]


def test_an_error_stands_in_place_of_images(toy_backend):
    for asked, sentence in (
        (query("word " * 80), "too long"),
        (query(upload={"path": "/etc/passwd"}), "did not arrive"),
        (query("red", index=20), "Toys-5 has no test image 20."),
    ):
        message, answer = last(toy_backend, asked)
        assert sentence in message and 'role="alert"' in message and answer["tiles"] == ""


def test_a_model_that_is_loading_is_asked_again(toy_encoder, toy_dataset, tmp_path):
    go = threading.Event()
    pool = ModelPool(lambda name, progress: go.wait(30) and toy_encoder, ["toy"])
    backend = Backend(pool, datasets={"toys": toy_dataset}, stores=Stores.open(tmp_path))
    message, answer = last(backend, query("red"))
    assert "The images will appear when the model is ready" in message and answer["again"] and answer["tiles"] == ""
    go.set()
    assert backend.encoder().name == "toy"
    message, answer = last(backend, query("red"))
    assert message == "" and "again" not in answer and answer["tiles"]


def test_images_that_are_not_encoded_yet_are_with_progress(toy_backend, toy_encoder, monkeypatch):
    encode = toy_encoder.encode_images
    monkeypatch.setattr(toy_encoder, "encode_images", lambda inputs: time.sleep(0.4) or encode(inputs))
    *during, (message, answer) = answers(toy_backend, query("red"), toy_backend.datasets["toys"], "toy")
    assert during and all('role="status"' in said and drawn is None for said, drawn in during)
    assert message == "" and answer["tiles"].count("<li>") == 20
    assert len(list(answers(toy_backend, query("blue"), toy_backend.datasets["toys"], "toy"))) == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"text": 3, "path": 4, "index": "5", "offset": "6", "of": "toys"},
        {"text": None, "path": {}, "index": True, "offset": -1, "of": []},
        {"index": -1, "of": "toys", "offset": 10**9},
        {"index": 3, "of": "cifar100"},
    ],
)
def test_what_makes_no_query_is_left_out(data, toy_dataset):
    asked = Query.of(gr.EventData(None, data), toy_dataset)
    assert (asked.text, asked.upload, asked.index, asked.offset) == ("", None, None, 0)


def test_a_query_is_read_from_an_event(toy_dataset):
    data = {"turn": 4, "text": "a", "path": "/b", "index": 3, "of": "toys", "offset": 24}
    assert Query.of(gr.EventData(None, data), toy_dataset) == Query(4, "a", {"path": "/b"}, 3, 24)


def test_the_button_offers_what_is_left_up_to_a_limit():
    assert counted(result(n=100, matches=24)) == ("24 of 100 images, the nearest first.", "Show 24 more")
    assert counted(result(n=30, matches=24))[1] == "Show 6 more"
    says, more = counted(result(n=10**6, offset=MOST - 24, matches=24))
    assert more == "" and says.startswith("960 of 1,000,000 images") and "a more exact sentence" in says


def test_names_and_sentences_are_escaped(toy_dataset):
    toy_dataset.title, toy_dataset.name = MARKUP, "own"
    toy_dataset.classnames = (MARKUP, "b", "c")
    found = result(text=MARKUP, model=MARKUP)
    shown = about(found, toy_dataset, has_photo=True) + invitation(toy_dataset, MARKUP)
    assert MARKUP not in shown and "your photo" in shown
    toy_dataset.available = lambda: False
    found = SearchResult("toy", "own", "a", None, 1, 0, (Match(0, -0.5, MARKUP),))
    assert MARKUP not in (drawn := tiles(found, toy_dataset, Thumbnails())) and "cosine −0.500" in drawn


def test_the_examples_of_any_dataset_are_about_its_classes():
    made = SimpleNamespace(name="mine", classnames=("oak_tree", "elm"), templates=("a photo of a {}, a tree.",))
    assert example_sentences(made) == ("a photo of a oak tree, a tree", "a photo of a elm, a tree")
