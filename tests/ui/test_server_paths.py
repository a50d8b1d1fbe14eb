"""What visitors learn of the server's folders: nothing but the path of their own upload."""

import json
import shutil
import urllib.request

import pytest
from gradio_client import Client
from helpers import wait_for

from clip_demo.backend import Backend
from clip_demo.models.catalog import title_of
from clip_demo.paths import BUILT_IN_CHECKPOINT
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.page import build_ui, launch_options


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Return a function that serves a checkpoint of the secret folder, which has no CIFAR-100."""
    folder, pages = tmp_path / "secret folder", []
    folder.mkdir()

    def launched(name):
        backend = Backend.open(str(folder / name), dataset="shapes100", data_root=folder)
        pages.append(build_ui(backend))
        _, url, _ = pages[-1].launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
        return url.rstrip("/"), backend

    launched.folder = folder
    yield launched
    for page in pages:
        page.close()


def read(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "application/json"})) as answer:
        return answer.read().decode()


def test_neither_the_page_nor_an_answer_says_where_a_checkpoint_is(launch):
    shutil.copy(BUILT_IN_CHECKPOINT, launch.folder / "mine.pt")
    url, backend = launch("mine.pt")
    wait_for(lambda: backend.model_status("mine.pt").state == "ready", 60)
    config = json.loads(read(f"{url}/config"))
    said = [json.dumps(config), read(url), read(f"{url}/gradio_api/info"), read(f"{url}/gradio_api/openapi.json")]
    opened = [
        each["id"]
        for each in config["dependencies"]
        if any(event == "load" for _, event in each["targets"]) and len(each["inputs"]) == 1
    ]
    for number in opened:
        said.append(read(f"{url}/gradio_api/run/predict", {"fn_index": number, "data": [""]}))
    assert opened and "mine.pt" in said[0] and "mine.pt" in said[-1]
    client = Client(url, verbose=False)
    try:
        answer = client.predict(index=12, model="mine.pt", api_name="/predict")
        said.append(json.dumps(answer))
        for wrong in ({"dataset": "nope"}, {"model": "nope"}):
            with pytest.raises(Exception) as caught:
                client.predict(index=12, **wrong, api_name="/predict")
            said.append(str(caught.value))
    finally:
        client.close()
    assert answer["model"] == "mine.pt" and "use one of 'mine.pt', 'tiny'" in said[-1]
    for text in said:
        assert "secret folder" not in text and str(launch.folder.parent) not in text


def test_the_error_of_a_damaged_checkpoint_does_not_say_where_it_is(launch, capsys):
    (launch.folder / "mine.pt").write_bytes(b"nothing")
    url, _ = launch("mine.pt")
    client = Client(url, verbose=False)
    try:
        with pytest.raises(Exception, match="mine.pt is damaged or does not contain a CLIP model") as caught:
            client.predict(index=12, api_name="/predict")
    finally:
        client.close()
    assert "secret folder" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("tiny", "tiny"), ("ViT-B/32", "ViT-B/32"), ("/a/RN50.pt", "RN50.pt"), ("./RN50", "RN50 (a file)")],
)
def test_a_file_is_not_taken_for_the_model_whose_name_it_has(given, shown):
    assert title_of(given) == shown


def test_a_checkpoint_is_loaded_from_its_path_and_known_by_its_name(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr("clip_demo.models.load.load_model", lambda name, **options: loaded.append(name))
    (tmp_path / "tiny").touch()
    pool = ModelPool.open(str(tmp_path / "tiny"))
    assert pool.names[:2] == ("tiny (a file)", "tiny")
    wait_for(lambda: loaded)
    assert loaded == [str(tmp_path / "tiny")]
