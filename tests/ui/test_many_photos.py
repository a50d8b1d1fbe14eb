"""Many photos at once without a browser, on the toy encoder: photos are their mean colours."""

import csv
import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from clip_demo.errors import ClassnamesError, ImageError
from clip_demo.serving.encoder_queue import JOB
from clip_demo.ui.explore.many_photos import AT_ONCE, MOST, answer
from clip_demo.ui.permalink import start
from clip_demo.ui.uploads import MAX_UPLOAD_BYTES
from clip_demo.zero_shot.prompt_set import PromptSet

CLASSES = ("red", "blue", "=green")


@pytest.fixture
def view(toy_backend):
    return replace(start(toy_backend), classes=", ".join(CLASSES), templates="a photo of a {}")


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """Return a function that puts a photo into Gradio's upload folder, as the browser does for one event."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    made = []

    def put(name, colour, prefix="once-"):
        path = tmp_path / "uploads" / f"{len(made):04x}" / f"{prefix}{len(made)}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no image") if colour is None else Image.new("RGB", (40, 30), colour).save(path)
        made.append(path)
        return {"name": name, "path": str(path)}

    put.made = made
    return put


def rows(parts):
    return list(csv.DictReader(io.StringIO(parts["csvHead"] + parts["csv"])))


def test_the_rows_are_those_of_single_predictions_and_the_uploads_are_gone(toy_backend, view, upload):
    colours = {"a.png": "tomato", "=b.png": "navy", "c <b>.png": "green"}
    photos = [upload(name, colour) for name, colour in colours.items()]
    expected = [toy_backend.predict(image=each["path"], prompts=PromptSet(CLASSES), top_k=1) for each in photos]
    parts = json.loads(answer(toy_backend, view, photos))
    assert [row["file"] for row in rows(parts)] == ["a.png", "'=b.png", "c <b>.png"]
    assert [row["label_1"] for row in rows(parts)] == ["red", "blue", "'=green"]
    for row, prediction in zip(rows(parts), expected, strict=True):
        best = prediction.zero_shot[0]
        assert (float(row["probability_1"]), float(row["cosine_1"])) == (best.probability, best.cosine)
    assert "<bdi>c &lt;b&gt;.png</bdi>" in parts["rows"] and parts["rows"].count("<tr>") == 3
    assert parts["rows"].count("data:image/webp;base64,") == 3 and parts["damaged"] == 0
    assert list(rows(parts)[0])[-2:] == ["cosine_1", "error"]  # without a head there are no columns of the probe
    assert not any(path.exists() for path in upload.made)


def test_the_sharpness_and_none_of_these_are_those_of_the_bars(toy_backend, view, upload):
    prompts, sharper = PromptSet(CLASSES), replace(view, sharpness=1)
    photo = Image.new("RGB", (40, 30), "tomato")
    single = toy_backend.predict(image=photo, prompts=prompts, logit_scale=20.0).zero_shot[0]
    parts = json.loads(answer(toy_backend, sharper, [upload("a.png", "tomato")]))
    assert float(rows(parts)[0]["probability_1"]) == single.probability
    none = toy_backend.predict(image=photo, prompts=prompts, none_of_these=True).none_of_these
    other = json.loads(answer(toy_backend, replace(view, none_of_these=True), [upload("a.png", "tomato")]))
    assert none.wins and rows(other)[0]["label_1"] == "None of these" and rows(other)[0]["cosine_1"] == ""
    assert float(rows(other)[0]["probability_1"]) == pytest.approx(none.probability)


def test_what_decides_about_a_prediction_makes_another_table(toy_backend, view, upload):
    def asked(view):
        return json.loads(answer(toy_backend, view, [upload("a.png", "red")]))["asked"]

    views = [view, replace(view, classes="red, blue"), replace(view, templates="{}"), replace(view, sharpness=1)]
    assert len({asked(each) for each in views}) == 4 and asked(view) == asked(replace(view, index=3))


def test_a_damaged_photo_and_one_that_did_not_arrive_are_named(toy_backend, view, upload):
    secret = upload("kept.png", "red", prefix="")
    photos = [upload("bad.png", None), upload("good.png", "red"), {"name": "large.png", "path": None}, secret]
    parts = json.loads(answer(toy_backend, view, photos))
    assert [row["label_1"] for row in rows(parts)] == ["", "red", "", "red"] and parts["damaged"] == 2
    assert rows(parts)[0]["error"].startswith("This file is not an image that can be read.")
    assert rows(parts)[2]["error"] == "This photo did not arrive. It may have at most 20 MB."
    assert [path.exists() for path in upload.made] == [True, False, False]  # only what was uploaded for one event


def test_uploads_are_deleted_also_where_the_words_cannot_be_used(toy_backend, view, upload):
    with pytest.raises(ClassnamesError):
        answer(toy_backend, replace(view, classes="red"), [upload("a.png", "red")])
    assert not upload.made[0].exists()


@pytest.mark.parametrize("photos", [None, 3, {}, [], [{}] * (AT_ONCE + 1)])
def test_what_is_no_list_of_a_few_photos_is_refused(toy_backend, view, photos):
    with pytest.raises(ImageError, match="this is not an uploaded file"):
        answer(toy_backend, view, photos)


@pytest.mark.parametrize("photo", [None, "a.png", {}, {"path": 3}, {"path": "/etc/passwd"}, {"name": 3, "path": ""}])
def test_a_client_may_send_anything(toy_backend, view, photo):
    (row,) = rows(json.loads(answer(toy_backend, view, [photo])))
    assert row["file"] == "photo" and "did not arrive" in row["error"]


def test_the_browser_has_the_same_limits(repository):
    script = (repository / "clip_demo/ui/static/many_photos.js").read_text()
    assert f"most: {MOST}, atOnce: {AT_ONCE}, bytes: {MAX_UPLOAD_BYTES:_}" in script


def test_nobody_else_waits_for_the_photos_of_one_visitor(toy_backend, view, upload, monkeypatch):
    """The photos are encoded as background work, one at a time."""
    priorities, queue = [], toy_backend._models.get().features._queue
    run = queue.run
    monkeypatch.setattr(queue, "run", lambda work, priority: priorities.append(priority) or run(work, priority))
    answer(toy_backend, view, [upload(f"{i}.png", "red") for i in range(3)])
    assert priorities == [JOB] * 3
