"""Predictions for all images of a folder, and how interrupted work goes on."""

import csv
import io
import json
import subprocess
import sys
import time

import pytest
from PIL import Image

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.cli import predict_folder
from clip_demo.cli.prediction_file import PredictionFile
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.features import extract

CLASSES = "red circle,blue square,=green star"
OPTIONS = ("--dataset", "shapes100", "--classes", CLASSES, "--top-k", "2")


@pytest.fixture
def folder(tmp_path):
    """Eight images, nested and with other names than ASCII has, beside a damaged one and a text."""
    folder, shapes = tmp_path / "photos", Shapes100()
    for i, name in enumerate(
        ["b.png", "a.png", "ü/é 1.png", "ü/2\u2028.png", "c/d/e.png", "=x.png", "'z.png", "y\n.png"]
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shapes.pixels([i], size=40 + i)[0]).save(folder / name)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff no image")
    (folder / "notes.txt").write_text("")
    (folder / "labels.csv").write_text("")
    (folder / "link.png").symlink_to("/etc/hostname")
    return folder


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_row_for_each_file_equal_to_single_predictions(run, folder):
    status, text, err = run("predict", str(folder), *OPTIONS)
    names = ["'z.png", "'=x.png", "a.png", "b.png", "c/d/e.png", "damaged.jpg", "y\n.png", "ü/2\u2028.png", "ü/é 1.png"]
    assert status == 0 and [row["file"] for row in rows(text)] == names
    backend = Backend.open("tiny", dataset="shapes100")
    for row in rows(text):
        if row["file"] == "damaged.jpg":
            assert not row["label_1"] and not row["probe_label"]
            assert row["error"] == (
                "damaged.jpg is not an image that can be read; use one of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF."
            )
            continue
        status, single, _ = run("predict", "--image", str(folder / row["file"].replace("'=", "=")), *OPTIONS, "--json")
        single = json.loads(single)
        for k, score in enumerate(single["zero_shot"], 1):
            assert row[f"label_{k}"].removeprefix("'") == score["label"]
            assert float(row[f"probability_{k}"]) == pytest.approx(score["probability"], abs=1e-5)
            assert float(row[f"cosine_{k}"]) == pytest.approx(score["cosine"], abs=1e-5)
        assert row["probe_label"] == single["linear_probe"]["top"][0]["label"] and row["error"] == ""
    assert backend.head() is not None and len(single["zero_shot"]) == 2
    assert "1 image cannot be read:\n    damaged.jpg\n" in err
    assert "Left out: .txt, not read here: 1, such as notes.txt." in err
    assert "Left out: links to folders, or out of this one: 1, such as link.png." in err


def test_json_lines(run, folder):
    status, text, _ = run("predict", str(folder), *OPTIONS, "--format", "jsonl")
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert status == 0 and len(lines) == 9 and [line["error"] is None for line in lines].count(False) == 1
    first = lines[1]
    assert first["file"] == "=x.png" and [each["label"] for each in first["zero_shot"]][0] in CLASSES
    assert len(first["linear_probe"]) == 2 and first["zero_shot"][0]["probability"] > 0.3


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("keep", [0.0, 0.31, 0.7, 1.0])
def test_interrupted_work_goes_on_and_ends_as_without(run, folder, tmp_path, monkeypatch, kind, keep):
    for module in (extract, predict_folder):
        monkeypatch.setattr(module, "BATCH", 2)
    arguments = ("predict", str(folder), *OPTIONS, "--format", kind, "--output")
    assert run(*arguments, str(tmp_path / "whole"))[0] == 0
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "part.options.json").write_bytes((tmp_path / "whole.options.json").read_bytes())
    (tmp_path / "part").write_bytes(whole[: int(keep * len(whole))])  # killed, in the middle of a line
    status, _, err = run(*arguments, str(tmp_path / "part"))
    assert status == 0 and (tmp_path / "part").read_bytes() == whole
    assert "1 image cannot be read:\n    damaged.jpg\n" in err  # also where an earlier run has found it


def test_a_finished_file_stays_and_new_images_are_added(run, folder, tmp_path):
    arguments = ("predict", str(folder), *OPTIONS, "--output", str(tmp_path / "out.csv"))
    assert run(*arguments)[0] == 0
    before = (tmp_path / "out.csv").read_bytes()
    status, _, err = run(*arguments)
    assert status == 0 and (tmp_path / "out.csv").read_bytes() == before
    assert f"9 images, 0 of them by this run: {tmp_path / 'out.csv'}\n" in err
    (folder / "aa.png").write_bytes((folder / "a.png").read_bytes())
    assert run(*arguments)[0] == 0
    after = (tmp_path / "out.csv").read_text("utf-8")
    # The last batch is computed again, since it is not a whole one.
    assert sorted(row["file"] for row in rows(after)) == sorted(
        [*(row["file"] for row in rows(before.decode())), "aa.png"]
    )


