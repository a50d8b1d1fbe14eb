"""Whole-set encoding on ZeroGPU, with a stand-in for the package `spaces`.

Importing it changes torch for the whole process, so everything that happens on ZeroGPU happens in a process of its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import answer_of_the_started_app

from clip_demo.backend import Backend
from clip_demo.features.extract import in_small_batches
from clip_demo.serving import zero_gpu
from clip_demo.ui.page import launch_options

STAND_INS = Path(__file__).resolve().parents[1] / "stand_ins"
REFUSED, KILLED = "No GPU ('Space app has reached its GPU limit.')", "No GPU ('GPU task aborted')"
SCENARIOS = """
import json, os, sys
import clip_demo.ui, gradio as gr  # first, as in app.py
from clip_demo.serving import zero_gpu
out = {"torch before": "torch" in sys.modules}

import spaces
with gr.Blocks() as demo: pass
try: demo.launch(prevent_thread_lock=True)
except RuntimeError as error: out["launch without a function"] = str(error)
out["is ZeroGPU"] = zero_gpu.start()

import numpy as np
from clip_demo.benchmark.random_checkpoints import SMALL_RESNET, SMALL_VIT, random_clip
from clip_demo.datasets.shapes100 import Shapes100
from clip_demo.features.extract import encode_directly
from clip_demo.models.clip_model import ClipModel
from clip_demo.serving.feature_cache import FeatureCache

zero_gpu.IMAGES, N, shapes, seen = 40, 100, Shapes100(), 0
vit, resnet = (ClipModel(random_clip(sizes), name="small", note="", sha256="") for sizes in (SMALL_VIT, SMALL_RESNET))
expected = {each: np.concatenate([*encode_directly(each)(shapes, "test", np.arange(N))]) for each in (vit, resnet)}

def scenario(name, model, quotas=(500,), each_call_forks=False):
    "Encode N images with a new checksum; the n-th of `quotas` holds before the n-th piece."
    global seen
    os.environ["STAND_IN_FORKS"] = "each" if each_call_forks else "once"
    model.sha256, zero_gpu._resume, rows, quotas = name, 0, [], iter(quotas)
    set_quota = lambda: open(os.environ["STAND_IN_QUOTA"], "w").write(str(next(quotas, 500)))
    set_quota()
    for piece in FeatureCache(model).extract(shapes, "test", np.arange(N)):
        rows.append(piece)
        set_quota()
    difference = np.abs(np.concatenate(rows) - expected[model]).max() / np.abs(expected[model]).max()
    calls = [json.loads(line) for line in open(os.environ["STAND_IN_LOG"])]
    out[name] = {"pieces": [len(each) for each in rows], "difference": float(difference), "calls": calls[seen:]}
    seen = len(calls)
    print(name, "is done", file=sys.stderr)

scenario("first model", vit)
scenario("second model", resnet)
scenario("a process for each call", vit, each_call_forks=True)
scenario("quota used up", vit, (500, 1))
scenario("killed", vit, (500, -500))
on_gpu, ClipModel.on_gpu = ClipModel.on_gpu, lambda self: 1 / 0
scenario("failure inside", vit, each_call_forks=True)
ClipModel.on_gpu, zero_gpu.PAUSE = on_gpu, 0
scenario("after a pause", vit, (1, 500), each_call_forks=True)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "quota").write_text("500")
    (folder / "calls").touch()
    return {
        "PYTHONPATH": str(STAND_INS),
        "SPACES_ZERO_GPU": "true",
        "STAND_IN_LOG": str(folder / "calls"),
        "STAND_IN_QUOTA": str(folder / "quota"),
    }


@pytest.fixture(scope="module")
def happened(environment, repository):
    command = [sys.executable, "-W", "ignore", "-c", SCENARIOS]
    done = subprocess.run(command, cwd=repository, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"log": done.stderr}


def sizes(scenario):
    """Return how many images each call had, and whether it also had a model."""
    return [(call["sizes"][1][0], len(call["sizes"]) == 3) for call in scenario["calls"]]


def test_spaces_comes_before_torch_and_gets_a_function_before_the_launch(happened):
    assert happened["torch before"] is False and happened["is ZeroGPU"] is True
    assert happened["launch without a function"] == "No @spaces.GPU function detected during startup"


