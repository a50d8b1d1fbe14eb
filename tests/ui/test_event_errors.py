"""Every event and every request to an endpoint ends in an answer or in a sentence."""

import asyncio
import http.client
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import gradio as gr
import orjson
import pytest
from conftest import ToyDataset, ToyEncoder
from gradio.events import EventData
from gradio.state_holder import SessionState
from gradio_client import Client
from gradio_client.exceptions import AppError

from clip_demo.backend import Backend
from clip_demo.errors import OptionError
from clip_demo.linear_probe.pipeline import Stores
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui import event_errors
from clip_demo.ui.event_errors import OUTDATED, UNREADABLE, Page
from clip_demo.ui.event_options import UNEXPECTED
from clip_demo.ui.page import build_ui, launch_options
from clip_demo.ui.uploads import NO_UPLOAD, NOT_ARRIVED

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page on a free port, once for all tests of this file, with its model loaded."""
    stores = Stores.open(tmp_path_factory.mktemp("stores"))
    backend = Backend(ModelPool.of(ToyEncoder()), datasets={"toys": ToyDataset()}, stores=stores)
    assert backend.encoder()
    demo = build_ui(backend)
    demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield demo
    demo.close()


@pytest.fixture(autouse=True)
def nothing_logged_yet():
    event_errors._counts.clear()


async def first_answer(demo, state, event, values, data=None):
    """Run an event as Gradio's queue does, up to its first answer."""
    target = EventData(None, data)
    return (await demo.process_api(block_fn=event, inputs=values, state=state, event_data=target))["data"]


async def outcomes(demo, calls):
    """Return what each call of an event ends in: its answer, or the exception that it raises."""
    state, ends = SessionState(demo), []
    for call in calls:
        try:
            ends.append(await first_answer(demo, state, *call))
        except Exception as error:
            ends.append(error)
    return ends


def run(demo, *calls):
    with ThreadPoolExecutor(1) as thread:  # in this one, Playwright's event loop may be running
        return thread.submit(lambda: asyncio.run(outcomes(demo, calls))).result()


ODD = [
    *(
        None,
        True,
        -1,
        1e308,
        float("nan"),
        10**30,
        "",
        "x" * 100_000,
        "a {}\ud83d, \ud83d",
        "<img src=x>",
        "\0\u202e\u200d",
    ),
    *([], [[["a"]]], {}, {"value": [1]}, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, {"path": 7}),
]
CARRIED = ("value", "name", "job", "address", "experiment", "answer", "token", "command", "test")


@pytest.mark.filterwarnings("ignore:The value passed into gr.Dropdown")
@pytest.mark.parametrize("odd", ODD, ids=lambda value: ascii(value)[:20])
def test_every_event_answers_odd_values_with_an_answer_or_a_sentence(page, odd):
    events = list(page.fns.values())
    assert {"show_restored", "open_image", "show_headline", "draw_curve", "predict"} <= {each.name for each in events}
    ends = run(page, *((each, [odd] * len(each.inputs), dict.fromkeys(CARRIED, odd)) for each in events))
    for end in ends:
        if isinstance(end, Exception):
            assert isinstance(end, gr.Error) and not end.print_exception
            assert re.fullmatch(r"\S.*[.:\]]", end.message, re.DOTALL) and len(end.message) < 1_010
            end.message.encode()
        else:
            orjson.dumps(end, default=str)


def test_every_event_answers_too_few_values_and_no_event_data_with_a_sentence(page, caplog):
    for end in run(page, *((each, [], odd) for each in page.fns.values() if each.inputs for odd in (None, "x", 7, []))):
        assert isinstance(end, gr.Error) and re.fullmatch(f"{UNREADABLE}|data: got 0 values.*", end.message)
    assert caplog.text == ""  # it is no fault of the server


# --- unexpected errors ---------------------------------------------------------------------------------------------


def small_page(function):
    """Return a page with two events, one of the page and one for programs, that call a function."""
    with Page() as demo:
        text = gr.Textbox()
        text.change(function, text, gr.HTML(), api_visibility="private")

        def endpoint(value: str) -> str:
            return function(value)

        gr.api(endpoint)
    return demo


def test_an_unexpected_error_is_a_sentence_for_visitors_and_is_logged_for_the_host(caplog):
    def fail(value):
        raise RuntimeError(f"a secret of the server, and {value}")

    demo = small_page(fail)
    ends = run(demo, *((event, ["x" * 100_000]) for _ in range(40) for event in demo.fns.values()))
    assert {end.message for end in ends} == {UNEXPECTED}
    first, tenth = caplog.messages  # of one place in the code, the 1st and the 10th
    assert (
        "in fail" in first
        and "RuntimeError: a secret" in first
        and "a secret" not in tenth
        and "for the 10th time" in tenth
    )
    assert first.startswith("An event ended in an unexpected error:") and len(first) < 4_100
    assert all(record.levelno == logging.ERROR for record in caplog.records)


