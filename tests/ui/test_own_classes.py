"""The tab "Your classes" without a browser, on the toy encoder: photos are their mean colours."""

import base64
import gc
import http.client
import json
import re
import threading
import time
import urllib.request
import weakref
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers import wait_for
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.errors import OptionError
from clip_demo.own_classes.held_out import held_out
from clip_demo.own_classes.photo_set import MAX_PHOTOS, OwnClass, PhotoSet
from clip_demo.paths import EXAMPLES
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui import event_errors
from clip_demo.ui.own_classes.accuracy_view import answers_csv, details, summary
from clip_demo.ui.own_classes.commands import MAX_FILES, Commands
from clip_demo.ui.own_classes.events import Measurements, answer_html
from clip_demo.ui.own_classes.figure import accuracy_figure
from clip_demo.ui.own_classes.text import INTRODUCTION, METHODS, RENAME, formula
from clip_demo.ui.own_classes.view import thumbnail_url
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.uploads import NO_UPLOAD, NOT_ARRIVED, temporary_upload

ME, OTHER = "a" * 32, "b" * 32
COLOURS = {"red": ["tomato", "red", "darkred", "firebrick"], "blue": ["blue", "navy", "slateblue", "royalblue"]}
TEMPLATES = "a photo of a {}\na drawing of a {}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Gradio's upload folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


@pytest.fixture
def upload(folder):
    """Return a function that puts a photo where Gradio stores uploads, and returns its path."""
    made = []

    def put(colour, name=None):
        path = folder / f"{len(made):04x}" / (name or f"once-{len(made)}.png")
        path.parent.mkdir(parents=True)
        Image.new("RGB", (40, 30), colour).save(path)
        made.append(path)
        return str(path)

    return put


@pytest.fixture
def do(toy_backend):
    """Return a function that runs a command of a visitor and returns the answer."""
    commands = Commands(toy_backend)

    def run(verb, visitor=ME, model="toy", /, **arguments):
        return json.loads(commands.run(visitor, {"do": verb, **arguments}, model, TEMPLATES))

    return run


@pytest.fixture
def taught(do, upload):
    """The keys of eight photos of two classes."""
    for position, (name, colours) in enumerate(COLOURS.items()):
        do("rename", **{"class": position, "name": name})
        answer = do("add", **{"class": position, "paths": [upload(colour) for colour in colours]})
    return [each["keys"] for each in answer["classes"]]


def names_and_counts(answer):
    return [(each["name"], len(each["keys"])) for each in answer["classes"]]


# --- commands -----------------------------------------------------------------------------------------------------


def test_photos_are_added_and_only_their_thumbnails_are_answered(do, upload):
    first = do("add", **{"class": 1, "paths": [upload("red"), upload("blue")]})
    assert names_and_counts(first) == [("class 1", 0), ("class 2", 2)] and first["canUndo"]
    assert all(url.startswith("data:image/webp;base64,") for url in first["thumbnails"].values())
    second = do("add", **{"class": 0, "paths": [upload("green")]})
    assert list(second["thumbnails"]) == second["classes"][0]["keys"]
    assert do("look")["thumbnails"] == {} and len(do("look", all=True)["thumbnails"]) == 3


def test_photos_are_deleted_and_moved_and_all_can_be_undone(do, taught):
    (first, second, *_), blue = taught
    assert names_and_counts(do("delete", key=first)) == [("red", 3), ("blue", 4)]
    moved = do("move", key=second, **{"class": 1})
    assert [each["keys"] for each in moved["classes"]] == [taught[0][2:], [*blue, second]]
    assert names_and_counts(do("undo")) == [("red", 3), ("blue", 4)]
    back = do("undo")
    assert [each["keys"] for each in back["classes"]] == taught
    assert list(back["thumbnails"]) == [first]  # which the browser may have forgotten