def numbers_in(content):
    """Return all floating-point numbers of nested content, and the content without them."""
    if isinstance(content, dict):
        found = {name: numbers_in(value) for name, value in content.items()}
        return [n for numbers, _ in found.values() for n in numbers], {name: rest for name, (_, rest) in found.items()}
    if isinstance(content, (list, tuple)):
        found = [numbers_in(value) for value in content]
        return [n for numbers, _ in found for n in numbers], [rest for _, rest in found]
    return ([content], None) if isinstance(content, float) else ([], content)


def test_the_page_starts_there_and_predicts_on_the_cpu(environment, monkeypatch):
    space = {"SYSTEM": "spaces", "SPACE_ID": "someone/space", "GRADIO_SSR_MODE": "true"}
    for name, value in (environment | space).items():
        monkeypatch.setenv(name, value)
    assert launch_options()["ssr_mode"] is False
    calls = Path(environment["STAND_IN_LOG"]).read_text()
    answer = answer_of_the_started_app("--model", "tiny", "--dataset", "shapes100")
    # Each process measures which of two ways to compute is faster, and they differ in the last digits.
    (numbers, rest), expected = (
        numbers_in(each) for each in (answer, Backend.open("tiny", dataset="shapes100").predict(index=12).to_dict())
    )
    assert len(numbers) > 10 and numbers == pytest.approx(expected[0], rel=1e-5)
    assert rest == expected[1]
    assert Path(environment["STAND_IN_LOG"]).read_text() == calls


def test_whole_sets_are_encoded_by_the_gpu_function(happened):
    first, second = happened["first model"], happened["second model"]
    assert first["pieces"] == second["pieces"] == [40, 40, 20]
    assert first["difference"] < 1e-5 and second["difference"] < 1e-5
    assert sizes(first) == [(40, False), (40, False), (20, False)]
    # The process was forked before there was a second model, which is sent to it once.
    assert sizes(second) == [(40, False), (40, True), (40, False), (20, False)]


def test_a_process_that_is_forked_for_a_call_has_the_model(happened):
    each = happened["a process for each call"]
    assert sizes(each) == [(40, False), (40, False), (20, False)] and each["difference"] < 1e-5


def test_calls_are_short(happened):
    # A visitor without an account has two minutes a day, and a call that asks for more than is left is refused.
    assert {call["asked"] for call in happened["first model"]["calls"]} == {zero_gpu.SECONDS}
    assert zero_gpu.SECONDS <= 60 and zero_gpu.IMAGES <= 512


@pytest.mark.parametrize(("name", "reason"), [("quota used up", REFUSED), ("killed", KILLED)])
def test_without_a_gpu_the_cpu_goes_on_and_nothing_is_lost(happened, name, reason):
    scenario = happened[name]
    assert scenario["pieces"] == [40, 32, 8, 20] and scenario["difference"] < 1e-5
    # The last piece is not tried, because a refusal may take a minute. Each scenario's process gets its model once.
    assert len(scenario["calls"]) == 3
    log = happened["log"].partition(f"{name} is done")[0].splitlines()
    assert log[-1] == f"{reason}. The CPU goes on; a GPU is tried again in 5 minutes."


def test_what_fails_inside_a_call_is_done_by_the_cpu(happened):
    scenario = happened["failure inside"]
    assert scenario["pieces"] == [32, 8, 32, 8, 20] and scenario["difference"] < 1e-5 and len(scenario["calls"]) == 1
    assert "No GPU ('ZeroDivisionError')" in happened["log"]


def test_after_a_pause_a_gpu_is_tried_again(happened):
    scenario = happened["after a pause"]
    assert scenario["pieces"] == [32, 8, 40, 20] and scenario["calls"][0]["refused"] is True


@pytest.mark.parametrize("installed", [True, False])
def test_on_other_hardware_nothing_changes(monkeypatch, installed):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    monkeypatch.delitem(sys.modules, "spaces", raising=False)
    if installed:
        monkeypatch.syspath_prepend(STAND_INS)
    assert zero_gpu.start() is False and ("spaces" in sys.modules) is installed
    extract = in_small_batches(None, lambda inputs: None)
    assert zero_gpu.whole_sets(None, extract) is extract


def test_spaces_is_no_requirement(repository):
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-lock.txt"):
        lines = (repository / name).read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith("spaces")]
