"""The page without a browser: its endpoints, its HTML, its events and how it starts."""

import builtins
import io
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
import torch
from conftest import ToyDataset, ToyEncoder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from clip_demo.backend import Backend, Prediction
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip
from clip_demo.datasets.example_photos import example_photos
from clip_demo.datasets.shapes100 import UNSEEN_CLASSNAMES
from clip_demo.errors import ClipDemoError, DatasetError
from clip_demo.linear_probe.head import LinearProbe, ProbeScore, Provenance
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.models.load import load_model
from clip_demo.serving.model_pool import ModelPool
from clip_demo.serving.probe_job import ProbeJobStatus
from clip_demo.ui import event_options
from clip_demo.ui.explore.comparison import Comparison
from clip_demo.ui.explore.events import view_of
from clip_demo.ui.explore.prediction_cards import hint, results, verdict, word_line
from clip_demo.ui.explore.show import OUTPUTS, show
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.permalink import OWN, Link, View, from_query, start, to_link
from clip_demo.ui.status_line import chip, status_line
from clip_demo.ui.uploads import MAX_UPLOAD_BYTES
from clip_demo.zero_shot.classifier import ZeroShotScore
from clip_demo.zero_shot.prompt_set import PromptSet, baseline_of
from clip_demo.zero_shot.templates import README_TEMPLATE
from clip_demo.zero_shot.word_knowledge import WordKnowledge

PROVENANCE = Provenance(
    "toy", "70" * 32, "toys", 50_000, 10_000, 0.316, 1000, 42, 0, False, 0.4012, {"numpy": "2"}, "2026-01-31"
)


