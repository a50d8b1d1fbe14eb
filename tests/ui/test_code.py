"""The shown program: it is run, and prints what the page shows."""

import re
import socket
import subprocess
import sys

import pytest
import torch
from helpers import SmallDataset
from PIL import Image

from clip_demo.backend import Backend
from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip, write_archive
from clip_demo.datasets.catalog import open_datasets
from clip_demo.datasets.openai_templates import CIFAR100_TEMPLATES
from clip_demo.models.load import load_model
from clip_demo.numerics import softmax
from clip_demo.paths import EXAMPLES
from clip_demo.serving.model_pool import ModelPool
from clip_demo.ui.explore.code import code
from clip_demo.zero_shot.prompt_set import PromptSet

DATASETS = open_datasets()
SHAPES, CIFAR = DATASETS["shapes100"], DATASETS["cifar100"]
ODD_NAMES = (
    'a "cat"',
    "it's",
    "both ' and \"",
    "back\\slash \\n",
    "{x}",
    "{{x}}",
    "${y}",
    "{",
    "猫",
    "tab\there",
    "cat\0",
)
ODD_TEMPLATES = ("a 'photo' of a {}", 'a "photo" of $image, \\N {}', "\\N{} ü")


@pytest.fixture(scope="module")
def tiny():
    return Backend.open("tiny", device="cpu")


@pytest.fixture
def run(monkeypatch, capsys, repository):
    """Run a program in the repository's folder without network; return the lines that it prints."""

    def no_network(*_):
        raise OSError("no network in tests")

    def run_program(program):
        capsys.readouterr()
        exec(compile(program, "shown.py", "exec"), {})
        return capsys.readouterr().out.splitlines()

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setitem(sys.modules, "pkg_resources", None)  # the program sets it; restored after the test
    monkeypatch.chdir(repository)
    return run_program


def assert_same(lines, backend, *, logit_scale=None, **asked):
    scores = backend.predict(top_k=1000, **asked).zero_shot
    scale = logit_scale or backend.encoder().logit_scale
    percents = [100 * p for p in softmax([scale * score.cosine for score in scores])]
    assert [line.rpartition(": ")[0] for line in lines] == [f"{score.label:>16s}" for score in scores[:5]]
    # The last digit shown may be rounded the other way.
    assert [float(line.rpartition(": ")[2][:-1]) for line in lines] == pytest.approx(percents[: len(lines)], abs=0.01)


def length(program):
    """Count the lines of code besides the lists."""
    program = re.sub(r"^(classes|templates) = \[.*?\]$\n", "", program, flags=re.M | re.S)
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in program.splitlines())


def test_a_program_runs_by_itself(tiny, repository):
    prompts = PromptSet.for_dataset(SHAPES)
    program = code(model="tiny", dataset=SHAPES, prompts=prompts, index=12)
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], cwd=repository, capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    assert "classes = dataset.classnames\n" in program and length(program) <= 20
    assert_same(ran.stdout.splitlines(), tiny, index=12, dataset="shapes100", prompts=prompts)


def test_an_image_of_the_hosts_own_dataset_is_a_file_to_put_in(tiny, run, tmp_path):
    small = SmallDataset({"test": {"cat": 2, "Vögel": 1}}, image_sizes=[(200, 150)], title="My\nimport os")
    prompts = PromptSet.for_dataset(small)
    program = code(model="tiny", dataset=small, prompts=prompts, index=1)
    assert "# Put the file of test image 1 of My import os here.\n" in program
    small.image(1).save(tmp_path / "test_image_1.jpg", "png")
    program = program.replace("test_image_1.jpg", (tmp_path / "test_image_1.jpg").as_posix())
    assert_same(run(program), tiny, image=small.image(1), prompts=prompts)


@pytest.mark.parametrize("replace_underscores", [False, True])
@pytest.mark.parametrize("templates", [["a photo of a {}"], CIFAR100_TEMPLATES], ids=["one", "ensemble"])
def test_replace_underscores(tiny, run, templates, replace_underscores):
    prompts = PromptSet([name.replace(" ", "_") for name in SHAPES.classnames], templates, replace_underscores)
    program = code(model="tiny", dataset=SHAPES, prompts=prompts, index=7.0)  # a number field may give floats
    assert_same(run(program), tiny, index=7, dataset="shapes100", prompts=prompts)


@pytest.mark.parametrize(("templates", "replace_underscores"), [(["a photo of a {}"], True), (["a {}", "{}"], False)])
def test_none_of_these(tiny, run, templates, replace_underscores):
    prompts = PromptSet([name.replace(" ", "_") for name in SHAPES.classnames], templates, replace_underscores)
    prediction = tiny.predict(index=7, dataset="shapes100", prompts=prompts, none_of_these=True)
    nouns = prediction.none_of_these.nouns
    *lines, last = run(code(model="tiny", dataset=SHAPES, prompts=prompts, index=7, others=nouns))
    shown = [(s.label, s.probability) for s in prediction.zero_shot]
    shown.append(("None of these", prediction.none_of_these.probability))
    for line, (label, probability) in zip([*lines, last], shown, strict=True):
        name, _, value = line.rpartition(": ")
        assert name.strip() == label
        assert float(value[:-1]) == pytest.approx(100 * probability, abs=0.011)


