"""What the README promises, done."""

import os
import re
import shutil
import subprocess

import pytest

from clip_demo.backend import Backend
from clip_demo.models.catalog import OPENAI_MODEL_MEGABYTES


@pytest.fixture(scope="module")
def readme(request):
    return (request.config.rootpath / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.fixture(scope="module")
def page():
    from clip_demo.ui.page import build_ui, launch_options

    demo = build_ui(Backend.open("tiny", dataset="shapes100"))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    yield url.rstrip("/")
    demo.close()


def test_the_client_example_runs(readme, page, monkeypatch, repository):
    monkeypatch.chdir(repository)
    code = next(block for block in blocks(readme, "python") if "gradio_client" in block)
    names = {}
    exec(code.replace("http://127.0.0.1:7860", page), names)
    expected = Backend.open("tiny", dataset="shapes100").predict(
        image="assets/examples/cat.jpg", classnames=["cat", "dog", "rabbit"], templates=["a photo of a {}."]
    )
    assert names["answer"] == expected.to_dict()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not on this machine")
def test_the_curl_example_runs(readme, page):
    code = next(block for block in blocks(readme, "bash") if "gradio_api" in block)
    out = subprocess.run(
        ["bash", "-ec", code.replace("http://127.0.0.1:7860", page)], capture_output=True, text=True, check=True
    ).stdout
    truth = Backend.open("tiny", dataset="shapes100").predict(index=12).truth
    assert "event: complete" in out and f'"truth": "{truth}"' in out


def test_the_python_example_runs(readme, capsys):
    code = next(block for block in blocks(readme, "python") if "from clip_demo" in block)
    exec(code, {})
    assert Backend.open("tiny", dataset="shapes100").predict(index=12).truth in capsys.readouterr().out


def test_the_commands_are_those_that_ci_runs(readme, repository):
    test_command = next(block for block in blocks(readme, "bash") if "pytest" in block).strip()
    assert test_command in (repository / ".ci/run").read_text()
    for line in blocks(readme, "bash")[:2]:
        assert all((repository / name).is_file() for name in re.findall(r"[\w-]+\.(?:txt|py)", line))


def test_the_front_matter_fits_the_requirements(readme, repository):
    version = re.search(r"^sdk_version: (.*)$", readme, re.M)[1]
    low, high = re.search(r"^gradio>=([\d.]+),<([\d.]+)$", (repository / "requirements.txt").read_text(), re.M).groups()

    def number(text):
        return tuple(map(int, text.split(".")))

    assert number(low) <= number(version) < number(high)
    assert re.search(r"^app_file: app.py$", readme, re.M)
    assert len(re.search(r"^short_description: (.*)$", readme, re.M)[1]) <= 60  # the Hub's limit


def test_every_link_into_the_repository_leads_somewhere(readme, repository):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", readme):
        assert (repository / target).exists(), target


def test_no_cifar_image_is_committed(repository):
    tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True).stdout.split()
    if not tracked:
        pytest.skip("this is no git checkout")
    assert not [name for name in tracked if "cifar-100" in name or os.path.basename(name) in ("train", "test", "meta")]


def test_sizes_are_what_the_shapes_come_to():
    import torch
    from test_weights import SIZES, clip

    for name, (embed, resolution, layers, width, patch, text, heads, depth) in SIZES.items():
        with torch.device("meta"):
            network = clip.model.CLIP(embed, resolution, layers, width, patch, 77, 49408, text, heads, depth)
        clip.model.convert_weights(network)
        size = sum(each.numel() * each.element_size() for each in network.state_dict().values())
        assert OPENAI_MODEL_MEGABYTES[name] == round(size / 1e6)
