"""The command line as typed."""

import csv
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.cli.commands import Bars, _difference_as_text
from clip_demo.evaluation.significance import Difference
from clip_demo.zero_shot.prompt_set import PromptSet

VERBS = ("zero-shot", "predict", "evaluate", "store-features", "fit-probe", "download", "reproduce", "bench")


@pytest.fixture
def run(capsys):
    def run(*arguments):
        status = main(arguments)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.fixture(scope="module")
def shapes():
    return Backend.open("tiny", dataset="shapes100")


def test_zero_shot_prints_the_articles_block(run, shapes):
    status, out, _ = run("zero-shot", "--index", "12", "--dataset", "shapes100")
    scores = shapes.predict(index=12).zero_shot
    # The lines of openai/CLIP's README: a label right-aligned in 16 columns, per cent with two decimals.
    lines = [f"{score.label:>16s}: {100 * score.probability:.2f}%" for score in scores]
    assert (status, out) == (0, "\nTop predictions:\n\n" + "\n".join(lines) + "\n")


def test_zero_shot_on_the_articles_image(run, cifar100):
    status, out, _ = run("zero-shot", "--index", "3637", "--dataset", "cifar100", "--data-root", str(cifar100.root))
    assert status == 0 and out.startswith("\nTop predictions:\n\n") and len(out.splitlines()) == 8


def test_predict_prints_json(run, shapes):
    status, out, _ = run("predict", "--index", "12", "--dataset", "shapes100", "--json", "--top-k", "3")
    assert status == 0 and json.loads(out) == shapes.predict(index=12, top_k=3).to_dict()


def test_predict_prints_both_for_people(run, shapes):
    _, out, _ = run("predict", "--index", "12", "--dataset", "shapes100")
    prediction = shapes.predict(index=12)
    assert f"true label: {prediction.truth}" in out
    assert f"{100 * prediction.zero_shot[0].probability:.2f}%  cosine {prediction.zero_shot[0].cosine:.4f}" in out
    assert "Linear probe (tiny on shapes100, 50,000 images, C=0.316, " in out


def test_predict_takes_a_file_templates_and_a_class_list(run, shapes, tmp_path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    (tmp_path / "classes.txt").write_text("red_circle\nblue_circle\n")
    status, out, _ = run(
        "predict", "--image", str(tmp_path / "red.png"), "--dataset", "shapes100", "--json", "--replace-underscores",
        "--classes", str(tmp_path / "classes.txt"), "--template", "a {}", "the {c}", "--template", "{}",
    )  # fmt: skip
    got = json.loads(out)
    expected = shapes.predict(
        image=tmp_path / "red.png",
        classnames=["red_circle", "blue_circle"],
        templates=["a {}", "the {}", "{}"],
        replace_underscores=True,
    )
    assert status == 0 and got == expected.to_dict() and (got["index"], got["truth"]) == (None, None)


def test_a_missing_head_is_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr("clip_demo.backend.HEADS", tmp_path)
    monkeypatch.setenv("CLIP_DEMO_CACHE", str(tmp_path))
    _, out, _ = run("predict", "--index", "0", "--dataset", "shapes100")
    assert "Linear probe: no head for tiny on shapes100; make one with fit-probe." in out
    _, out, _ = run("predict", "--index", "0", "--dataset", "shapes100", "--json")
    assert json.loads(out)["linear_probe"] is None


def test_evaluate_prints_the_difference_to_a_baseline_in_words(run, shapes):
    status, out, _ = run(
        "evaluate", "--dataset", "shapes100", "--template", "a {}", "the {}", "--baseline-template", "{} one two three",
    )  # fmt: skip
    baseline = PromptSet(shapes.datasets["shapes100"].classnames, ("{} one two three",))
    got = shapes.evaluate(templates=["a {}", "the {}"], baseline=baseline)
    difference = got.difference
    lines = out.splitlines()
    assert status == 0 and difference.gained != difference.lost
    assert lines[:4] == [
        f"top-1 = {100 * got.top1:.2f}",
        f"top-5 = {100 * got.top5:.2f}",
        "n = 10000",
        f"linear probe = {100 * got.probe_top1:.2f}",
    ]
    assert lines[5] == (
        f"against the baseline: {100 * difference.top1:+.2f} points of top-1 "
        f"(95 % interval {100 * difference.low:+.2f} to {100 * difference.high:+.2f})"
    )
    assert lines[6] == f"{difference.gained} images became right, {difference.lost} became wrong"
    assert lines[7].startswith("p = ") and " (McNemar's exact test): chance alone " in lines[7]


def test_evaluate_prints_json_and_what_a_baseline_is_not_told_stays(run, shapes, tmp_path):
    names = [name.replace(" ", "_") for name in shapes.datasets["shapes100"].classnames]
    (tmp_path / "names.txt").write_text("\n".join(names))
    arguments = [
        "evaluate",
        "--dataset",
        "shapes100",
        "--classes",
        str(tmp_path / "names.txt"),
        "--replace-underscores",
        "--json",
    ]
    status, out, _ = run(*arguments, "--no-baseline-replace-underscores")
    baseline = PromptSet(tuple(names), ("a photo of a {}",), False)
    got = shapes.evaluate(classnames=names, replace_underscores=True, baseline=baseline)
    assert status == 0 and json.loads(out) == got.to_dict() and got.n == 10_000
    assert json.loads(run(*arguments)[1])["difference"] is None


def test_evaluate_prints_a_table_of_classes(run, shapes):
    status, out, _ = run("evaluate", "--dataset", "shapes100", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and len(rows) == 100
    assert [float(row["zero_shot"]) for row in rows] == list(shapes.evaluate().per_class)


def test_evaluate_says_that_a_baseline_is_wrong(run):
    status, out, err = run("evaluate", "--dataset", "shapes100", "--baseline-template", "a photo")
    assert (status, out) == (2, "") and err.startswith("clip_demo: baseline, templates: 'a photo' has no {}")


@pytest.mark.parametrize(
    ("p_value", "said"),
    [
        (0.00001, "p = less than 0.0001 (McNemar's exact test): chance alone hardly explains this"),
        (0.0312, "p = 0.0312 (McNemar's exact test): chance alone hardly explains this"),
        (0.2, "p = 0.2000 (McNemar's exact test): chance alone may explain this"),
    ],
)
def test_a_difference_says_whether_chance_explains_it(p_value, said):
    assert _difference_as_text(Difference(-0.0104, -0.02, 0.001, p_value, 2, 3)) == [
        "against the baseline: -1.04 points of top-1 (95 % interval -2.00 to +0.10)",
        "2 images became right, 3 became wrong",
        said,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--index", "10000"], "index: 10000 is not in the test split of Shapes-100; "
         "use a whole number from 0 to 9999."),
        (["--index", "0", "--classes", "nowhere"], "classes: 'nowhere' is neither a file nor a list of two or more "
         "names; give a file with one name a line, or names with commas such as 'cat,dog'."),
        (["--index", "0", "--classes", "cat,cat"], "classnames: 'cat' occurs twice; take one of them out."),
        (["--index", "0", "--template", "a photo"], "templates: 'a photo' has no {}; write {} exactly once, where the "
         "class name goes, as in 'a photo of a {}'."),
        (["--index", "0", "--top-k", "0"], "top_k: 0 is not allowed; use a whole number of 1 or more."),
        (["--index", "0", "--model", "nope"], "model: 'nope' is neither a known model nor a file; use one of 'tiny', "),
        (["--index", "0", "--data-root", "/nowhere"], "data_root: '/nowhere' is not a folder; make it, or give the one "
         "with cifar-100-python."),
        (["--image", "nowhere.png"], "image: 'nowhere.png' does not exist; give the path of an image."),
        (["--index", "0", "--template", "word " * 80 + "{}"], "has 84 tokens, start and end included; at most 77 "
         "are allowed"),
    ],
)  # fmt: skip
def test_what_a_user_can_mend_is_one_line_and_exit_status_2(run, arguments, message):
    status, out, err = run("predict", "--dataset", "shapes100", *arguments)
    assert (status, out) == (2, "") and err.startswith("clip_demo: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "--C", "1"], "C: 1.0 came together with a sweep, which looks for it; leave one of them out."),
        (
            ["--curve", "--normalized"],
            "curve: it is fitted by the article's recipe; leave out C, sweep and normalized.",
        ),
    ],
)
def test_recipes_that_contradict_each_other_are_refused_before_anything_is_encoded(run, arguments, message):
    assert run("fit-probe", "--dataset", "shapes100", *arguments) == (2, "", f"clip_demo: {message}\n")