def test_classes_come_and_go_and_starting_anew_can_be_undone(do, taught):
    assert names_and_counts(do("add-class"))[2] == ("class 3", 0)
    assert names_and_counts(do("remove-class", **{"class": 0})) == [("blue", 4), ("class 3", 0)]
    assert names_and_counts(do("forget")) == [("class 1", 0), ("class 2", 0)]
    assert names_and_counts(do("undo")) == [("blue", 4), ("class 3", 0)]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ({"do": "remove-class", "class": 0}, "is the only class name"),
        ({"do": "rename", "class": 0, "name": "blue"}, RENAME),
        ({"do": "rename", "class": 0, "name": " "}, RENAME),
        ({"do": "rename", "class": 0, "name": ["x"]}, RENAME),
        ({"do": "rename", "class": 7, "name": "x"}, "This class is not there any more."),
        ({"do": "delete", "key": "x"}, "This photo is not there any more."),
        ({"do": "move", "key": None, "class": 0}, "This photo is not there any more."),
        ({"do": "add", "class": 0, "paths": ["/etc/passwd"]}, NOT_ARRIVED),
        ({"do": "add", "class": 0, "paths": "x"}, NOT_ARRIVED),
        ({"do": "add", "class": 0, "paths": ["x"] * (MAX_FILES + 1)}, NOT_ARRIVED),
        ({"do": "open", "path": "/etc/passwd"}, NOT_ARRIVED),
        ({"do": "open", "path": str(EXAMPLES / "cat.jpg")}, "This is not a set of classes that this page saved"),
        ({"do": "dance"}, "The page did not load completely. Load it again."),
        ({"do": ["x"]}, "The page did not load completely. Load it again."),
        ({}, "The page did not load completely. Load it again."),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_lost(do, taught, toy_backend, command, sentence):
    before = toy_backend.teacher.kept.get(ME)
    answer = json.loads(Commands(toy_backend).run(ME, command, "toy", TEMPLATES))
    assert sentence in answer["message"] and answer["message"].endswith(".")
    assert toy_backend.teacher.kept.get(ME) is before


def test_the_photos_that_can_be_read_are_kept_and_the_others_named_in_one_message(do, upload):
    broken = [upload("red") for _ in range(2)]
    for path in broken:
        Path(path).write_text("no image")
    paths = [upload("red"), *broken, "/nowhere", upload("blue"), upload("blue")]
    answer = do("add", **{"class": 0, "paths": paths})
    assert names_and_counts(answer)[0] == ("class 1", 2)
    assert answer["message"] == (
        f"{NOT_ARRIVED} This file is not an image that can be read. Use one of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF. "
        "(2 files)"
    )
    again = do("add", **{"class": 1, "paths": [upload("red")]})
    assert again["message"] == "This photo was there already." and names_and_counts(again)[1] == ("class 2", 0)


def test_a_class_with_too_many_photos_says_so_and_keeps_what_it_had(do, upload, toy_backend):
    for start in range(0, MAX_PHOTOS, 10):
        do("add", **{"class": 0, "paths": [upload((5 * i, 0, 0)) for i in range(start, start + 10)]})
    answer = do("add", **{"class": 0, "paths": [upload((0, 9, 0))]})
    assert answer["message"] == "“class 1” would have 51 photos. A class can have 50; remove some first."
    assert names_and_counts(answer)[0] == ("class 1", 50)


def test_a_set_is_saved_and_opened_by_another_visitor(do, taught, folder, toy_backend):
    content = base64.b64decode(do("save", thumbnails=True)["file"])
    smaller = base64.b64decode(do("save", thumbnails=False)["file"])
    assert len(smaller) < len(content)
    (folder / "zip").mkdir()
    path = folder / "zip" / "once-1.zip"
    path.write_bytes(content)
    answer = do("open", OTHER, path=str(path))
    assert answer["opened"] == 8 and [each["keys"] for each in answer["classes"]] == taught
    assert not path.parent.exists()
    test = {"example": "cat"}
    assert answer_html(toy_backend, OTHER, test, "toy", TEMPLATES) == answer_html(
        toy_backend, ME, test, "toy", TEMPLATES
    )
    assert do("save", "c" * 32)["message"] == "Add a photo first."


def test_a_set_of_another_model_is_kept_and_says_which_model_it_needs(do, toy_backend, upload, taught):
    photos = toy_backend.teacher.kept.get(ME).classes
    toy_backend.teacher.kept.change(ME, lambda _: PhotoSet(photos, "RN50", "80" * 32))
    sentence = "Your photos were read with RN50. Choose that model again, or start anew."
    assert do("add", **{"class": 0, "paths": [upload("white")]})["message"] == sentence
    assert do("save")["message"] == sentence
    assert sentence in answer_html(toy_backend, ME, {"example": "cat"}, "toy", TEMPLATES)
    (html, _, _), *_ = Measurements(toy_backend).run(ME, "toy", TEMPLATES)
    assert sentence in html
    assert names_and_counts(do("look")) == [("red", 4), ("blue", 4)]


