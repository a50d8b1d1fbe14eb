"""What the README promises."""

import re
import shlex
import shutil
import subprocess
from pathlib import PurePath

import pytest
from PIL import Image

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.datasets.example_photos import example_photos
from clip_demo.download import HubFile
from clip_demo.models.catalog import PREFERRED
from clip_demo.models.sources import weights_files
from clip_demo.zero_shot.prompt_set import PromptSet


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def backend():
    return Backend.open("tiny", dataset="shapes100")


@pytest.fixture(scope="module")
def page(backend):
    from clip_demo.ui.page import build_ui, launch_options

    demo = build_ui(backend)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield url.rstrip("/")
    demo.close()


def code_blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def example(text, language, word):
    """Return the code block that contains a word."""
    return next(block for block in code_blocks(text, language) if word in block)


def test_the_client_example_runs(readme, page, backend, monkeypatch, repository):
    monkeypatch.chdir(repository)
    names = {}
    exec(example(readme, "python", "gradio_client").replace("http://127.0.0.1:7860", page), names)
    prompts = PromptSet(["cat", "bird", "car"], ["a photo of a {}."])
    expected = backend.predict(image="assets/examples/cat.jpg", prompts=prompts)
    assert names["answer"] == expected.to_dict()
    exec(example(readme, "python", "/own_classes"), names)
    assert set(names["answer"]["tests"][0]["text_and_photos"]) == {"cat", "flower"}


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example_runs(readme, page, backend):
    code = example(readme, "bash", "gradio_api").replace("http://127.0.0.1:7860", page)
    out = subprocess.run(["bash", "-ec", code], capture_output=True, text=True, check=True).stdout
    assert "event: complete" in out and f'"truth": "{backend.predict(index=12).truth}"' in out


def test_the_python_example_runs(readme, backend, capsys):
    exec(example(readme, "python", "from clip_demo"), {})
    assert capsys.readouterr().out.startswith(backend.predict(index=12).truth)


def test_the_python_example_of_own_classes_runs(readme, monkeypatch, repository, capsys):
    monkeypatch.chdir(repository)
    exec(example(readme, "python", "photo_set"), {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["zero_shot", "text_and_photos", "nearest_mean", "linear_probe"]


def test_ci_runs_the_test_command(readme, repository):
    assert example(readme, "bash", "pytest").strip() in (repository / ".ci/run").read_text()
    for block in code_blocks(readme, "bash")[:2]:
        assert all((repository / name).is_file() for name in re.findall(r"[\w-]+\.(?:txt|py)", block))


def test_powershell_does_the_same_steps(readme):
    shell, powershell = code_blocks(readme, "bash")[:2], code_blocks(readme, "powershell")
    same = {"&&": ";", "python3 ": "py ", ".venv/bin/": ".venv\\Scripts\\"}
    for steps, translated in zip(shell, powershell, strict=True):
        for word, other in same.items():
            steps = steps.replace(f" {word}" if word == "&&" else word, other)
        assert steps == translated


def test_the_recording_is_first_and_small(readme, repository):
    assert not re.search(r"@[A-Z]+@", readme), "a placeholder"
    body = readme.partition("\n# CLIP Explorer\n")[2]
    assert re.match(r"\s*!\[[^]]+\]\(assets/recording.webp\)", body)
    recording = repository / "assets/recording.webp"
    assert recording.stat().st_size < 700_000
    with Image.open(recording) as image:
        assert image.format == "WEBP" and image.n_frames > 10 and image.info["loop"] == 0
        assert 1100 <= image.width <= 1280


def test_the_lesson_gives_the_numbers_that_the_class_sees(readme, backend):
    photo = example_photos()["cat"]
    names = list(photo.classnames)

    def first(classnames, template="a photo of a {}"):
        score = backend.predict(image=photo.path, prompts=PromptSet(classnames, [template])).zero_shot[0]
        return score.label, f"{100 * score.probability:.0f} %"

    lesson = readme.partition("## In a classroom")[2].partition("## Privacy")[0]
    for seen in (names, [*names, "animal"], names[1:], [names[1], names[-1]]):
        assert ", ".join(first(seen)) in lesson
    label, bare = first(names, re.search("the bare word, `(.*?)`", lesson)[1])
    assert label == "cat" and f"rises from {first(names)[1]} to {bare}" in lesson
    for name, helps in (("cat", False), ("rocket", True)):  # the switch "None of these", without the answer
        photo = example_photos()[name]
        prompts = PromptSet([each for each in photo.classnames if each != name])
        assert backend.predict(image=photo.path, prompts=prompts, none_of_these=True).none_of_these.wins == helps


def test_the_comments_of_examples_say_what_is_printed(readme, backend, repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    exec(example(readme, "python", "from clip_demo"), {})
    printed = capsys.readouterr().out
    for comment in re.findall(r"# (.*)", example(readme, "python", "from clip_demo")):
        assert re.search(re.escape(comment).replace(r"\.\.\.", r"\d+"), printed), comment
    for line in re.findall(r"^python -m clip_demo (?:zero-shot|predict --image|evaluate) .*#.*", readme, re.M):
        if "ViT" in line:
            continue
        words, _, comment = line.partition("#")
        assert main([each for each in shlex.split(words)[3:] if each] + ["--dataset", "shapes100"]) == 0
        printed = capsys.readouterr().out
        assert all(number in printed for number in re.findall(r"[+\d]+\.\d+", comment)), (comment, printed)


def test_the_front_matter_fits_the_requirements(readme, repository):
    version = re.search(r"^sdk_version: (.*)$", readme, re.M)[1]
    low, high = re.search(r"^gradio>=([\d.]+),<([\d.]+)$", (repository / "requirements.txt").read_text(), re.M).groups()

    def number(text):
        return tuple(map(int, text.split(".")))

    assert number(low) <= number(version) < number(high)
    assert re.search(r"^app_file: app.py$", readme, re.M)
    assert len(re.search(r"^short_description: (.*)$", readme, re.M)[1]) <= 60  # the Hub's limit


def test_the_front_matter_preloads_the_file_that_the_table_of_sources_names(readme):
    (line,) = re.findall(r"^preload_from_hub:\n((?:  - .*\n)+)", readme.split("\n---\n")[0] + "\n", re.M)
    # The first one, which is the first to be looked for.
    file = next(each for files in weights_files(PREFERRED) for each in files.sources if isinstance(each, HubFile))
    assert line == f"  - {file.repository} {file.path} {file.revision}\n"
    assert f"models:\n  - openai/clip-vit-base-patch32\n  - {file.repository}\n" in readme


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "assets/README.md"])
def test_every_file_that_a_document_mentions_exists(repository, document):
    text = (repository / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    assert all(((repository / document).parent / link).exists() for link in links)
    paths = re.findall(r"\b(?:clip_demo|tests|assets)/[\w/.-]*\w", text)
    assert [path for path in paths if not (repository / path).exists()] == []


def test_no_cifar_image_is_committed(repository):
    tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    assert not [name for name in tracked if "cifar-100" in name or PurePath(name).name in ("train", "test", "meta")]