def launch(backend):
    demo = build_ui(backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    return SimpleNamespace(backend=backend, demo=demo, url=url, client=Client(url, verbose=False))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The page on a free port, once for all tests that only ask it."""
    stores = Stores.open(tmp_path_factory.mktemp("stores"))
    page = launch(Backend(ModelPool.of(ToyEncoder()), datasets={"toys": ToyDataset()}, stores=stores))
    try:
        yield page
    finally:
        page.demo.close()


def call(url, arguments, endpoint="predict"):
    """Call an endpoint as curl does: one request starts the event, another fetches the answer."""
    body = json.dumps(arguments).encode()
    request = urllib.request.Request(f"{url}gradio_api/call/v2/{endpoint}", body, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(request))["event_id"]
    lines = urllib.request.urlopen(f"{url}gradio_api/call/{endpoint}/{event}").read().decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    return fields["event"], json.loads(fields["data"])


def message_of(function):
    with pytest.raises(ClipDemoError) as raised:
        function()
    return str(raised.value)


def sentence_of(function):
    """Return what the page says of the error that a function raises."""
    with pytest.raises(ClipDemoError) as raised:
        function()
    return raised.value.page_message


# --- endpoints ---------------------------------------------------------------------------------------------------


def test_the_endpoints_document_their_parameters(served):
    endpoints = served.client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/predict", "/evaluate", "/search", "/word_knowledge", "/own_classes"]
    names = [each["parameter_name"] for each in endpoints["/predict"]["parameters"]]
    assert names == [
        *("image", "index", "dataset", "classnames", "templates", "replace_underscores", "top_k", "model"),
        "none_of_these",
    ]
    assert all(each["parameter_has_default"] for each in endpoints["/predict"]["parameters"])
    names = [each["parameter_name"] for each in endpoints["/evaluate"]["parameters"]]
    assert names == [
        *("dataset", "classnames", "templates", "replace_underscores", "model"),
        *("baseline_classnames", "baseline_templates", "baseline_replace_underscores"),
    ]
    assert all(each["parameter_has_default"] for each in endpoints["/evaluate"]["parameters"])


def test_predict_returns_what_the_backend_returns(served, tmp_path):
    def predict(**arguments):
        return served.client.predict(**arguments, api_name="/predict")

    assert predict(index=3) == served.backend.predict(index=3).to_dict()
    prompts = PromptSet(["red_a", "green", "blue"], ["a {}", "the red {}"], replace_underscores=True)
    expected = served.backend.predict(index=3, prompts=prompts, top_k=2).to_dict()
    options = {"index": 3, "replace_underscores": True, "top_k": 2}
    assert predict(classnames=list(prompts.classnames), templates=list(prompts.templates), **options) == expected
    assert predict(classnames="red_a, green\nblue", templates="a {}\nthe red {}", **options) == expected
    asked = served.backend.predict(index=3, none_of_these=True).to_dict()
    assert predict(index=3, none_of_these=True) == asked and "none_of_these" in asked
    path = tmp_path / "transparent.png"
    Image.new("RGBA", (40, 30), (255, 0, 0, 128)).save(path)
    predicted = predict(image=handle_file(path), dataset="toys")
    assert predicted == served.backend.predict(image=path, dataset="toys").to_dict()
    assert (predicted["index"], predicted["truth"]) == (None, None)


def test_predict_by_plain_http(served):
    assert call(served.url, {"index": 3}) == ("complete", [served.backend.predict(index=3).to_dict()])
    event, data = call(served.url, {"index": 3, "templates": ["no placeholder"]})
    assert event == "error"
    assert data["error"] == message_of(lambda: PromptSet(["red", "blue"], ["no placeholder"]))


@pytest.mark.parametrize(
    "arguments, same",
    [
        ({}, lambda backend: backend.predict()),
        ({"index": 20}, lambda backend: backend.predict(index=20)),
        ({"index": 1, "dataset": "nowhere"}, lambda backend: backend.predict(index=1, dataset="nowhere")),
        ({"index": 1, "classnames": ["red"]}, lambda backend: PromptSet(["red"])),
        (
            {"index": 1, "classnames": "red, Red"},
            lambda backend: backend.predict(index=1, prompts=PromptSet(["red", "Red"])),
        ),
        ({"index": 1, "templates": "a {"}, lambda backend: PromptSet(["red", "blue"], ["a {"])),
        ({"index": 1, "top_k": 0}, lambda backend: backend.predict(index=1, top_k=0)),
        ({"index": 1, "model": "/etc/passwd"}, lambda backend: backend.predict(index=1, model="/etc/passwd")),
    ],
)
def test_predict_passes_error_messages_on(served, arguments, same):
    with pytest.raises(AppError) as raised:
        served.client.predict(**arguments, api_name="/predict")
    assert str(raised.value) == message_of(lambda: same(served.backend))


def test_evaluate_returns_what_the_backend_returns(served):
    def evaluate(**arguments):
        return served.client.predict(**arguments, api_name="/evaluate")

    assert evaluate() == served.backend.evaluate().accuracy.to_dict()
    keys = {"top1", "top5", "per_class", "mean_per_class", "balanced", "n", "difference", "probe_top1"}
    assert set(evaluate()) == keys | {"probe_mean_per_class"}
    names, own = ["green", "red", "blue", "yellow", "white"], list(served.backend.datasets["toys"].classnames)
    prompts = PromptSet(names, ["a {}", "the {}"])
    expected = served.backend.evaluate(prompts, baseline=prompts.varied(classnames=own)).accuracy.to_dict()
    assert evaluate(classnames=names, templates=["a {}", "the {}"], baseline_classnames=own) == expected
    assert expected["difference"]["lost"] == 8 and expected["per_class"] == [0, 0, 1, 1, 1]
    typed = evaluate(classnames=", ".join(names), templates="a {}\nthe {}", baseline_classnames="\n".join(own))
    assert typed == expected
    plain = ("complete", [served.backend.evaluate().accuracy.to_dict()])
    assert call(served.url, {"templates": ["a {}"]}, "evaluate") == plain


PAIR = PromptSet(["red", "blue"])


@pytest.mark.parametrize(
    "arguments, same",
    [
        ({"classnames": ["red", "blue"]}, lambda backend: backend.evaluate(PAIR)),
        ({"templates": ["a {"]}, lambda backend: PAIR.varied(templates=["a {"])),
        ({"baseline_templates": "a photo"}, lambda backend: baseline_of(PAIR, templates=["a photo"])),
        ({"baseline_classnames": "red, blue"}, lambda backend: backend.evaluate(baseline=PAIR)),
        ({"dataset": "nowhere"}, lambda backend: backend.evaluate(dataset="nowhere")),
        ({"model": "/etc/passwd"}, lambda backend: backend.evaluate(model="/etc/passwd")),
    ],
)
def test_evaluate_passes_error_messages_on(served, arguments, same):
    with pytest.raises(AppError) as raised:
        served.client.predict(**arguments, api_name="/evaluate")
    assert str(raised.value) == message_of(lambda: same(served.backend))


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}], ids=["unmarked", "marked"])
@pytest.mark.parametrize(
    "name", ["secret.png", "notes.txt", "absent.png", "", ".", "pipe", "link.png", "a\0b", None, 7]
)
def test_predict_opens_only_uploaded_files(served, tmp_path, name, meta):
    Image.new("RGB", (8, 8), "red").save(tmp_path / "secret.png")
    (tmp_path / "notes.txt").write_text("secret")
    (tmp_path / "link.png").symlink_to(tmp_path / "secret.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / name) if isinstance(name, str) else name
    event, data = call(served.url, {"image": {"path": path, **meta}})
    assert event == "error" and "zero_shot" not in str(data)
    if not meta:  # Gradio refuses what is marked, in its own words
        assert (
            data["error"]
            == "image: this is not an uploaded file; upload a file, or pass handle_file(PATH) from a program."
        )


def test_predict_names_a_file_that_is_not_an_image(served, tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not an image")
    with pytest.raises(AppError, match=r"text\.png"):
        served.client.predict(image=handle_file(path), api_name="/predict")


def test_the_page_is_served_while_the_model_is_loading(toy_encoder, toy_dataset):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    page = launch(Backend(ModelPool(load, ["toy"]), datasets={"toys": toy_dataset}))
    try:
        assert b"CLIP Explorer" in urllib.request.urlopen(page.url).read()
        job = page.client.submit(index=2, api_name="/predict")
        assert not job.done()
        go.set()
        assert job.result(timeout=20)["truth"] == "blue"
    finally:
        go.set()
        page.demo.close()


def test_word_knowledge_is_empty_for_a_model_whose_captions_are_not_known(served):
    assert served.client.predict(["cat", "xyzzy"], api_name="/word_knowledge") == []
    with pytest.raises(AppError, match="names: .* give a list of up to 1000 words or names, each of at most 500"):
        served.client.predict(["x" * 501], api_name="/word_knowledge")


# --- HTML --------------------------------------------------------------------------------------------------------


def toy_prediction(zero_shot, probe=None, truth=None):
    def scores(labels, kind, *more):
        return tuple(kind(label, 0.6 / (place + 1), *more) for place, label in enumerate(labels))

    head = probe and LinearProbe(PROVENANCE, scores(probe, ProbeScore))
    return Prediction("toy", "toys", 1, truth, scores(zero_shot, ZeroShotScore, 0.25314), head)


TOYS = SimpleNamespace(
    name="toys",
    argument="toys",
    title="Toys-5",
    classnames=tuple("abcde"),
    sizes={"train": 50_000},
    available=lambda: True,
)  # fmt: skip


def cards(prediction, knowledge=(), comparison=None):
    return results(prediction, TOYS, PromptSet(tuple("abcdefg"), ("a {}", "the {}")), knowledge, comparison)


def said(prediction, knowledge=()):
    """Return the verdict as text."""
    return re.sub(r"<[^>]+>", "", verdict(prediction, TOYS, knowledge)).strip()


def test_bars_show_two_decimals_and_the_cosine_and_mark_the_truth():
    page = cards(toy_prediction(["sweet pepper", "cat"], ["sweet_pepper", "dog"], truth="sweet_pepper"))
    assert "60.00\N{NO-BREAK SPACE}%" in page and "30.00\N{NO-BREAK SPACE}%" in page
    assert page.count("cosine 0.2531") == 2
    assert page.count("true label") == 2
    assert "picks among your <b>7 classes</b>, by the mean of <b>2 prompts</b> each" in page
    assert "trained on <b>Toys-5</b>’s <b>2 classes</b>; ignores your list" in page


def test_bars_show_what_the_last_change_of_words_did():
    before = (ZeroShotScore("dog", 0.5, 0.3), ZeroShotScore("cat", 0.4, 0.29), ZeroShotScore("cow", 0.1, 0.2))
    now = (ZeroShotScore("cat", 0.624, 0.3), ZeroShotScore("dog", 0.3, 0.29), ZeroShotScore("hen", 0.076, 0.2))
    prediction = replace(toy_prediction(["cat"]), zero_shot=now)
    page = cards(prediction, comparison=Comparison("before", before))
    assert re.findall(r'class="change">(.*?)<', page) == ["+22.4, ▲1", "−20.0, ▼1", "new"]
    assert re.findall(r'class="earlier"[^>]*left:([\d.]+)%', page) == ["40.000", "50.000"]
    assert 'class="earlier-key">before<' in page
    assert "change" not in cards(prediction)


@pytest.mark.parametrize(
    "zero_shot, probe, truth, text",
    [
        (["a"], ["b"], "b", "Zero-shot says a. “b” is not on your list. The probe says b, and is right."),
        (["a", "b"], ["b"], "b", "Zero-shot says a. The probe says b, and is right."),
        (["a"], ["b", "a"], "a", "Zero-shot says a, and is right. The probe says b."),
        (["cat"], ["b"], "cat", "Zero-shot says cat, and is right. The probe has no class “cat”."),
        (["a"], None, "a", "Zero-shot says a, and is right."),
        (["a"], ["a"], "a", "Both say a, and both are right."),
        (["a"], ["a"], "b", "Both say a; neither is right."),
        (["a"], ["a"], None, "Both say a."),
    ],
)
def test_the_verdict_says_who_is_right(zero_shot, probe, truth, text):
    assert said(toy_prediction(zero_shot, probe, truth)) == text


def test_without_a_head_there_is_a_note_and_no_bars():
    page = cards(toy_prediction(["cat"], truth="cat"))
    assert "No probe was trained for <b>toy</b> on <b>Toys-5</b> yet" in page
    assert page.count('class="bar ') == 1


def test_the_rank_of_a_true_label_without_a_bar_is_shown():
    labels = list("abcdefg")
    page = cards(toy_prediction(labels, labels[:6], truth="g"))
    assert page.count('<li class="bar') == 10
    assert "True label <strong><bdi>g</bdi></strong>: number 7, 8.57\N{NO-BREAK SPACE}%" in page
    assert "True label <strong><bdi>g</bdi></strong>: not one of its classes" in page


def test_a_bar_says_that_the_model_never_saw_its_word():
    knowledge = [
        WordKnowledge("cat", "learned", 900),
        WordKnowledge("zebra", "guessed", 0, ("horse", "donkey")),
        WordKnowledge("foal", "guessed", 3, ("horse", "<b>")),
        WordKnowledge("xyzzy", "unknown", 0),
    ]
    page = cards(toy_prediction(["cat", "zebra", "foal", "xyzzy", "dog"]), knowledge)
    notes = re.findall(r'<span class="word-note">(.*?)</span>', page)
    assert notes == [
        "never seen with an image; near horse, donkey",
        "seen with only 3 training images; near horse, &lt;b&gt;",
        "unknown word: the model can only guess at random",
    ]
    assert "word-note" not in cards(toy_prediction(["cat", "zebra"]))
    assert said(toy_prediction(["zebra"], ["cat"]), knowledge) == "Zero-shot says zebra. The probe says cat."


def test_an_unknown_word_that_comes_first_is_called_a_guess():
    prediction = toy_prediction(["<xyzzy>", "cat"], ["cat"])
    text = said(prediction, [WordKnowledge("<xyzzy>", "unknown", 0)])
    assert text == "A guess at random: zero-shot does not know the word &lt;xyzzy&gt;. The probe says cat."


def test_a_tie_is_called_a_tie():
    tied = replace(
        toy_prediction(["<b>", "wug", "dax"], ["wug"]),
        zero_shot=(ZeroShotScore("<b>", 0.42, 0.1), ZeroShotScore("wug", 0.42, 0.1), ZeroShotScore("dax", 0.16, 0.0)),
    )
    assert said(tied) == "A tie: zero-shot cannot tell &lt;b&gt; from wug. The probe says wug."
    first, *others = tied.zero_shot
    assert said(replace(tied, zero_shot=(replace(first, cosine=0.1002), *others))).startswith(
        "Zero-shot says &lt;b&gt;."
    )


def test_unknown_words_and_other_scripts_are_named_in_one_line():
    unknown = [WordKnowledge(name, "unknown", 0) for name in ("<i>", "b", "c", "d", "e")]
    line = re.sub(r"</?(bdi|p)[^>]*>", "", word_line(["cat"], [WordKnowledge("cat", "learned", 900), *unknown]))
    assert line == "The model does not know “&lt;i&gt;”, “b”, “c” and 2 more: for it, such words all look alike."
    line = re.sub(r"</?(bdi|p)[^>]*>", "", word_line(["cat", "café", "고양이"], []))
    assert line == "OpenAI’s CLIP learned English: “고양이” may mean little to it."
    assert word_line(["cat", "café"], []) == "" == word_line(["cat"], [WordKnowledge("cat", "learned", 900)])


def test_typed_text_is_escaped():
    label = "<img src=x onerror=alert(1)>\"'"
    page = cards(toy_prediction([label], [label], truth=label))
    assert "<img" not in page and "&lt;img" in page and "<img" not in said(toy_prediction([label], truth=label))


def test_the_page_and_its_answers_say_what_was_assumed_of_a_checkpoint(toy_dataset, tmp_path):
    torch.save(random_clip(SMALL_VIT).state_dict(), tmp_path / "own.pt")
    pool = ModelPool.of(load_model(str(tmp_path / "own.pt"), device="cpu"))
    backend = Backend(pool, datasets={toy_dataset.name: toy_dataset})
    backend.encoder()
    taken = "taken as QuickGELU, heads of 64, as OpenAI&#x27;s models are"
    assert taken in status_line(backend.status(), toy_dataset)
    page = launch(backend)
    try:
        for answer in (page.client.predict(index=3, api_name="/predict"), page.client.predict(api_name="/evaluate")):
            assert answer["assumption"].startswith("taken as QuickGELU, heads of 64, ")
    finally:
        page.client.close()
        page.demo.close()


def test_the_status_line_names_model_dataset_and_head(toy_backend, toy_dataset):
    assert toy_backend.encoder().name == "toy"
    status = toy_backend.status()
    line = status_line(replace(status, head=PROVENANCE), toy_dataset)
    assert "<strong>toy</strong> — a toy" in line and "Toys-5" in line
    assert "trained on all 50,000 training images; right on <strong>40.12\N{NO-BREAK SPACE}%</strong>" in line
    assert "none was trained for toy on Toys-5 yet" in status_line(status, toy_dataset)
    loading = replace(status, model=replace(status.model, state="loading", message="toy is loading …"))
    assert "toy is loading …" in status_line(loading, toy_dataset) and "toy is loading …" in chip(loading, toy_dataset)
    button = re.sub(r"<[^>]+>", "", chip(replace(status, head=PROVENANCE), toy_dataset))
    assert button == "toy · Toys-5 · probe 40.12\N{NO-BREAK SPACE}% ▾, details"
    assert "no probe" in chip(status, toy_dataset)


UNSEEN = UNSEEN_CLASSNAMES[0]


@pytest.mark.parametrize(
    ("model", "dataset", "truth", "text"),
    [
        ("tiny", "cifar100", "snake", "not how CLIP generalises"),
        ("tiny", "cifar100", None, "not how CLIP generalises"),
        ("tiny", "shapes100", UNSEEN, f"No training caption of <b>tiny</b> named “<b>{UNSEEN}"),
        ("tiny", "shapes100", "red circle", "20 other pairs of colour and shape were held out"),
        ("tiny", "shapes100", None, None),
        ("ViT-B/32", "cifar100", "snake", None),
    ],
)  # fmt: skip
def test_the_hint_says_which_classes_the_built_in_model_was_trained_on(model, dataset, truth, text):
    scores = (ZeroShotScore("a", 1.0, 0.3),)
    shown = hint(Prediction(model, dataset, None if truth is None else 0, truth, scores, None))
    assert text in shown if text else shown == ""


# --- events ------------------------------------------------------------------------------------------------------


def shown(backend, view, *, photo=None, words=None, pinned=None, notice="", before="", reported=()):
    """Return what `show` returns for a view, by name."""
    drawn = show(backend, view, photo, words, pinned or {}, notice, before, reported)
    return SimpleNamespace(**{name: drawn.get(name, gr.skip()) for name in OUTPUTS})


def handler(demo, name):
    return next(each.fn for each in demo.fns.values() if each.name == name)


@pytest.fixture
def ready(toy_backend):
    """The toy backend with its model loaded."""
    assert toy_backend.encoder().name == "toy"
    return toy_backend


def test_nothing_is_drawn_before_the_link_was_read(ready):
    """Gradio reports changes of the text fields when the page opens; they still have the values of a first visit."""
    draw = handler(build_ui(ready), "show_restored")
    first = start(ready)
    fields = ["set", "", first.dataset, first.index, None, first.templates, first.classes, False, 0, False, first.model]
    values = [*fields, None, {}, "", "", ()]
    assert draw("", *values) == [gr.skip()] * len(OUTPUTS)
    assert 'class="results"' in draw("1", *values)[OUTPUTS.index("results")]


def test_a_notice_about_the_link_stays_until_the_visitor_changes_something(ready):
    view = start(ready)
    first = shown(ready, view, notice="The link is broken.")
    again = shown(ready, view, notice=first.notice, before=first.query)  # redrawn by a refresh
    assert "The link is broken." in first.alert and "The link is broken." in again.alert
    changed = shown(ready, replace(view, templates="the {}"), notice=again.notice, before=again.query)
    assert (changed.alert, changed.notice) == ("", "")


MARK = {"_type": "gradio.FileData"}  # which a client can send as well as Gradio


def test_the_page_classifies_uploads_and_no_other_file_of_the_server(ready, tmp_path, monkeypatch):
    uploads, elsewhere = tmp_path / "uploads", tmp_path / "elsewhere"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    for folder in (uploads, elsewhere, tmp_path / "uploads-of-others"):
        folder.mkdir()
        Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    (uploads / "link.png").symlink_to(elsewhere / "a.png")
    (uploads / "large.png").write_bytes((uploads / "a.png").read_bytes() + b"\0" * MAX_UPLOAD_BYTES)
    if hasattr(os, "mkfifo"):
        os.mkfifo(uploads / "pipe")
    own = replace(start(ready), source=OWN)

    def outcome(path):
        return shown(ready, own, photo={"path": path, "meta": MARK})

    for path in (uploads / "a.png", example_photos()["flower"].path):
        assert 'class="results"' in outcome(str(path)).results
    others = ("link.png", "pipe", "absent.png", "../elsewhere/a.png", "../uploads-of-others/a.png", ".", "a\0.png")
    messages = [outcome(str(uploads / name)) for name in others]
    messages += [outcome(value) for value in ("/etc/passwd", "/dev/zero", str(tmp_path), "", None, 7, ["a"])]
    assert {each.image_message for each in messages} == {messages[0].image_message}
    assert "This photo did not arrive. Upload it again." in messages[0].image_message
    assert not any('class="results"' in str(each.results) for each in messages)
    assert "more than 20 MB" in outcome(str(uploads / "large.png")).image_message


def test_markup_in_a_class_name_is_text_in_gradios_error_message(ready):
    """A class list may come with a link, and Gradio shows the message of `gr.Error` as HTML."""
    keep = handler(build_ui(ready), "keep_or_forget")
    names = "<form action=x><img src=//x>, <form action=x><img src=//x>"
    with pytest.raises(gr.Error) as raised:
        keep("toys", "a {}", names, False, {})
    assert "<" not in raised.value.message and "&lt;form action=x&gt;" in raised.value.message


def test_every_error_with_a_visitors_text_is_made_in_one_place():
    """The other one is for programs, which show no HTML."""
    folder = Path(event_options.__file__).parent
    made = [path.name for path in folder.rglob("*.py") for _ in re.findall(r"gr\.Error\(", path.read_text())]
    assert made == ["event_options.py"] * 2


@pytest.fixture
def many_models(toy_encoder, toy_dataset):
    """A backend with the toy encoder under three names, the loaded names, and an event that all but tiny wait for."""
    loaded, go = [], threading.Event()

    def load(name, progress):
        loaded.append(name)
        assert name == "tiny" or go.wait(30)
        return toy_encoder

    pool = ModelPool(load, ["tiny", "RN50", "RN50x64"], is_downloaded=lambda name: name != "RN50x64")
    backend = Backend(pool, datasets={"toys": toy_dataset})
    assert backend.encoder().name == "toy"
    yield backend, loaded, go
    go.set()


def test_an_error_keeps_the_last_results_and_is_shown_below_its_field(ready):
    view = replace(start(ready), index=3, classes="red\ngreen")
    words = shown(ready, view).words

    def messages(**changes):
        page = shown(ready, replace(view, **changes), words=words)
        assert page.results == gr.skip() and page.words == gr.skip() and page.alert == ""
        return page, {name: getattr(page, f"{name}_message") for name in ("image", "templates", "classes")}

    page, found = messages(templates="a {")
    assert sentence_of(lambda: PromptSet(["red", "green"], ["a {"])) in unescape(found.pop("templates"))
    assert set(found.values()) == {""}
    assert "True label: <strong><bdi>yellow</bdi></strong>" in page.image  # the image does not depend on the template
    assert sentence_of(lambda: PromptSet(["red"])) in unescape(messages(classes="red")[1]["classes"])
    assert "Type an image number from 0 to 19." in messages(index=None)[1]["image"]


def test_an_error_ends_the_note_that_a_model_is_loading(many_models):
    backend, _, go = many_models
    view = replace(start(backend), model="RN50", classes="red")
    page = shown(backend, view, words=shown(backend, start(backend)).words)
    assert "RN50 is loading" in page.results and page.words is None
    go.set()
    assert backend.encoder("RN50")
    page = shown(backend, view, words=page.words)
    assert "“red” is the only class name." in page.classes_message and page.results == ""


def test_words_that_are_kept_but_cannot_be_predicted_are_left_out(ready):
    kept = {"toys": PromptSet(("red", "Red"))}
    page = shown(ready, start(ready), pinned=kept)
    assert 'class="card' in page.results and page.classes_message == "" and page.keep == "Forget A"


def test_stored_features_replace_a_dataset_that_is_not_available(ready, toy_dataset, monkeypatch):
    def images(indices, split="test"):
        raise DatasetError("dataset: Toys-5 is not on this machine.")

    monkeypatch.setattr(toy_dataset, "available", lambda: False)
    monkeypatch.setattr(toy_dataset, "images", images)
    monkeypatch.setattr(ready, "predict", lambda **_: toy_prediction(["red", "green"], truth="green"))
    page = shown(ready, start(ready))
    assert 'class="gone"' in page.image and "<bdi>green</bdi>" in page.image
    assert "60.00" in page.results and page.alert == ""


def test_a_client_may_send_anything_in_place_of_a_field(ready):
    first = start(ready)
    odd = [["x"], {"y": 1}, "toys", 1, None, None, None, None, float("nan"), 0, "toy"]
    view, _ = view_of(ready, odd)
    expected = replace(first, index=1, templates="", classes="", example="cat")
    assert view == expected
    assert view_of(ready, [*odd[:1], "../../etc/passwd", *odd[2:8], "2", None, "toy"])[0] == expected
    worse = [None, None, ["toys"], float("inf"), "photo", ["a"], 5, 0, [], [], ["toy"]]
    assert view_of(ready, worse)[0] == replace(expected, index=None)
    assert view_of(ready, [*odd[:5], "a \ud800{}", "x", *odd[7:]])[0].templates == "a {}"
    pick = handler(build_ui(ready), "pick")
    assert pick(SimpleNamespace(name=["cat"]), "flower", "toys", "")[0] == "flower"


def test_without_a_photo_the_page_asks_for_one(ready):
    page = shown(ready, replace(start(ready), source="own"))
    assert "Drop a photo anywhere" in page.results and page.alert == "" and page.image == ""


def test_only_small_images_are_enlarged_with_sharp_pixels(ready, toy_dataset, monkeypatch):
    assert 'class="small"' in shown(ready, start(ready)).image
    monkeypatch.setattr(toy_dataset, "images", lambda indices, split="test": [Image.new("RGB", (640, 480), "red")])
    large = shown(ready, replace(start(ready), index=1)).image
    assert 'width="640" height="480"' in large and "640×480 pixels" in large and 'class="small"' not in large


def test_a_link_to_a_model_that_is_not_downloaded_loads_nothing(many_models):
    backend, loaded, go = many_models
    demo = build_ui(backend)
    handler(demo, "restore")("?model=RN50x64")
    page = shown(backend, replace(start(backend), model="RN50x64"))
    assert loaded == ["tiny"] and backend.model_status("RN50x64").state == "absent"
    assert "RN50x64 is not loaded." in page.results and "Download and load RN50x64 (1,352 MB)" in page.results
    assert 'data-job="load"' in page.results and page.timer == gr.skip()
    *_, request = handler(demo, "press_button")(SimpleNamespace(job="load"), "toys", "RN50x64", page.drawn)
    go.set()
    assert backend.encoder("RN50x64") and loaded == ["tiny", "RN50x64"]
    assert request != gr.skip()  # the results are drawn again


@pytest.mark.parametrize("model", ["gone", "RN50x4"])
def test_a_model_that_is_no_longer_on_offer_is_an_error_that_keeps_the_results(many_models, model):
    backend, loaded, _ = many_models
    page = shown(backend, replace(start(backend), model=model), words=shown(backend, start(backend)).words)
    expected = sentence_of(lambda: backend.load_model(model))
    assert expected in unescape(page.alert) and page.results == gr.skip() and loaded == ["tiny"]


def test_a_link_to_a_downloaded_model_loads_it(many_models):
    backend, loaded, go = many_models
    handler(build_ui(backend), "restore")("?model=RN50")
    go.set()
    assert backend.encoder("RN50") and loaded == ["tiny", "RN50"]


def test_a_downloaded_model_that_was_dropped_from_memory_is_loaded_again(many_models):
    backend, loaded, go = many_models
    view = replace(start(backend), model="RN50")
    page = shown(backend, view, reported=("RN50", "ready", "toys", True, 0))
    assert page.timer.active and "RN50 is loading" in page.results
    go.set()
    assert backend.encoder("RN50") and loaded == ["tiny", "RN50"]
    assert 'class="card' in shown(backend, view).results


def test_no_event_takes_the_status_twice_and_a_keystroke_takes_none(many_models, monkeypatch):
    backend, *_ = many_models
    demo, taken, status = build_ui(backend), [], backend.status
    monkeypatch.setattr(backend, "status", lambda *names: taken.append(names) or status(*names))
    button = SimpleNamespace(job="")
    events = {
        "restore": ["?model=RN50"],
        "refresh": ["toys", "tiny", ()],
        "download": ["toys", "tiny", ()],
        "press_button": [button, "toys", "tiny", ()],
        "choose_model": ["toys", "RN50"],
        "accept_offer": ["toys"],
        "choose_dataset": ["toys", "tiny", 3, "red\ngreen"],
        "start_over": ["tiny"],
        "guide": [SimpleNamespace(experiment="own"), "tiny"],
    }
    for name, arguments in events.items():
        handler(demo, name)(*arguments)
        assert len(taken) == 1, name
        taken.clear()
    assert 'class="card' in shown(backend, start(backend)).results
    assert taken == []


def test_a_keystroke_looks_up_no_file(tmp_path, monkeypatch):
    backend = Backend.open("tiny", dataset="shapes100", data_root=tmp_path, weights_root=tmp_path / "weights")
    view = start(backend)
    assert backend.encoder().name == "tiny" and 'class="card' in shown(backend, view).results
    seen = []

    def watch(module, name):
        original = getattr(module, name)

        def watched(*arguments, **options):
            if arguments and isinstance(arguments[0], (str, Path)):
                seen.append(str(arguments[0]))
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, watched)

    for module, name in ((os, "stat"), (os, "scandir"), (os, "listdir"), (builtins, "open"), (io, "open")):
        watch(module, name)
    backend.status()
    assert any(path.startswith(str(tmp_path)) for path in seen)  # a full status does look
    seen.clear()
    assert 'class="card' in shown(backend, replace(view, templates="a drawing of a {}")).results
    assert [path for path in seen if path.startswith(str(tmp_path))] == []


def test_a_head_that_a_job_has_fitted_is_reported_after_the_next_keystroke(ready, monkeypatch):
    view, demo = start(ready), build_ui(ready)
    first = shown(ready, view)
    *_, reported, _, request = handler(demo, "refresh")("toys", "toy", first.drawn)
    assert request == gr.skip() and shown(ready, view, reported=reported).timer == gr.skip()
    monkeypatch.setattr(ready, "predict", lambda **_: toy_prediction(["red"], ["red"], truth="red"))
    assert shown(ready, view, reported=reported).timer != gr.skip()  # the timer refreshes the status line


def test_results_are_requested_again_when_the_head_or_the_model_has_changed(ready, monkeypatch):
    refresh, drawn = handler(build_ui(ready), "refresh"), shown(ready, start(ready)).drawn
    status = ready.status()
    assert refresh("toys", "toy", drawn)[-1] == gr.skip()
    for change in ({"head": PROVENANCE}, {"model": replace(status.model, state="failed")}):
        monkeypatch.setattr(ready, "status", lambda *_, change=change: replace(status, **change))
        assert refresh("toys", "toy", drawn)[-1] != gr.skip()


def test_the_timer_is_active_while_the_status_will_change(ready, monkeypatch):
    refresh, status = handler(build_ui(ready), "refresh"), ready.status()
    job = ProbeJobStatus("encoding", "Encoding", 1, 2, None, None)
    late = replace(status.datasets[0], state="downloading", progress=0.5)
    for change, active in (({}, False), ({"job": job, "running_job": "Encoding"}, True), ({"datasets": (late,)}, True)):
        monkeypatch.setattr(ready, "status", lambda *_, change=change: replace(status, **change))
        assert refresh("toys", "toy", ())[-2].active is active


def test_what_is_made_ready_is_one_line_and_no_panel_beside_it(ready, monkeypatch):
    refresh, status = handler(build_ui(ready), "refresh"), ready.status()
    job = ProbeJobStatus("encoding", "Encoding", 1, 2, None, 60.0, "toy on Toys-5", 2, share=0.5)
    other = replace(job, title="toy on Others-5")
    for preparation, panels in ((None, [True, False]), (job, [False, True]), (other, [True, True])):
        changed = replace(status, job=job, preparation=preparation, running_job="Encoding")
        monkeypatch.setattr(ready, "status", lambda *_, changed=changed: changed)
        assert list(map(bool, refresh("toys", "toy", ())[5:7])) == panels


# --- the address -------------------------------------------------------------------------------------------------


def query_of(backend, view):
    return to_link(backend, view).query


def test_the_address_holds_the_whole_view_and_leaves_defaults_out(toy_backend):
    first = start(toy_backend)
    assert to_link(toy_backend, first) == Link("dataset=toys&index=0", "")
    assert from_query(toy_backend, "") == (first, "")
    view = View("set", "cat", "toys", 7, "a {} & b\nthe {}", "red, blue_ü\n100 %", True, -1.5, "toy", True)
    assert from_query(toy_backend, "?" + query_of(toy_backend, view)) == (view, "")
    example = replace(view, source="example", example="flower", index=first.index)
    assert "photo=flower" in query_of(toy_backend, example)
    assert from_query(toy_backend, query_of(toy_backend, example)) == (example, "")


def test_an_example_photo_comes_with_its_class_list(toy_backend):
    view, problems = from_query(toy_backend, "photo=cup-of-coffee")
    photo = example_photos()["cup-of-coffee"]
    assert (view.source, problems) == ("example", "")
    assert tuple(view.classes.split(", ")) == photo.classnames and photo.label in photo.classnames
    assert "classes" not in query_of(toy_backend, view)


def test_a_photo_of_ones_own_is_not_in_the_address(toy_backend):
    link = to_link(toy_backend, replace(start(toy_backend), source="own"))
    assert link == Link("dataset=toys&photo=own", "Your photo is not in it: it stays with you.")
    assert from_query(toy_backend, link.query)[0].source == "own"


def test_a_class_list_that_makes_an_address_too_long_is_left_out(toy_backend):
    """A thousand Korean names made an address of 81,956 characters, which the server itself refused."""
    names = ", ".join(f"고양이 {i}" for i in range(1000))
    link = to_link(toy_backend, replace(start(toy_backend), classes=names))
    assert link == Link("dataset=toys&index=0", "Your class list is too long for an address and left out.")
    short = to_link(toy_backend, replace(start(toy_backend), classes="고양이, 개"))
    assert "classes=" in short.query and short.note == "" and len(short.query) < 6000
    long = replace(
        start(toy_backend), classes="고양이, 개", templates="\n".join(f"고양이 {i} {{}}" * 9 for i in range(99))
    )
    link = to_link(toy_backend, long)
    assert "classes=" in link.query and "template=" not in link.query
    assert link.note == "Your prompts are too long for an address and left out."


@pytest.mark.parametrize(
    "query",
    ["dataset=x", "index=x", "index=nan", "index=1e300", "replace_underscores=x", "model=x", "photo=x"]
    + ["sharpness=3", "none_of_these=x"],
)
def test_an_address_that_cannot_be_used_is_reported_and_replaced_by_the_first_view(toy_backend, query):
    view, problems = from_query(toy_backend, query)
    assert view == start(toy_backend)
    assert problems.startswith("The ") and problems.endswith(".")


def test_an_index_out_of_range_in_the_address_is_reported_by_the_page(ready):
    view, problems = from_query(ready, "index=12.5")
    assert (view.index, problems) == (12.5, "")
    assert sentence_of(lambda: ready.predict(index=12.5)) in unescape(shown(ready, view).image_message)


def test_a_first_visit_shows_the_template_of_the_readme(toy_backend):
    assert start(toy_backend).templates == README_TEMPLATE


# --- starting ----------------------------------------------------------------------------------------------------


def test_the_front_end_does_not_import_torch():
    code = "import sys, app; print({'torch', 'torchvision', 'clip', 'sklearn'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_no_font_and_no_statistics_are_fetched():
    options = launch_options()
    fonts = options["theme"]._font + options["theme"]._font_mono
    assert not any(isinstance(font, (gr.themes.GoogleFont, gr.themes.LocalFont)) for font in fonts)
    assert "http" not in options["css"] + options["head"]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_gradio_is_complete_without_its_stubs():
    code = (
        "import inspect, clip_demo.ui, gradio\n"
        "assert inspect.getfile(gradio.Textbox).endswith('textbox.py')\n"
        "print(callable(gradio.Textbox().change), callable(gradio.Image().upload))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", "True"]
