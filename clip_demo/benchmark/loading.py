"""Time and memory of loading a full-size ViT-B/32, beside openai-clip's ``clip.load``."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ..models.checkpoint import open_checkpoint, write_converted
from .random_checkpoints import VIT_B_32, random_clip, write_archive
from .report import Comparison, Progress

__all__ = ["measure_loading"]

# Each load runs in a process of its own: a peak of memory cannot be taken back. Time and memory are counted from
# where torch is imported, which both ways need. Linux only.
_CHILD = """
import json, sys, time
from pathlib import Path
import torch
from clip_demo.model import import_clip, load_model
way, folder, checksum = sys.argv[1:]
clip = import_clip()
clip.clip._MODELS["ViT-B/32"] = f"http://localhost/{checksum}/ViT-B-32.pt"

def peak():  # MB; not getrusage, whose peak begins with that of the parent process
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3

before, start = peak(), time.perf_counter()
if way == "ours":
    model = load_model("ViT-B/32", device="cpu", weights_root=folder).model
else:
    model, _ = clip.load(str(Path(folder) / "ViT-B-32.pt"), device="cpu")
loaded = time.perf_counter() - start
with torch.inference_mode():
    model.encode_image(torch.zeros(1, 3, 224, 224))
    model.encode_text(clip.tokenize(["a"]))
own = sum(each.numel() * each.element_size() for each in model.state_dict().values()) / 1e6
print(json.dumps({"seconds": loaded, "first": time.perf_counter() - start, "memory": peak() - before, "own": own}))
"""


def measure_loading(rounds: int, progress: Progress) -> list[Comparison]:
    """Load the same random ViT-B/32 both ways in turn; see `clip_demo.bench.text.measure_text` for the arguments.

    Returns
    -------
    list of Comparison
        Seconds to load, seconds to the first answer, and peak memory beyond what importing torch takes.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = write_archive(random_clip(VIT_B_32), Path(folder) / "ViT-B-32.pt")
        checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
        model, _ = open_checkpoint(archive)
        write_converted(model, checksum, archive)
        del model
        ours, theirs = [], []
        for done in range(rounds):
            ours.append(_load("ours", folder, checksum))
            theirs.append(_load("theirs", folder, checksum))
            progress("loading", done + 1, rounds)
    own = ours[0]["own"]

    def comparison(what: str, key: str, unit: str, target: str = "") -> Comparison:
        return Comparison(
            what, unit, "clip.load", tuple(each[key] for each in ours), tuple(each[key] for each in theirs), target
        )

    return [
        comparison("load ViT-B/32, warm disk", "seconds", "s", "at most 1.5 s"),
        comparison("load and first image and prompt", "first", "s"),
        comparison("peak memory of that", "memory", "MB", f"at most {1.5 * own:.0f} MB, 1.5 times the model's own"),
    ]


def _load(way: str, folder: str, checksum: str) -> dict[str, float]:
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD, way, folder, checksum],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return json.loads(out.stdout)