def test_fit_probe_prints_the_articles_line_and_the_curve(run, toy_backend, tmp_path, monkeypatch):
    monkeypatch.setattr("clip_demo.verbs._open", lambda options: toy_backend)
    folders = ["--output", str(tmp_path / "heads"), "--curve", str(tmp_path / "curves")]
    status, out, err = run("fit-probe", *folders)
    accuracy = 100 * toy_backend.head().provenance.test_accuracy
    assert (status, out) == (0, f"Accuracy = {accuracy:.3f}\n")
    assert f"toy on toys, 50 images, C=0.316, {accuracy:.2f}% on 20 test images: " in err
    assert "zero-shot: 100.00%" in err and "1 of each class: " in err and "over 3 draws" in err
    assert [path.name for path in (tmp_path / "curves").iterdir()] == ["toy-toys.json"]


@pytest.mark.parametrize(
    ("arguments", "built"), [([], []), (["--build-head"], [{"model": "the better one", "if_missing": True}])]
)
def test_the_app_makes_a_head_where_it_is_asked_to(monkeypatch, arguments, built):
    import app

    asked = []
    backend = SimpleNamespace(build=lambda **options: asked.append(options), preferred_model="the better one")
    monkeypatch.setattr(app.Backend, "open", lambda *args, **options: backend)
    page = SimpleNamespace(launch=lambda **options: None, block_thread=lambda: None)
    monkeypatch.setattr(app, "build_ui", lambda backend: page)
    assert app.main(arguments) == 0 and asked == built


def test_what_an_earlier_start_did_says_nothing_about_the_speed(capsys):
    bars = Bars()
    bars("train features", 20_000, 50_000)
    bars("train features", 20_128, 50_000)
    (bar,) = bars._bars.values()
    assert (bar.initial, bar.n, bar.total) == (20_000, 20_128, 50_000)
    bars.close()


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_what_a_verb_does_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0 and f"example: python -m clip_demo {verb}" in " ".join(out.split())


def test_without_a_verb_it_says_how(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2 and "VERB" in capsys.readouterr().err


def test_it_is_a_program(repository):
    out = subprocess.run(
        [sys.executable, "-m", "clip_demo", "predict", "--index", "-5", "--dataset", "shapes100"],
        cwd=repository, capture_output=True, text=True,
    )  # fmt: skip
    assert (out.returncode, out.stdout) == (2, "") and out.stderr.startswith("clip_demo: index: -5 is not in")
