"""The page without a browser: its endpoint, its markup and how it starts."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from types import SimpleNamespace

import gradio as gr
import pytest
from clip_demo.zero_shot.templates import README_TEMPLATE
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from clip_demo.backend import Backend, Prediction, Status
from clip_demo.datasets.shapes100 import UNSEEN_CLASSNAMES
from clip_demo.linear_probe.head import LinearProbe, ProbeScore, Provenance
from clip_demo.ui.explore.hints_tmp import hint
from clip_demo.ui.explore.prediction_cards import results
from clip_demo.ui.explore.view import answer
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.permalink import View, from_query, start, to_query
from clip_demo.ui.status_line import banner
from clip_demo.zero_shot.classifier import ZeroShotScore
from clip_demo.zero_shot.prompt_set import PromptSet

PROVENANCE = Provenance(
    "toy", "70" * 32, "toys", 50_000, 10_000, 0.316, 1000, 42, 0, False, 0.4012, {"numpy": "2"}, "2026-01-31"
)


def launch(backend):
    demo = build_ui(backend)
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **{**launch_options(), "server_port": None}
    )
    return SimpleNamespace(demo=demo, url=url, client=Client(url, verbose=False))


@pytest.fixture
def served(toy_backend):
    """The page on a free port."""
    page = launch(toy_backend)
    try:
        yield page
    finally:
        page.demo.close()


def call(url, arguments, endpoint="predict"):
    """Call an endpoint as curl does: one request to start, one to fetch the answer."""
    body = json.dumps(arguments).encode()
    request = urllib.request.Request(f"{url}gradio_api/call/v2/{endpoint}", body, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(request))["event_id"]
    lines = urllib.request.urlopen(f"{url}gradio_api/call/{endpoint}/{event}").read().decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    return fields["event"], json.loads(fields["data"])


# --- the endpoint ------------------------------------------------------------------------------------------------


def test_there_are_two_endpoints_and_their_parameters_are_documented(served):
    endpoints = served.client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/predict", "/evaluate"]
    names = [each["parameter_name"] for each in endpoints["/predict"]["parameters"]]
    assert names == ["image", "index", "dataset", "classnames", "templates", "replace_underscores", "top_k", "model"]
    assert all(each["parameter_has_default"] for each in endpoints["/predict"]["parameters"])
    names = [each["parameter_name"] for each in endpoints["/evaluate"]["parameters"]]
    assert names == [
        *("dataset", "classnames", "templates", "replace_underscores", "model"),
        *("baseline_classnames", "baseline_templates", "baseline_replace_underscores"),
    ]
    assert all(each["parameter_has_default"] for each in endpoints["/evaluate"]["parameters"])


def test_predict_answers_what_the_backend_answers(served, toy_backend, tmp_path):
    def predict(**arguments):
        return served.client.predict(**arguments, api_name="/predict")

    assert predict(index=3) == toy_backend.predict(index=3).to_dict()
    names, templates = ["red_a", "green", "blue"], ["a {}", "the red {}"]
    expected = toy_backend.predict(
        index=3, classnames=names, templates=templates, replace_underscores=True, top_k=2
    ).to_dict()
    assert predict(index=3, classnames=names, templates=templates, replace_underscores=True, top_k=2) == expected
    typed = predict(
        index=3, classnames="red_a, green\nblue", templates="a {}\nthe red {}", replace_underscores=True, top_k=2
    )
    assert typed == expected
    path = tmp_path / "transparent.png"
    Image.new("RGBA", (40, 30), (255, 0, 0, 128)).save(path)
    answered = predict(image=handle_file(path), dataset="toys")
    assert answered == toy_backend.predict(image=path, dataset="toys").to_dict()
    assert (answered["index"], answered["truth"]) == (None, None)


def test_predict_by_plain_http(served, toy_backend):
    assert call(served.url, {"index": 3}) == ("complete", [toy_backend.predict(index=3).to_dict()])
    event, data = call(served.url, {"index": 3, "templates": ["no placeholder"]})
    assert event == "error"
    assert data["error"].startswith("templates: 'no placeholder' has no {}; write {} exactly once")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "image, index: neither came"),
        ({"index": 20}, "index: 20 is not in the test split of Toys-5; use a whole number from 0 to 19."),
        ({"index": 1, "dataset": "nowhere"}, "images: 'nowhere' is unknown"),
        ({"index": 1, "classnames": ["red"]}, "classnames: only 1 came"),
        ({"index": 1, "classnames": "red, Red"}, "make the same prompt"),
        ({"index": 1, "templates": "a {"}, "has no {}"),
        ({"index": 1, "top_k": 0}, "top_k: 0 is not allowed"),
        ({"index": 1, "model": "/etc/passwd"}, "model: '/etc/passwd' is not offered here"),
    ],
)
def test_predict_passes_the_message_of_an_error_on(served, arguments, message):
    with pytest.raises(AppError) as raised:
        served.client.predict(**arguments, api_name="/predict")
    assert message in str(raised.value)


def test_evaluate_answers_what_the_backend_answers(served, toy_backend):
    def evaluate(**arguments):
        return served.client.predict(**arguments, api_name="/evaluate")

    assert evaluate() == toy_backend.evaluate().to_dict()
    assert set(evaluate()) == {"top1", "top5", "per_class", "n", "difference", "probe_top1"}
    names, own = ["green", "red", "blue", "yellow", "white"], list(toy_backend.datasets["toys"].classnames)
    expected = toy_backend.evaluate(
        classnames=names, templates=["a {}", "the {}"], baseline=PromptSet(tuple(own), ("a {}", "the {}"))
    ).to_dict()
    assert evaluate(classnames=names, templates=["a {}", "the {}"], baseline_classnames=own) == expected
    assert expected["difference"]["lost"] == 8 and expected["per_class"] == [0, 0, 1, 1, 1]
    typed = evaluate(classnames=", ".join(names), templates="a {}\nthe {}", baseline_classnames="\n".join(own))
    assert typed == expected
    assert call(served.url, {"templates": ["a {}"]}, "evaluate") == ("complete", [toy_backend.evaluate().to_dict()])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"classnames": ["red", "blue"]}, "classnames: 2 came; the test set of Toys-5 needs one for each"),
        ({"templates": ["a {"]}, "has no {}"),
        ({"baseline_templates": "a photo"}, "baseline, templates: 'a photo' has no {}"),
        ({"baseline_classnames": "red, blue"}, "baseline, classnames: 2 came"),
        ({"dataset": "nowhere"}, "images: 'nowhere' is unknown"),
        ({"model": "/etc/passwd"}, "model: '/etc/passwd' is not offered here"),
    ],
)
def test_evaluate_passes_the_message_of_an_error_on(served, arguments, message):
    with pytest.raises(AppError) as raised:
        served.client.predict(**arguments, api_name="/evaluate")
    assert message in str(raised.value)


def test_predict_opens_nothing_but_uploads(served, tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    event, data = call(served.url, {"image": {"path": str(secret)}})
    assert event == "error" and "that is no uploaded image" in data["error"]
    event, data = call(served.url, {"image": {"path": str(secret), "meta": {"_type": "gradio.FileData"}}})
    assert event == "error"
    assert "zero_shot" not in str(data)


def test_predict_says_that_a_file_is_no_image(served, tmp_path):
    path = tmp_path / "text.png"
    path.write_text("no image")
    with pytest.raises(AppError, match="'text.png' is not an image that can be read"):
        served.client.predict(image=handle_file(path), api_name="/predict")


def test_the_page_answers_while_the_model_is_loading(toy_encoder, toy_images):
    go = threading.Event()

    def load(name, progress):
        assert go.wait(60)
        return toy_encoder

    page = launch(Backend(load, datasets={"toys": toy_images}))
    try:
        assert b"CLIP Explorer" in urllib.request.urlopen(page.url).read()
        job = page.client.submit(index=2, api_name="/predict")
        assert not job.done()
        go.set()
        assert job.result(timeout=20)["truth"] == "blue"
    finally:
        go.set()
        page.demo.close()


# --- the markup --------------------------------------------------------------------------------------------------


def toy_prediction(zero_shot, probe=None, truth=None):
    def shares(labels, kind, *more):
        return tuple(kind(label, 0.6 / (place + 1), *more) for place, label in enumerate(labels))

    head = probe and LinearProbe(PROVENANCE, shares(probe, ProbeScore))
    return Prediction("toy", "toys", 1, truth, shares(zero_shot, ZeroShotScore, 0.25314), head)


def drawn(prediction):
    toys = SimpleNamespace(
        name="toys", title="Toys-5", classnames=tuple("abcde"), sizes={"train": 50_000}, available=lambda: True
    )
    return results(prediction, toys, n_classes=7, n_templates=2)


def test_bars_show_two_decimals_and_the_cosine_and_mark_the_truth():
    page = drawn(toy_prediction(["sweet pepper", "cat"], ["sweet_pepper", "dog"], truth="sweet_pepper"))
    assert "60.00\N{NO-BREAK SPACE}%" in page and "30.00\N{NO-BREAK SPACE}%" in page
    assert page.count("cosine 0.2531") == 2
    assert page.count("✓ true") == 2
    assert "Both say <strong>sweet_pepper</strong>, and both are right." in page
    assert "among your <b>7 classes</b> · <b>2 templates</b>" in page
    assert "always answers within its own <b>5 classes</b> of <b>Toys-5</b>, whatever the class list says" in page


@pytest.mark.parametrize(
    "zero_shot, probe, truth, said",
    [
        (["cat"], ["dog"], "dog", "They disagree: zero-shot says <strong>cat</strong>, the probe says"),
        (["cat"], ["dog"], "cat", "; zero-shot is right."),
        (["cat"], ["dog"], "cow", "; neither is right."),
        (["cat"], ["cat"], "cow", "Both say <strong>cat</strong>; neither is right."),
        (["cat"], ["cat"], None, "Both say <strong>cat</strong>."),
    ],
)  # fmt: skip
def test_the_badge_says_who_agrees_and_who_is_right(zero_shot, probe, truth, said):
    assert said in drawn(toy_prediction(zero_shot, probe, truth))


def test_a_missing_head_is_said_and_nothing_is_invented():
    page = drawn(toy_prediction(["cat"], truth="cat"))
    assert "No head was fitted on the features of <b>toy</b> for <b>Toys-5</b> yet" in page
    assert 'class="badge' not in page and page.count('class="bar ') == 1


def test_the_place_of_a_truth_beyond_the_bars_is_said():
    labels = list("abcdefg")
    page = drawn(toy_prediction(labels, labels[:6], truth="g"))
    assert page.count('<li class="bar') == 10
    assert "True label <strong>g</strong>: number 7, 8.57\N{NO-BREAK SPACE}%" in page
    assert "True label <strong>g</strong>: not in the head’s classes" in page


def test_nothing_typed_becomes_markup():
    label = "<img src=x onerror=alert(1)>\"'"
    page = drawn(toy_prediction([label], [label], truth=label))
    assert "<img" not in page and "&lt;img" in page


def test_the_status_line_says_model_image_set_and_head(toy_backend):
    status = Status("toy", "a toy", "ready", "", toy_backend.status().datasets, "toys")
    line = banner(status, "toys", PROVENANCE)
    for part in (
        "<strong>toy</strong> — a toy",
        "Toys-5",
        "50,000 images, C=0.316, 40.1\N{NO-BREAK SPACE}% on its test set",
    ):
        assert part in line
    assert "none for toy on Toys-5: not fitted yet" in banner(status, "toys", None)
    loading = Status("toy", "", "loading", "toy is loading …", status.datasets, "toys")
    assert "toy is loading …" in banner(loading, "toys", None)


# --- the fields and the address ----------------------------------------------------------------------------------


def test_an_error_keeps_the_last_results_and_says_why(toy_backend):
    view = View("toys", 3, "a {", "red\ngreen", False, "toy")
    made = answer(toy_backend, view, own=False, photo=None)
    assert made.results is None and "has no {}" in made.alert and 'role="alert"' in made.alert
    assert "True label: <strong>yellow</strong>" in made.image  # the image itself is no part of the error
    made = answer(toy_backend, View("toys", None, "a {}", "red\ngreen", False, "toy"), own=False, photo=None)
    assert "index: none came" in made.alert


def test_stored_features_stand_in_for_images_that_are_not_on_disk(toy_backend, toy_images, monkeypatch):
    monkeypatch.setattr(toy_images, "available", lambda: False)
    monkeypatch.setattr(toy_backend, "predict", lambda **_: toy_prediction(["red", "green"], truth="green"))
    made = answer(toy_backend, start(toy_backend), own=False, photo=None)
    assert "The image itself is not on disk" in made.image and "<strong>green</strong>" in made.image
    assert "60.00" in made.results and made.alert == ""


def test_an_own_image_is_asked_for_before_it_is_there(toy_backend):
    made = answer(toy_backend, start(toy_backend), own=True, photo=None)
    assert "click an example" in made.results and made.alert == ""


def test_the_address_holds_everything_and_stays_short_for_a_first_visit(toy_backend):
    first = start(toy_backend)
    assert to_query(toy_backend, first) == "images=toys&index=0"
    assert from_query(toy_backend, "") == (first, "")
    view = View("toys", 7, "a {} & b\nthe {}", "red, blue_ü\n100 %", True, "toy")
    assert from_query(toy_backend, "?" + to_query(toy_backend, view)) == (view, "")


@pytest.mark.parametrize(
    "query, said",
    [
        ("images=x", "images: 'x' in the address is unknown; use one of 'toys'."),
        ("index=x", "index: 'x' in the address is not a number"),
        ("index=nan", "index: 'nan' in the address is not a number"),
        ("index=1e300", "index: '1e300' in the address is not a number"),
        ("spaces=x", "spaces: 'x' in the address is neither 1 nor 0"),
        ("model=x", "model: 'x' in the address is not offered here"),
    ],
)
def test_a_broken_address_is_said_and_the_first_visit_is_shown(toy_backend, query, said):
    view, problems = from_query(toy_backend, query)
    assert view == start(toy_backend)
    assert said in problems


def test_an_index_that_does_not_exist_is_left_to_the_page_to_complain_about(toy_backend):
    view, problems = from_query(toy_backend, "index=12.5")
    assert (view.index, problems) == (12.5, "")
    assert "index: 12.5 is not in the test split" in answer(toy_backend, view, own=False, photo=None).alert


def test_templates_of_the_article_are_what_a_first_visit_shows(toy_backend):
    assert start(toy_backend).templates == README_TEMPLATE


# --- starting ----------------------------------------------------------------------------------------------------


def test_the_front_end_brings_no_torch():
    code = "import sys, app; print({'torch', 'torchvision', 'clip', 'sklearn'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--model", "ViT-B/33"], "model: 'ViT-B/33' is neither a known model nor a file"),
        (["--dataset", "imagenet"], "images: 'imagenet' is unknown; use one of 'cifar100', 'shapes100'."),
        (["--data-root", "/nowhere/at/all"], "'/nowhere/at/all' is not a folder"),
    ],
)
def test_a_bad_argument_is_one_line_and_status_2(repository, arguments, said):
    out = subprocess.run(
        [sys.executable, "app.py", *arguments], cwd=repository, capture_output=True, text=True, timeout=60
    )
    assert out.returncode == 2
    assert said in out.stderr and out.stderr.count("\n") == 1


def test_no_font_and_no_statistics_are_fetched():
    options = launch_options()
    fonts = options["theme"]._font + options["theme"]._font_mono
    assert not any(isinstance(font, (gr.themes.GoogleFont, gr.themes.LocalFont)) for font in fonts)
    assert "http" not in options["css"] + options["head"]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


@pytest.mark.parametrize(
    ("model", "dataset", "truth", "said"),
    [
        ("tiny", "cifar100", "snake", "not how CLIP generalises"),
        ("tiny", "cifar100", None, "not how CLIP generalises"),
        ("tiny", "shapes100", UNSEEN_CLASSNAMES[0], f"“<b>{UNSEEN_CLASSNAMES[0]}</b>”, and no image showed one"),
        ("tiny", "shapes100", "red circle", "20 other pairs of colour and shape were kept from it"),
        ("tiny", "shapes100", None, None),
        ("ViT-B/32", "cifar100", "snake", None),
    ],
)
def test_the_page_says_what_the_built_in_model_was_told(model, dataset, truth, said):
    scores = (ZeroShotScore("a", 1.0, 0.3),)
    got = hint(Prediction(model, dataset, None if truth is None else 0, truth, scores, None))
    assert said in got if said else got == ""


def test_gradio_comes_whole_without_its_stubs():
    code = (
        "import inspect, clip_demo.ui, gradio\n"
        "assert inspect.getfile(gradio.Textbox).endswith('textbox.py')\n"
        "print(callable(gradio.Textbox().change), callable(gradio.Image().upload))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["True", "True"]