def test_a_short_traceback_is_logged_whole(caplog):
    demo = small_page(lambda value: value.nonsense)
    run(demo, (demo.fns[0], ["a"]))
    assert "Traceback" in caplog.text and "AttributeError: 'str' object has no attribute 'nonsense'" in caplog.text


def test_the_log_is_bounded(caplog):
    for number in range(300):
        error = type(f"Error{number}", (Exception,), {})()
        try:
            raise error
        except Exception as raised:
            event_errors._log(raised)
    assert len(caplog.records) == event_errors._MAX_PLACES


def test_errors_that_a_user_can_cause_are_not_logged(caplog):
    def refuse(value):
        raise OptionError("value: it is <b>wrong</b>.", page="It is <b>wrong</b>.")

    of_the_page, for_programs = run(small_page(refuse), *((event, ["a"]) for event in small_page(refuse).fns.values()))
    assert of_the_page.message == "It is &lt;b&gt;wrong&lt;/b&gt;."
    assert for_programs.message == "value: it is <b>wrong</b>."
    assert caplog.text == ""


@pytest.mark.parametrize("answer", ["half of a \ud83d", 10**30], ids=["lone surrogate", "large number"])
def test_an_answer_that_cannot_be_sent_is_an_error(answer):
    """It would end the stream over which the page gets all answers."""
    demo = small_page(lambda value: answer)
    for end in run(demo, *((event, ["a"]) for event in demo.fns.values())):
        assert isinstance(end, gr.Error) and end.message == UNEXPECTED


def test_halves_of_characters_do_not_reach_the_events_of_the_page():
    demo = small_page(lambda value: value + "!")
    assert run(demo, (demo.fns[0], ["cat\ud83d"])) == [["cat!"]]


def test_a_long_message_is_shortened_in_its_middle():
    def refuse(value):
        raise OptionError(f"value: {value!r} is not allowed; use another.")

    demo = small_page(refuse)
    for end in run(demo, *((event, ["y" * 1_000_000]) for event in demo.fns.values())):
        assert len(end.message) < 1_010 and end.message.endswith("is not allowed; use another.")


# --- requests ------------------------------------------------------------------------------------------------------


def post(page, path, body):
    with closing(http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=30)) as connection:
        connection.request("POST", f"/gradio_api/{path}", body if isinstance(body, bytes) else json.dumps(body), JSON)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def said(page, path, body):
    """Return the error of a call of an endpoint, whether the request is refused or its event ends in it."""
    status, answer = post(page, path, body)
    if status == 200:
        name = path.rpartition("/")[2]
        with closing(http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=30)) as connection:
            connection.request("GET", f"/gradio_api/call/{name}/{answer['event_id']}")
            event, data = re.search("event: (.*)\ndata: (.*)", connection.getresponse().read().decode()).groups()
        assert event == "error"
        answer = json.loads(data)
    return answer["error"]


PARAMETERS = "image, index, dataset, classnames, templates, replace_underscores, top_k, model, none_of_these"
MARK = {"meta": {"_type": "gradio.FileData"}}


WRONG_BODY = "The body is not what this address takes: in JSON, an object with"
DATA = f'{WRONG_BODY} "data", the list of its values, in this order: {PARAMETERS}.'
NO_ENDPOINT = "There is no endpoint /classify; use one of /predict, /evaluate, /search, /word_knowledge, /own_classes."
ORDER = f"/predict takes 9, in this order: {PARAMETERS}."
NAMES = "/word_knowledge takes an object with its parameters: names, model."


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("call/predict", {"data": []}, f"data: got 0 values; {ORDER}"),
        ("call/predict", {"data": [None]}, f"data: got 1 value; {ORDER}"),
        ("call/predict", {"data": [None] * 10}, f"data: got 10 values; {ORDER}"),
        ("call/predict", {"index": 3}, DATA),
        ("call/predict", b'{"index": NaN}', DATA),
        ("call/predict", b"index=3", DATA),
        ("call/v2/predict", [3], f"{WRONG_BODY} its parameters: {PARAMETERS}."),
        ("call/v2/word_knowledge", {}, f"No value provided for required argument: names. {NAMES}"),
        ("call/v2/word_knowledge", {"name": []}, f"Parameter `name` is not a valid key-word argument. {NAMES}"),
        ("call/v2/classify", {"index": 3}, NO_ENDPOINT),
        ("call/classify", {"data": []}, NO_ENDPOINT),
        ("queue/join", {"data": [], "fn_index": 9_999, "session_hash": "a"}, OUTDATED),
        ("run/predict", {"data": [], "fn_index": 9_999, "session_hash": "a"}, OUTDATED),
    ],
)
def test_a_request_that_no_endpoint_takes_is_refused_with_what_it_takes(page, caplog, path, body, sentence):
    assert said(page, path, body) == sentence
    assert caplog.text == ""