@pytest.mark.parametrize("templates", [*([each] for each in ODD_TEMPLATES), ODD_TEMPLATES])
def test_an_example_photo_with_odd_names_and_templates(tiny, run, templates):
    prompts = PromptSet(ODD_NAMES, templates)
    program = code(model="tiny", dataset=CIFAR, prompts=prompts, image_name="cat.jpg")
    assert_same(run(program), tiny, image=EXAMPLES / "cat.jpg", prompts=prompts)


@pytest.mark.parametrize("names", [None, ["snake", "worm", "plate", "table"]], ids=["its own", "four"])
def test_cifar100(tiny, run, cifar100, names):
    prompts = PromptSet.for_dataset(cifar100, names)
    program = code(model="tiny", dataset=cifar100, prompts=prompts, index=3637)
    assert ("classes = dataset.classes\n" in program) == (names is None)
    lines = run(program.replace('"~/.cache"', repr(str(cifar100.root))))
    assert_same(lines, tiny, index=3637, dataset="cifar100", prompts=prompts)


def test_a_photo_that_a_camera_held_sideways(tiny, run, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    with Image.open(EXAMPLES / "rocket.jpg") as rocket:
        rocket.convert("L").save(tmp_path / "photo.jpg", exif=exif)
    prompts = PromptSet.for_dataset(CIFAR)
    program = code(model="tiny", dataset=CIFAR, prompts=prompts)
    lines = run(program.replace('"your_photo.jpg"', repr(str(tmp_path / "photo.jpg"))))
    assert_same(lines, tiny, image=tmp_path / "photo.jpg", prompts=prompts)


def test_another_logit_scale(tiny, run):
    prompts = PromptSet.for_dataset(SHAPES)
    program = code(model="tiny", dataset=SHAPES, prompts=prompts, index=12, logit_scale=3.25)
    assert_same(run(program), tiny, index=12, dataset="shapes100", prompts=prompts, logit_scale=3.25)


@pytest.mark.parametrize("sizes", [SMALL_VIT, SMALL_RESNET], ids=["ViT", "ResNet"])
def test_a_model_of_openai(run, tmp_path, sizes):
    archive = str(write_archive(random_clip(sizes), tmp_path / "ViT-B-32.pt"))
    prompts = PromptSet.for_dataset(SHAPES)
    program = code(model="ViT-B/32", dataset=SHAPES, prompts=prompts, index=12)
    lines = run(program.replace('clip.load("ViT-B/32",', f"clip.load({archive!r},"))
    backend = Backend(ModelPool.of(load_model(archive, device="cpu")))
    assert_same(lines, backend, index=12, dataset="shapes100", prompts=prompts)


def test_a_checkpoint_in_single_precision(run, tmp_path):
    network = random_clip(SMALL_VIT)
    weights = {name: value + 0.01 * torch.randn_like(value) for name, value in network.state_dict().items()}
    path = tmp_path / "it's {mine}.pt"
    torch.save(weights, path)
    prompts = PromptSet.for_dataset(SHAPES)
    program = code(model=str(path), dataset=SHAPES, prompts=prompts, index=12)
    assert str(tmp_path) not in program
    lines = run(program.replace('"it\'s {mine}.pt"', repr(str(path))))
    backend = Backend(ModelPool.of(load_model(str(path), device="cpu")))
    assert_same(lines, backend, index=12, dataset="shapes100", prompts=prompts)


@pytest.mark.parametrize("options", [{}, {"activation": "gelu", "heads": 2}], ids=["wrapped", "GELU"])
def test_a_checkpoint_that_openai_clip_does_not_open(run, tmp_path, options):
    path = tmp_path / "own.pt"
    torch.save({"epoch": 3, "state_dict": random_clip(SMALL_VIT).state_dict()}, path)
    model, prompts = load_model(str(path), device="cpu", **options), PromptSet.for_dataset(SHAPES)
    program = code(model=str(path), dataset=SHAPES, prompts=prompts, index=12, checkpoint=model.checkpoint)
    assert str(tmp_path) not in program and length(program) <= 23
    lines = run(program.replace('"own.pt"', repr(str(path))))
    assert_same(lines, Backend(ModelPool.of(model)), index=12, dataset="shapes100", prompts=prompts)


@pytest.mark.parametrize("model", ["tiny", "ViT-L/14@336px", "/srv/models/own.pt"])
@pytest.mark.parametrize("index, image_name", [(3, None), (None, None), (None, "/srv/examples/cat.jpg")])
@pytest.mark.parametrize("dataset", [CIFAR, SHAPES], ids=lambda each: each.name)
@pytest.mark.parametrize("templates", [None, CIFAR100_TEMPLATES], ids=["one", "ensemble"])
def test_every_program_is_short_and_names_no_folder_of_the_server(model, index, image_name, dataset, templates):
    prompts = PromptSet.for_dataset(dataset, templates=templates, replace_underscores=True)
    program = code(model=model, dataset=dataset, prompts=prompts, index=index, image_name=image_name)
    compile(program, "shown.py", "exec")
    assert length(program) <= 23 and max(map(len, program.splitlines())) <= 100
    assert "/srv" not in program and str(EXAMPLES.parent) not in program
    assert ("clip_demo" in program) == (index is not None and dataset is SHAPES)
