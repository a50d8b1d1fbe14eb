import csv
import io
import json

import pytest
import torch
from helpers import Server, publish
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_VIT, random_clip, write_archive
from clip_demo.benchmark.report import Fact
from clip_demo.benchmark.sections import SECTIONS, Settings
from clip_demo.cli import bench, commands
from clip_demo.datasets.catalog import NAMES
from clip_demo.datasets.cifar100 import Cifar100
from clip_demo.models import sources
from clip_demo.models.catalog import OPENAI_MODELS
from clip_demo.paths import EXAMPLES
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture(scope="module")
def shapes():
    return Backend.open("tiny", dataset="shapes100")


@pytest.fixture(scope="module")
def shapes_names(shapes):
    return shapes.datasets["shapes100"].classnames


def test_zero_shot_prints_the_format_of_openai_clips_readme(run, shapes):
    status, out, _ = run("zero-shot", "--index", "12", "--dataset", "shapes100")
    lines = [f"{s.label:>16s}: {100 * s.probability:.2f}%" for s in shapes.predict(index=12).zero_shot]
    assert (status, out) == (0, "\nTop predictions:\n\n" + "\n".join(lines) + "\n")


def test_zero_shot_on_cifar100(run, cifar100):
    status, out, _ = run("zero-shot", "--index", "3637", "--dataset", "cifar100", "--data-root", str(cifar100.root))
    assert status == 0 and out.startswith("\nTop predictions:\n\n") and len(out.splitlines()) == 8


def test_predict_prints_json(run, shapes):
    status, out, _ = run("predict", "--index", "12", "--dataset", "shapes100", "--json", "--top-k", "3")
    assert status == 0 and json.loads(out) == shapes.predict(index=12, top_k=3).to_dict()


def test_predict_asks_whether_it_is_none_of_these(run, shapes):
    status, out, _ = run("predict", "--index", "12", "--dataset", "shapes100", "--json", "--none-of-these")
    assert status == 0 and json.loads(out) == shapes.predict(index=12, none_of_these=True).to_dict()


def test_predict_prints_text(run, shapes):
    status, out, _ = run("predict", "--index", "12", "--dataset", "shapes100")
    assert status == 0 and f"shapes100 test image 12 · true label: {shapes.predict(index=12).truth}" in out


def test_predict_takes_a_file_templates_and_a_class_list(run, shapes, tmp_path):
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    (tmp_path / "classes.txt").write_text("red_circle\nblue_circle\n")
    status, out, _ = run(
        "predict", "--image", str(tmp_path / "red.png"), "--dataset", "shapes100", "--json", "--replace-underscores",
        "--classes", str(tmp_path / "classes.txt"), "--template", "a {}", "the {c}", "--template", "{}",
    )  # fmt: skip
    prompts = PromptSet(["red_circle", "blue_circle"], ["a {}", "the {}", "{}"], replace_underscores=True)
    got = json.loads(out)
    assert status == 0 and got == shapes.predict(image=tmp_path / "red.png", prompts=prompts).to_dict()
    assert (got["index"], got["truth"]) == (None, None)