@pytest.mark.parametrize(
    "image",
    [
        *("photo.png", "/etc/passwd", "http://127.0.0.1:9/a.png", "data:image/png;base64,AAAA", 3, True, [], ["a"], {}),
        *({"path": "/etc/passwd"}, {"path": "/etc/passwd", **MARK}, {"path": 7, **MARK}, {"path": None, **MARK}, MARK),
        *({"url": "http://127.0.0.1:9/a.png"}, {"path": "http://127.0.0.1:9/a.png", **MARK}),
        *({"path": "a", "url": 3, **MARK}, [{"path": "/etc/passwd", **MARK}]),
    ],
    ids=str,
)
def test_whatever_stands_in_place_of_a_file_is_refused_in_the_same_words(page, image):
    assert said(page, "call/v2/predict", {"image": image}) == NO_UPLOAD
    assert said(page, "call/predict", {"data": [image, None, None, None, None, False, 5, None, False]}) == NO_UPLOAD


def test_a_file_that_the_page_cannot_have_is_refused_in_plain_words(page):
    show = next(each for each in page.fns.values() if each.name == "show_restored")
    values = ["1", "own", "", "toys", 1, {"path": "/etc/passwd", **MARK}, "a {}", "red, blue", False, 0, False, "toy"]
    (end,) = run(page, (show, [*values, None, None, "", "", None]))
    assert end.message == NOT_ARRIVED


WRONG = {
    "index": ["3", [3], {"a": 1}, True, 1e308, -1, 2.5, 10**30],
    "dataset": [3, ["toys"], {"a": 1}, True, False, 0, "nowhere"],
    "classnames": [3, [1, 2], {"a": 1, "b": 2}, True, "", [["a"], ["b"]], [None, "a"], ["cat\ud83d", "dog"], "x", []],
    "templates": [3, [1, 2], {"a {}": 1}, True, "", [["a {}"]], [None], ["{}\ud83d"], "no placeholder", []],
    "replace_underscores": [3, "yes", [], 1, 0],
    "none_of_these": [3, "yes", [], 1, 0],
    "top_k": ["3", None, [3], 2.5, True, -1, float("nan")],
    "model": [3, ["toy"], {"a": 1}, True, False, 0, "toy\ud83d", "a" * 100_000],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_of_any_parameter_is_named_with_what_is_allowed(page, name):
    for value in WRONG[name]:
        sentence = said(page, "call/v2/predict", {"index": 1, name: value})
        assert re.match(rf"{name}: .*(; | allowed|Shorten|type it again)", sentence), value
        assert len(sentence) < 1_010
    if name in ("classnames", "templates", "replace_underscores"):
        for value in WRONG[name][:1]:
            assert said(page, "call/v2/evaluate", {f"baseline_{name}": value}).startswith(f"baseline, {name}: ")
    for value in (3, "cat", None, [1], {"cat": 1}, [["a"]], ["a\ud83d"]):
        assert said(page, "call/v2/word_knowledge", {"names": value}).startswith("names: got ")


def test_the_client_for_python_gets_the_same_sentences(page):
    client = Client(f"http://127.0.0.1:{page.server_port}", verbose=False)
    try:
        for image in ("photo.png", "http://127.0.0.1:9/a.png", {"path": "/etc/passwd"}):
            with pytest.raises(AppError, match="image: this is not an uploaded file"):
                client.predict(image=image, api_name="/predict")
        with pytest.raises(AppError, match="data: got 10 values; /predict takes 9"):
            client.predict(*range(10), api_name="/predict")
    finally:
        client.close()


def test_an_address_that_is_too_long_to_read_is_refused_in_a_sentence(page, caplog):
    with closing(http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=30)) as connection:
        connection.request("GET", "/?classes=" + "a" * 65_600)
        response = connection.getresponse()
        assert response.status == 400 and "too long" in json.loads(response.read())["error"]
    assert caplog.text == ""