# --- answers ------------------------------------------------------------------------------------------------------


def shares(html):
    """Return the bars by the name of the classifier."""
    cards = re.findall(r'<section class="card.*?<h3.*?>(.*?)</h3>(.*?)</section>', html)
    bar = r"<bdi>(.*?)</bdi>.*?(?:percent\">([\d.]+)|(no photos))"
    return {name: {each: share or gone for each, share, gone in re.findall(bar, body)} for name, body in cards}


def test_the_four_classifiers_answer_side_by_side_in_the_order_of_the_classes(toy_backend, taught, upload):
    html = answer_html(toy_backend, ME, {"path": upload("maroon")}, "toy", TEMPLATES)
    found = shares(html)
    assert list(found) == ["Zero-shot", "Names and photos", "Nearest class mean", "Linear probe"]
    teacher = toy_backend.teacher
    examples = teacher.examples(teacher.kept.get(ME), templates=["a photo of a {}"])
    expected = teacher.predict(examples, Image.new("RGB", (40, 30), "maroon"))
    for answer, (name, bars) in zip(expected, found.items(), strict=True):
        assert METHODS[answer.classifier].name == name
        assert bars == {each: f"{100 * share:.2f}" for each, share in sorted(answer.classes, reverse=True)}
    assert formula(examples.n0) in html and f"is {examples.n0:g}:" in html


def test_a_photo_of_the_set_is_answered_by_what_learned_from_all_others(toy_backend, taught):
    teacher = toy_backend.teacher
    html = answer_html(toy_backend, ME, {"key": taught[0][1]}, "toy", TEMPLATES)
    rest = teacher.kept.get(ME).without_photo(taught[0][1])
    expected = teacher.predict(teacher.examples(rest, templates=["a photo of a {}"]), Image.new("RGB", (40, 30), "red"))
    found = [float(bars["red"]) for bars in shares(html).values()]
    np.testing.assert_allclose(found, [100 * dict(each.classes)["red"] for each in expected], atol=0.006)
    assert html.count("true label") == 4


def test_with_photos_of_one_class_the_names_answer_and_the_others_say_what_they_need(do, toy_backend, upload):
    keys = do("add", **{"class": 0, "paths": [upload("red")]})["classes"][0]["keys"]
    html = answer_html(toy_backend, ME, {"example": "cat"}, "toy", TEMPLATES)
    assert list(map(bool, shares(html).values())) == [True, False, False, False]
    assert html.count("Needs photos of at least two classes.") == 3
    assert "Give your classes names" in html
    do("add", **{"class": 1, "paths": [upload("blue")]})
    html = answer_html(toy_backend, ME, {"key": keys[0]}, "toy", TEMPLATES)
    assert html.count("The test photo is left out. Without it, fewer than two classes have photos.") == 3


def test_a_class_without_photos_has_no_bar_in_the_classifiers_that_know_only_photos(do, toy_backend, taught):
    do("add-class")
    found = shares(answer_html(toy_backend, ME, {"example": "cat"}, "toy", TEMPLATES))
    assert [bars["class 3"] == "no photos" for bars in found.values()] == [False, False, True, True]


@pytest.mark.parametrize("test", [{"key": "x"}, {"key": ["x"]}, {"example": "dog"}, {"example": {}}, {"path": 7}])
def test_a_test_photo_that_is_not_there_is_said(toy_backend, taught, test):
    assert 'role="alert"' in answer_html(toy_backend, ME, test, "toy", TEMPLATES)


def test_class_names_are_text_and_never_markup(do, toy_backend, taught):
    do("rename", **{"class": 0, "name": "<img src=x>"})
    *_, (above, _, below) = Measurements(toy_backend).run(ME, "toy", TEMPLATES)
    html = answer_html(toy_backend, ME, {"key": taught[0][0]}, "toy", TEMPLATES)
    assert "&lt;img src=x&gt;" in html and "&lt;img src=x&gt;" in below
    assert "<img src=x>" not in html + above + below


