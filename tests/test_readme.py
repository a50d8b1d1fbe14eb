"""What the README promises."""

import re
import shutil
import subprocess
from pathlib import PurePath

import pytest

from clip_demo.backend import Backend
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


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_example_runs(readme, page, backend):
    code = example(readme, "bash", "gradio_api").replace("http://127.0.0.1:7860", page)
    out = subprocess.run(["bash", "-ec", code], capture_output=True, text=True, check=True).stdout
    assert "event: complete" in out and f'"truth": "{backend.predict(index=12).truth}"' in out


def test_the_python_example_runs(readme, backend, capsys):
    exec(example(readme, "python", "from clip_demo"), {})
    assert capsys.readouterr().out.startswith(backend.predict(index=12).truth)


def test_ci_runs_the_test_command(readme, repository):
    assert example(readme, "bash", "pytest").strip() in (repository / ".ci/run").read_text()
    for block in code_blocks(readme, "bash")[:2]:
        assert all((repository / name).is_file() for name in re.findall(r"[\w-]+\.(?:txt|py)", block))


def test_the_front_matter_fits_the_requirements(readme, repository):
    version = re.search(r"^sdk_version: (.*)$", readme, re.M)[1]
    low, high = re.search(r"^gradio>=([\d.]+),<([\d.]+)$", (repository / "requirements.txt").read_text(), re.M).groups()

    def number(text):
        return tuple(map(int, text.split(".")))

    assert number(low) <= number(version) < number(high)
    assert re.search(r"^app_file: app.py$", readme, re.M)
    assert len(re.search(r"^short_description: (.*)$", readme, re.M)[1]) <= 60  # the Hub's limit


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "assets/README.md"])
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
