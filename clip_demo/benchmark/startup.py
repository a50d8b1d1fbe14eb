"""Time from typing the command to an answer of the server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .models import network
from .random_checkpoints import write_archive
from .report import Comparison, Progress
from .server import run_server, until_answered

__all__ = ["measure_start"]

# What one finds in most demos: everything is loaded first.
_SCRIPT = """
import sys
from clip_demo.model import import_clip  # openai-clip does not import beside new versions of setuptools without it
clip = import_clip()
import torch, gradio
model, preprocess = clip.load(sys.argv[1], device="cpu")
names = ["cat", "dog"]
def predict(image):
    with torch.no_grad():
        logits, _ = model(preprocess(image)[None], clip.tokenize([f"a photo of a {name}" for name in names]))
    return dict(zip(names, logits.softmax(dim=-1)[0].tolist()))
gradio.Interface(predict, gradio.Image(type="pil"), gradio.Label()).launch(quiet=True)
"""


def measure_start(rounds: int, progress: Progress) -> list[Comparison]:
    """Start the app and a plain demo with the same ViT-B/32; see `clip_demo.bench.text.measure_text`."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        archive = str(write_archive(network(), Path(folder) / "ViT-B-32.pt"))
        for done in range(rounds):
            ours.append(_seconds(["app.py", "--model", archive, "--dataset", "shapes100"]))
            theirs.append(_seconds(["-c", _SCRIPT, archive]))
            progress("starts", done + 1, rounds)
    name = "gradio.Interface after clip.load"
    return [Comparison("python app.py until the page comes", "s", name, tuple(ours), tuple(theirs), "at most 4 s")]


def _seconds(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    with run_server(arguments) as (url, process):
        until_answered(url, process)
        return time.perf_counter() - start