def test_while_the_model_loads_nothing_is_lost_and_the_browser_asks_again(toy_encoder, toy_dataset, folder, upload):
    ready = threading.Event()
    pool = ModelPool(lambda name, progress: ready.wait(30) and toy_encoder, ("toy",), is_downloaded=lambda name: True)
    backend = Backend(pool, datasets={"toys": toy_dataset})
    html = answer_html(backend, ME, {"example": "cat"}, "toy", TEMPLATES)
    assert 'data-again="1"' in html and "The bars will appear when the model is ready." in html
    add = {"do": "add", "class": 0, "paths": [upload("red")]}
    sentence = "toy is not ready yet. Wait until it is, or choose another model."
    assert json.loads(Commands(backend).run(ME, add, "toy", TEMPLATES))["message"] == sentence
    ready.set()
    assert backend.encoder() is toy_encoder
    assert "Zero-shot" in answer_html(backend, ME, {"example": "cat"}, "toy", TEMPLATES)


# --- accuracies ---------------------------------------------------------------------------------------------------


def test_accuracies_are_those_of_the_photos_left_out(toy_backend, taught):
    teacher = toy_backend.teacher
    photo_set = teacher.kept.get(ME)
    expected = held_out(teacher.examples(photo_set, templates=["a photo of a {}"]))
    *_, (above, plot, below) = Measurements(toy_backend).run(ME, "toy", TEMPLATES)
    assert above == summary(expected, photo_set) and below == details(expected, photo_set)
    assert "8 of 8</td><td>100\N{NO-BREAK SPACE}%</td><td>68 to 100" in above
    assert plot.visible and thumbnail_url(photo_set.photos[expected.doubt]) in below
    figure = accuracy_figure(expected, 3)
    for trace, name in zip(figure.data, METHODS, strict=True):
        points = expected.curves[name]
        np.testing.assert_allclose(trace.y, [each.accuracy for each in points])
        np.testing.assert_allclose(np.subtract(trace.y, trace.error_y.arrayminus), [each.low for each in points])
        np.testing.assert_allclose(np.add(trace.y, trace.error_y.array), [each.high for each in points])
    assert list(figure.layout.xaxis.tickvals) == [1, 2, 3]


def test_the_csv_has_the_answer_of_each_classifier_to_each_photo(toy_backend, taught):
    teacher = toy_backend.teacher
    photo_set = teacher.kept.get(ME).renamed(0, "=red")
    result = held_out(teacher.examples(photo_set))
    lines = answers_csv(result, photo_set).splitlines()
    assert lines[0] == "photo,class,zero_shot,text_and_photos,nearest_mean,linear_probe"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        *([str(n), "'=red"] for n in range(1, 5)),
        *([str(n), "blue"] for n in range(1, 5)),
    ]


def test_too_few_photos_are_too_early_and_none_is_nothing(do, toy_backend, upload):
    measure = Measurements(toy_backend).run
    ((above, plot, below),) = measure(ME, "toy", TEMPLATES)
    assert (above, plot.visible, below) == ("", False, "")
    for position in range(2):
        do("add", **{"class": position, "paths": [upload((9 * i, 100 * position, 0)) for i in range(2 + position)]})
    ((above, plot, below),) = measure(ME, "toy", TEMPLATES)
    assert "It is too early to say." in above and not plot.visible


def test_a_new_measurement_ends_the_visitors_last_one(toy_backend, taught, do):
    measurements = Measurements(toy_backend)

    class Running:
        cancelled = False

        def cancel(self):
            self.cancelled = True

        def done(self):
            return False

    mine, others = Running(), Running()
    measurements._running.update({ME: mine, OTHER: others})
    list(measurements.run(ME, "toy", TEMPLATES))
    assert mine.cancelled and not others.cancelled


def test_of_a_measurement_whose_visitor_left_nothing_is_kept(toy_backend, taught, monkeypatch):
    teacher, began = toy_backend.teacher, threading.Event()

    def endless(examples, *, model, progress):
        while True:
            progress("tests", 0, 1)
            began.set()
            time.sleep(0.01)

    monkeypatch.setattr(teacher, "held_out", endless)
    photos = teacher.examples(teacher.kept.get(ME), templates=["a photo of a {}"], model="toy").photos
    gone, measurements = weakref.ref(photos), Measurements(toy_backend)
    del photos
    running = measurements.run(ME, "toy", TEMPLATES)
    next(running)
    assert began.wait(10)
    running.close()
    teacher.kept.forget(ME)
    wait_for(lambda: gc.collect() is not None and gone() is None)
    assert measurements._running == {}