def test_predict_without_a_head(run, toy_backend, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    assert "Linear probe: no head for toy on toys" in run("predict", "--index", "0")[1]
    assert json.loads(run("predict", "--index", "0", "--json")[1])["linear_probe"] is None


def test_evaluate_prints_the_difference_to_a_baseline(run, shapes, shapes_names):
    status, out, _ = run(
        "evaluate", "--dataset", "shapes100", "--template", "a {}", "the {}", "--baseline-template", "{} one two three",
    )  # fmt: skip
    prompts = PromptSet(shapes_names, ["a {}", "the {}"])
    accuracy = shapes.evaluate(prompts, baseline=prompts.varied(templates=["{} one two three"])).accuracy
    assert status == 0 and accuracy.difference.gained != accuracy.difference.lost
    assert out == commands.accuracy_text(accuracy) + "\n"


def test_the_baseline_keeps_what_is_not_given(run, shapes, shapes_names, tmp_path):
    names = [name.replace(" ", "_") for name in shapes_names]
    (tmp_path / "names.txt").write_text("\n".join(names))
    arguments = ["evaluate", "--dataset", "shapes100", "--classes", str(tmp_path / "names.txt")]
    arguments += ["--replace-underscores", "--json"]
    status, out, _ = run(*arguments, "--no-baseline-replace-underscores")
    prompts = PromptSet(names, replace_underscores=True)
    accuracy = shapes.evaluate(prompts, baseline=PromptSet(names)).accuracy
    assert status == 0 and json.loads(out) == accuracy.to_dict() and accuracy.n == 10_000
    assert json.loads(run(*arguments)[1])["difference"] is None


def test_evaluate_prints_a_table_of_classes(run, shapes):
    status, out, _ = run("evaluate", "--dataset", "shapes100", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0 and len(rows) == 100
    assert [float(row["zero_shot"]) for row in rows] == list(shapes.evaluate().accuracy.per_class)


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--template", "a photo"], "templates: 'a photo' "),
        (["--baseline-template", "a photo"], "baseline, templates: 'a photo' "),
        (["--baseline-classes", "cat,cat"], "baseline, classnames: 'cat' "),
        (["--baseline-classes", "cat,dog"], "baseline, classnames: got 2"),
    ],
)
def test_evaluate_says_which_prompt_set_is_wrong(run, arguments, start):
    status, out, err = run("evaluate", "--dataset", "shapes100", *arguments)
    assert (status, out) == (2, "") and err.startswith(f"clip_demo: {start}")


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--index", "10000"], "index: 10000 "),
        (["--index", "0", "--classes", "nowhere"], "classes: 'nowhere' "),
        (["--index", "0", "--classes", "cat,cat"], "classnames: 'cat' "),
        (["--index", "0", "--template", "a photo"], "templates: 'a photo' "),
        (["--index", "0", "--top-k", "0"], "top_k: 0 "),
        (["--index", "0", "--model", "nope"], "model: 'nope' "),
        (["--index", "0", "--data-root", "/nowhere"], "data_root: '/nowhere' "),
        (["--image", "nowhere.png"], "image: 'nowhere.png' "),
        (["--index", "0", "--template", "word " * 80 + "{}"], "prompt: 'word word "),
    ],
)
def test_an_error_of_the_user_is_one_line_and_exit_status_2(run, arguments, start):
    status, out, err = run("predict", "--dataset", "shapes100", *arguments)
    assert (status, out) == (2, "") and err.startswith(f"clip_demo: {start}") and err.count("\n") == 1


def test_prompts_are_checked_before_anything_is_downloaded(run, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda *_: pytest.fail("it opened the backend"))
    assert run("zero-shot", "--index", "0", "--model", "ViT-B/32", "--template", "a photo")[0] == 2
    assert run("evaluate", "--model", "ViT-B/32", "--baseline-template", "a photo")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "start"), [(["--sweep", "--C", "1"], "C: "), (["--curve", "--normalized"], "curve: ")]
)
def test_contradictory_recipes_are_refused_before_anything_is_encoded(
    run, toy_backend, toy_encoder, monkeypatch, arguments, start
):
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    status, out, err = run("fit-probe", *arguments)
    assert (status, out, toy_encoder.encoded_images) == (2, "", 0) and err.startswith(f"clip_demo: {start}")


