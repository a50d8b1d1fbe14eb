"""Time from starting the web app until its page is served, compared with a plain Gradio demo."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ..progress import Progress
from .models import network
from .random_checkpoints import write_archive
from .report import Comparison
from .sections import Settings
from .server import run_server, wait_until_served

# Most demos load the model first and build the page afterwards.
_PLAIN_DEMO = """
import sys
from clip_demo.models.openai_clip import import_clip  # works around recent versions of setuptools
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


def measure(settings: Settings, progress: Progress) -> list[Comparison]:
    """Start the web app and a plain demo alternately, with the same random ViT-B/32."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        archive = str(write_archive(network(), Path(folder) / "ViT-B-32.pt"))
        for done in range(settings.rounds):
            ours.append(_seconds(["app.py", "--model", archive, "--dataset", "shapes100"]))
            theirs.append(_seconds(["-c", _PLAIN_DEMO, archive]))
            progress("starts", done + 1, settings.rounds)
    name = "gradio.Interface after clip.load"
    return [Comparison("python app.py until the page is served", "s", name, tuple(ours), tuple(theirs), "at most 4 s")]


def _seconds(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    with run_server(arguments) as (url, process):
        wait_until_served(url, process)
        return time.perf_counter() - start