# --- privacy ------------------------------------------------------------------------------------------------------


def test_an_upload_is_deleted_at_once_also_after_an_error(do, upload, folder, toy_backend):
    paths = [upload("red"), upload("blue")]
    Path(paths[0]).write_text("no image")
    do("add", **{"class": 9, "paths": paths})  # there is no such class
    answer_html(toy_backend, ME, {"path": upload("red")}, "toy", TEMPLATES)
    answer_html(toy_backend, "nobody", {"path": upload("red")}, "toy", TEMPLATES)
    answer_html(toy_backend, ME, {"path": upload("red")}, "nowhere", TEMPLATES)
    do("add", ME, "nowhere", **{"class": 0, "paths": [upload("green")]})
    do("open", path=upload("red"))
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert list(folder.iterdir()) == []


def test_no_call_deletes_an_example_photo_or_what_another_tab_uploaded(do, upload):
    example, other = EXAMPLES / "cat.jpg", Path(upload("red", name="holiday.png"))
    do("add", **{"class": 0, "paths": [str(example), str(other)]})
    with temporary_upload({"path": str(example)}):
        pass
    assert example.exists() and other.exists()


def test_another_visitor_sees_nothing_of_a_set(do, taught, toy_backend):
    answer = do("look", OTHER, all=True)
    assert names_and_counts(answer) == [("class 1", 0), ("class 2", 0)] and answer["thumbnails"] == {}
    assert "This photo is not there any more" in answer_html(
        toy_backend, OTHER, {"key": taught[0][0]}, "toy", TEMPLATES
    )
    do("forget", OTHER)
    assert names_and_counts(do("look")) == [("red", 4), ("blue", 4)]


@pytest.mark.parametrize("token", [None, "", "a", ["a"], {"a": 1}, "A" * 32, "a" * 33, f"{ME}\n"])
def test_without_a_visitors_token_nothing_is_answered(do, toy_backend, token):
    with pytest.raises(OptionError, match="32 hexadecimal digits"):
        do("look", token)
    assert "The page did not load completely" in answer_html(toy_backend, token, {}, "toy", TEMPLATES)
    ((html, _, _),) = Measurements(toy_backend).run(token, "toy", TEMPLATES)
    assert "The page did not load completely" in html


def test_of_a_photo_only_a_small_copy_and_its_features_are_kept(taught, toy_backend):
    for photo in toy_backend.teacher.kept.get(ME).photos:
        assert vars(photo).keys() == {"key", "thumbnail", "features"}
        assert photo.nbytes < 400