def test_wherever_a_csv_is_cut_off_only_whole_batches_are_kept(tmp_path):
    header = "file,label_1,error\r\n"
    batches = [
        'a.png,cat,\r\n"b\n.jpg",,"""b\n.jpg"" is damaged, so\nit is left out."\r\n',
        'c.png,"x, y",\r\n"d\n",,no\r\n',
    ]
    whole, names = (header + "".join(batches)).encode(), ["a.png", "b\n.jpg", "c.png", "d\n"]
    output = PredictionFile(tmp_path / "out.csv", "csv")
    (tmp_path / "out.csv.options.json").write_text('{"top_k": 1}')
    for cut in range(1, len(whole) + 1):
        output.path.write_bytes(whole[:cut])
        left, damaged = output.resume({"top_k": 1}, names, 2)
        kept = output.path.read_bytes().decode()
        n = (4 - len(left)) // 2
        assert kept == (header if cut >= len(header) else "") + "".join(batches[:n]) and left == names[2 * n :]
        assert n == sum(cut >= len((header + "".join(batches[: k + 1])).encode()) for k in range(2))
        assert damaged == ["b\n.jpg", "d\n"][:n]


def test_two_processes_do_not_write_the_same_file(run, folder, tmp_path):
    arguments = ("predict", str(folder), *OPTIONS, "--output", str(tmp_path / "out.csv"))
    with PredictionFile(tmp_path / "out.csv", "csv").locked():
        status, _, err = run(*arguments)
    assert status == 2 and "another process is writing" in err and not (tmp_path / "out.csv").read_bytes()
    assert run(*arguments)[0] == 0 and not (tmp_path / "out.csv.lock").exists()


@pytest.mark.parametrize("kind", ["csv", pytest.param("jsonl", marks=pytest.mark.long)])
def test_a_killed_run_goes_on_and_ends_as_without(run, folder, tmp_path, kind):
    for i in range(500):
        (folder / f"copy {i}.png").write_bytes((folder / ("a.png" if i % 3 else "b.png")).read_bytes())
    output = tmp_path / "killed"
    arguments = ["predict", str(folder), *OPTIONS, "--format", kind, "--output"]
    process = subprocess.Popen([sys.executable, "-m", "clip_demo", *arguments, str(output)], stderr=subprocess.DEVNULL)
    while process.poll() is None and (not output.exists() or output.stat().st_size < 1_000):
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -9  # it was not at its end
    assert run(*arguments, str(tmp_path / "whole"))[0] == 0
    whole = (tmp_path / "whole").read_bytes()
    assert 0 < output.stat().st_size < len(whole)
    assert run(*arguments, str(output))[0] == 0 and output.read_bytes() == whole


def test_a_linear_probe_that_was_fitted_meanwhile_is_no_other_column(run, folder, tmp_path, monkeypatch):
    arguments = ("predict", str(folder), *OPTIONS, "--output", str(tmp_path / "out.csv"))
    monkeypatch.setattr(Backend, "head", lambda self: None)
    assert run(*arguments)[0] == 0 and "probe" not in (tmp_path / "out.csv").read_text("utf-8").split("\n")[0]
    monkeypatch.undo()
    status, _, err = run(*arguments)
    assert status == 2 and "was begun with other options (linear_probe); give another file" in err


def test_json_lines_where_the_terminal_lacks_characters(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace"))
    assert main(["predict", str(folder / "ü"), *OPTIONS, "--format", "jsonl"]) == 0
    sys.stdout.flush()
    lines = [json.loads(line) for line in sys.stdout.buffer.getvalue().decode("ascii").split("\n")[:-1]]
    assert [line["file"] for line in lines] == ["2\u2028.png", "é 1.png"]


def test_what_was_begun_with_other_options_is_not_continued(run, folder, tmp_path):
    output = str(tmp_path / "out.csv")
    assert run("predict", str(folder), *OPTIONS, "--output", output)[0] == 0
    before = (tmp_path / "out.csv").read_bytes()
    for others in (("--template", "a {}"), ("--top-k", "1"), ("--format", "jsonl")):
        status, _, err = run("predict", str(folder), *OPTIONS, *others, "--output", output)
        assert status == 2 and "was begun with other options (" in err and "give another file, or delete this" in err
    (tmp_path / "other.csv").write_text("mine\n")
    status, _, err = run("predict", str(folder), *OPTIONS, "--output", str(tmp_path / "other.csv"))
    assert status == 2 and "was begun by another program" in err and (tmp_path / "other.csv").read_text() == "mine\n"
    assert (tmp_path / "out.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "folder: 'nowhere' is not a folder; give one, or an image with --image."),
        (["."], "folder: there are no images in '.'; give another folder."),
        ([".", "--json"], "--json, --none-of-these: they are for a single image; use --format jsonl, or omit them."),
    ],
)
def test_what_cannot_be_predicted_is_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("predict", *arguments, "--dataset", "shapes100")
    assert (status, out, err) == (2, "", f"clip_demo: {message}\n")