def test_fit_probe_prints_the_accuracy_and_the_curve(run, toy_backend, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    folders = ["--output", str(tmp_path / "new-heads"), "--curve", str(tmp_path / "new-curves")]
    status, out, err = run("fit-probe", *folders)
    accuracy = 100 * toy_backend.head().provenance.test_accuracy
    assert (status, out) == (0, f"Accuracy = {accuracy:.3f}\n")
    assert f"toy on toys, 50 images, C=0.316, {accuracy:.2f}% on 20 test images: " in err
    assert commands.curve_text(toy_backend.few_shot_curve()) in err
    new = sorted(path.name for path in (tmp_path / "new-heads").iterdir())
    assert new == ["toy-toys.first-image.json", "toy-toys.npz"]
    assert [path.name for path in (tmp_path / "new-curves").iterdir()] == ["toy-toys.json"]


def test_first_image_prints_what_flips_and_stores_it_beside_the_head(run, toy_backend, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    folder = ["--output", str(tmp_path / "new")]
    status, _, err = run("first-image", *folder)
    assert status == 2 and err.startswith("clip_demo: head: there is none for toy on toys, ")
    toy_backend.fit_probe(folder=tmp_path / "heads")
    status, out, _ = run("first-image", *folder)
    first = toy_backend.first_image()
    assert (status, out) == (0, commands.first_image_text(first) + "\n")
    assert out.startswith("test image 2 · true label: blue\n")
    assert json.loads((tmp_path / "new" / "toy-toys.first-image.json").read_text())["index"] == first.index
    monkeypatch.setattr("clip_demo.evaluation.first_image.MIN_PROBABILITY", 1.01)
    assert run("first-image", *folder)[1].startswith("No test image ")


def test_store_features_prints_the_file(run, toy_backend, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "open_backend", lambda *_: toy_backend)
    status, out, _ = run("store-features", "--output", str(tmp_path / "new"))
    assert (status, out) == (0, f"{tmp_path / 'new' / 'toy-toys.npz'}: 0.0 MB\n")


def test_download_creates_the_folder(run, tmp_path, monkeypatch):
    roots = []
    monkeypatch.setattr(Cifar100, "download", lambda self, progress=None, given=None: roots.append(self.root))
    assert run("download", "cifar100", "--data-root", str(tmp_path / "a" / "b")) == (0, "CIFAR-100 is ready.\n", "")
    assert roots == [tmp_path / "a" / "b"] and roots[0].is_dir()


def test_download_to_a_folder_that_cannot_be_created(run, tmp_path):
    (tmp_path / "file").touch()
    status, out, err = run("download", "cifar100", "--data-root", str(tmp_path / "file" / "folder"))
    assert (status, out) == (2, "") and err.startswith("clip_demo: data_root: ")


@pytest.fixture
def stick(tmp_path, monkeypatch):
    """A folder with an archive of a small model that counts as ViT-B/32, under another name; no source answers."""
    archive = write_archive(random_clip(SMALL_VIT), tmp_path / "stick.pt")
    (tmp_path / "stick" / "deep").mkdir(parents=True)
    with Server(archive.read_bytes()) as server:
        publish(server, monkeypatch)
    archive.rename(tmp_path / "stick" / "deep" / "blob")
    (tmp_path / "stick" / "notes.txt").write_text("hello")
    monkeypatch.setattr("clip_demo.download.time.sleep", lambda seconds: None)
    return tmp_path / "stick"


def test_weights_from_a_stick_without_a_network(run, stick, tmp_path):
    root = ["--weights-root", str(tmp_path / "weights")]
    status, out, _ = run("download", "ViT-B/32", "--from", str(stick), *root)
    assert status == 0 and out.startswith("ViT-B/32 is ready: ")
    status, out, _ = run("download", "ViT-B/32", "--where", *root)
    assert f"converted  {tmp_path / 'weights' / 'ViT-B-32.float32.safetensors'}" in out
    status, out, _ = run("predict", "--image", str(EXAMPLES / "cat.jpg"), "--model", "ViT-B/32", *root, "--json")
    assert status == 0 and json.loads(out)["model"] == "ViT-B/32"


@pytest.mark.parametrize(
    ("given", "reason"), [("empty", "contains none of the known files"), ("stick/notes.txt", "is none of the")]
)
def test_a_stick_without_the_weights(run, stick, tmp_path, given, reason):
    (tmp_path / "empty").mkdir()
    status, out, err = run("download", "ViT-B/32", "--from", str(tmp_path / given), "--weights-root", str(tmp_path))
    assert (status, out) == (2, "") and reason in err and sources.ARCHIVES["ViT-B/32"][0] in err


def test_a_stick_that_does_not_exist(run, tmp_path):
    for what in ("ViT-B/32", "cifar100", "shapes100"):
        status, out, err = run("download", what, "--from", str(tmp_path / "nowhere"))
        assert (status, out) == (2, "") and "does not exist" in err


def test_the_built_in_model_needs_no_download(run):
    for arguments in ([], ["--where"]):
        assert run("download", "tiny", *arguments) == (0, "tiny is built in and needs no download.\n", "")


def test_predict_says_what_the_model_does_not_know(run):
    status, out, _ = run("predict", "--image", str(EXAMPLES / "cat.jpg"), "--classes", "cat,koala,xyzzy")
    notes = {line.split(":")[0].strip(): line.partition("  (")[2] for line in out.splitlines() if "cosine" in line}
    assert status == 0 and notes["cat"] == ""
    assert notes["koala"].startswith("never seen with an image; near ") and notes["xyzzy"].startswith("unknown word")


def test_the_message_without_any_source_says_what_to_do(run, stick, tmp_path):
    status, _, err = run("download", "ViT-B/32", "--weights-root", str(tmp_path / "weights"))
    assert status == 2 and "http://127.0.0.1:" in err and "--from FILE" in err and "tiny" in err


def test_where_lists_files_and_addresses_in_order(run, tmp_path):
    (tmp_path / "ViT-B-32.pt").touch()
    folders = ["--weights-root", str(tmp_path), "--data-root", str(tmp_path)]
    status, out, _ = run("download", "--where", *folders)
    lines = out.splitlines()
    assert status == 0 and [each for each in lines if not each.startswith(" ")] == [*OPENAI_MODELS, *NAMES]
    status, out, _ = run("download", "ViT-B/32", "--where", *folders)
    assert out.splitlines()[1] == f"    on disk    {tmp_path / 'ViT-B-32.pt'}"
    addresses = [line.split()[-1] for line in out.splitlines() if " MB  " in line]
    assert (
        "azureedge" in addresses[0] and "blob.core" in addresses[1] and addresses[2].startswith("huggingface.co/timm")
    )


def test_download_of_nothing_names_what_there_is(run):
    status, _, err = run("download")
    assert status == 2 and "ViT-B/32" in err and "--where" in err


@pytest.mark.parametrize(
    ("arguments", "sections", "settings"),
    [
        ([], SECTIONS, Settings()),
        (["text", "--rounds", "5"], ["text"], Settings(rounds=5)),
        (["--users", "5", "--seconds", "2"], ["concurrency"], Settings(users=5, seconds=2)),
    ],
)
def test_bench_runs_the_sections_that_are_asked_for(run, monkeypatch, arguments, sections, settings):
    calls = []

    def measure(section, settings, progress):
        calls.append((section, settings))
        return [Fact(section, 1.0)]

    monkeypatch.setattr(bench, "measure", measure)
    status, out, _ = run("bench", *arguments, "--json")
    assert status == 0 and calls == [(section, settings) for section in sections]
    assert [row["what"] for row in json.loads(out)] == list(sections)


def test_a_checkpoint_that_does_not_say_its_network_is_taken_as_openais(run, tmp_path):
    path = tmp_path / "x.pt"
    torch.save(random_clip(SMALL_VIT).state_dict(), path)
    predict = ("predict", "--index", "12", "--dataset", "shapes100", "--model", str(path))
    status, out, err = run(*predict, "--json")
    assert status == 0 and "x.pt: taken as QuickGELU, heads of 64, " in err
    assert json.loads(out)["assumption"].startswith("taken as QuickGELU, heads of 64, ")
    for arguments in (predict, ("zero-shot", *predict[1:])):
        status, other, err = run(*arguments)
        assert status == 0 and "taken as QuickGELU, heads of 64" in err and "taken" not in other
    status, told, err = run(*predict, "--json", "--activation", "gelu", "--heads", "2")
    assert (status, err) == (0, "") and "assumption" not in json.loads(told)
    assert json.loads(told)["zero_shot"] != json.loads(out)["zero_shot"]


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["--model", "{}", "--heads", "7"], "clip_demo: heads: got 7; "),
        (["--model", "{}", "--heads", "0"], "clip_demo: heads: got 0; "),
        (["--activation", "gelu"], "clip_demo: activation: of 'tiny' they are known; "),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(run, tmp_path, arguments, start):
    path = tmp_path / "x.pt"
    torch.save(random_clip(SMALL_VIT).state_dict(), path)
    given = [each.format(path) for each in arguments]
    status, out, err = run("zero-shot", "--index", "12", "--dataset", "shapes100", *given)
    assert (status, out) == (2, "") and err.startswith(start) and len(err.splitlines()) == 1


def test_check_maps_prints_a_table(run):
    status, _, err = run("check-maps", "--dataset", "shapes100", "--images", "0")
    assert status == 2 and "images: got 0; use a whole number from 2 to 2000" in err
    status, out, _ = run("check-maps", "--dataset", "shapes100", "--images", "2")
    maps = ["map", "cover test", "cover test", "HiResCAM", "HiResCAM"]
    assert status == 0 and [line[:12].strip() for line in out.splitlines()] == maps