@pytest.fixture
def served(toy_backend, folder):
    demo = build_ui(toy_backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield demo, url
    demo.close(verbose=False)


def events_of(demo):
    """Return the numbers of the tab's events by their names."""
    return {each.name: number for number, each in demo.fns.items()}


def call(client, number, data):
    """Send an event as the browser does, and return the first value of its answer."""
    session = client.session_hash
    body = {"fn_index": number, "data": ["toy", TEMPLATES], "event_data": data, "session_hash": session}
    with closing(http.client.HTTPConnection(client.src.split("/")[2], timeout=60)) as connection:
        connection.request("POST", "/gradio_api/queue/join", json.dumps(body), {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        lines = connection.getresponse().read().decode().splitlines()
    messages = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return next(each for each in messages if each["msg"] == "process_completed")["output"]["data"][0]


def test_gradios_sessions_remember_nothing_of_photos_and_visitors(served, upload, toy_backend):
    demo, url = served
    client = Client(url, verbose=False)
    try:
        token = "1234567890abcdef" * 2
        add = {"do": "add", "class": 0, "paths": [upload("red")]}
        events = events_of(demo)
        answer = json.loads(call(client, events["command"], {"token": token, "command": add}))
        key = answer["classes"][0]["keys"][0]
        html = call(client, events["predict"], {"token": token, "test": {"key": key}})
        assert "Zero-shot" in html and next(iter(answer["thumbnails"].values())).startswith("data:image")
        session = demo.state_holder.session_data[client.session_hash]
        remembered = repr([session.config_values, session.state_data])
        for secret in (token, key, *answer["thumbnails"].values(), "Nearest class mean"):
            assert secret not in remembered, secret
        assert toy_backend.teacher.kept.get(token).photos[0].key == key
    finally:
        client.close()


def test_an_answer_that_nobody_fetched_is_dropped_and_others_stay(served, upload, monkeypatch):
    demo, url = served
    messages = demo._queue.pending_messages_per_session

    def ask(command):
        data = {"token": ME, "command": command}
        body = {"fn_index": events_of(demo)["command"], "data": ["toy", TEMPLATES], "event_data": data}
        body = json.dumps({**body, "session_hash": "left"}).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}gradio_api/queue/join", body, head)
        return json.load(urllib.request.urlopen(request))["event_id"]

    def waiting():
        return {each.event_id for each in list(messages["left"]._queue) if each.msg == "process_completed"}

    later = ask({"do": "look", "all": True})
    wait_for(lambda: waiting() == {later})
    monkeypatch.setattr(event_errors, "UNREAD_SECONDS", 0.5)
    soon = ask({"do": "add", "class": 0, "paths": [upload("red")]})
    wait_for(lambda: soon in waiting())
    wait_for(lambda: soon not in waiting())
    assert waiting() == {later}


def post(url, arguments):
    """Return what the endpoint answers to plain HTTP, where no client uploads the files of its own computer."""
    head = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}gradio_api/call/v2/own_classes", json.dumps(arguments).encode(), head)
    event = json.load(urllib.request.urlopen(request))["event_id"]
    return urllib.request.urlopen(f"{url}gradio_api/call/own_classes/{event}").read().decode()


# --- the endpoint -------------------------------------------------------------------------------------------------


def test_the_endpoint_answers_what_the_teacher_answers_and_keeps_nothing(served, tmp_path, toy_backend):
    _, url = served
    paths, labels = [], []
    for name, colours in COLOURS.items():
        for colour in colours:
            paths.append(tmp_path / f"{colour}.png")
            Image.new("RGB", (40, 30), colour).save(paths[-1])
            labels.append(name)
    client = Client(url, verbose=False)
    try:
        arguments = {"classnames": list(COLOURS), "photos": list(map(handle_file, paths)), "labels": labels}
        answer = client.predict(
            **arguments, tests=[handle_file(paths[1])], template="a {}", held_out=True, api_name="/own_classes"
        )
        for wrong, message in (
            ({"labels": labels[1:]}, "labels: got 7 for 8 photos"),
            ({"labels": ["green"] * 8}, "labels: 'green' is not one of classnames"),
            ({"classnames": ["red"]}, "labels: 'blue' is not"),
            ({"classnames": [f"name {i}" for i in range(11)]}, "classnames: got 11; give a list of at most 10"),
        ):
            with pytest.raises(AppError, match=message):
                client.predict(**{**arguments, **wrong}, api_name="/own_classes")
    finally:
        client.close()
    passwd = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    for foreign in ({"photos": [passwd], "labels": ["red"]}, {"photos": [], "labels": [], "tests": [passwd]}):
        assert NO_UPLOAD in post(url, {"classnames": ["red", "blue"], **foreign})
    teacher, photo_set = toy_backend.teacher, PhotoSet(tuple(map(OwnClass, COLOURS)))
    for position in range(2):
        photo_set = teacher.add(photo_set, position, paths[4 * position : 4 * position + 4])
    examples = teacher.examples(photo_set, templates=["a {}"])
    expected = {each.classifier: dict(each.classes) for each in teacher.predict(examples, paths[1])}
    assert answer["model"] == "toy" and answer["tests"] == [expected]
    assert answer["held_out"]["zero_shot"]["accuracy"] == held_out(examples).curves["zero_shot"][-1].accuracy
    assert len(teacher.kept) == 0


@pytest.mark.parametrize(
    ("n0", "counts", "share"), [(0.5, "half a photo", 94), (8, "8 photos", 50), (64, "64 photos", 11)]
)
def test_the_mixture_is_said_in_plain_numbers(n0, counts, share):
    said = formula(n0)
    assert f"the name of a class counts as much as {counts} of it" in said
    assert f"a class with 8 photos is described to {share}\N{NO-BREAK SPACE}% by their average" in said
    assert f"is {n0:g}:" in said


def test_the_introduction_counts_what_each_classifier_knows():
    assert "one knows only the names, two know only the photos, and one knows both" in INTRODUCTION
