"""Time and memory of loading ViT-B/32, compared with openai-clip's ``clip.load``."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ..download import checksum_of
from ..models.checkpoint import open_checkpoint, write_converted
from ..progress import Progress
from .models import network
from .random_checkpoints import write_archive
from .report import Comparison
from .sections import Settings

# Each load runs in a process of its own, because a process cannot reset its peak memory. Time and memory count from
# the point where both ways have imported torch and openai-clip. Linux only.
_CHILD = """
import json, sys, time
from pathlib import Path
import numpy as np
import torch
from clip_demo.benchmark.server import memory
from clip_demo.models import sources
from clip_demo.models.load import load_model
from clip_demo.models.openai_clip import import_clip
way, folder, checksum = sys.argv[1:]
clip = import_clip()
sources.ARCHIVES["ViT-B/32"] = (checksum, None)

before, start = memory("self", peak=True), time.perf_counter()
if way == "ours":
    model = load_model("ViT-B/32", device="cpu", weights_root=folder)
    network = model.network
else:
    network, _ = clip.load(str(Path(folder) / "ViT-B-32.pt"), device="cpu")
loaded = time.perf_counter() - start
with torch.inference_mode():
    if way == "ours":
        model.encode_images([np.zeros((224, 224, 3), np.uint8)])
        model.encode_texts(["a"])
    else:
        network.encode_image(torch.zeros(1, 3, 224, 224))
        network.encode_text(clip.tokenize(["a"]))
first = time.perf_counter() - start
own = sum(each.numel() * each.element_size() for each in network.state_dict().values()) / 1e6
print(json.dumps({"loaded": loaded, "first": first, "memory": memory("self", peak=True) - before, "own": own}))
"""


def measure(settings: Settings, progress: Progress) -> list[Comparison]:
    """Load a random ViT-B/32 alternately in both ways; see `compare_loading`."""
    with tempfile.TemporaryDirectory() as folder:
        archive = write_archive(network(), Path(folder) / "ViT-B-32.pt")
        return compare_loading(archive, settings.rounds, progress)


def compare_loading(archive: Path, rounds: int, progress: Progress) -> list[Comparison]:
    """Load a ViT-B/32 from its archive, called ``ViT-B-32.pt``; the converted copy is written beside it.

    Returns
    -------
    list of Comparison
        Seconds to load, seconds to the first features, and peak memory beyond that of the imports.
    """
    checksum = checksum_of(archive)
    write_converted(*open_checkpoint(archive), checksum, archive)
    ours, theirs = [], []
    for done in range(rounds):
        ours.append(_load("ours", archive.parent, checksum))
        theirs.append(_load("theirs", archive.parent, checksum))
        progress("loading", done + 1, rounds)

    def comparison(what: str, key: str, unit: str, target: str = "") -> Comparison:
        values = (tuple(each[key] for each in results) for results in (ours, theirs))
        return Comparison(what, unit, "clip.load", *values, target)

    limit = 1.5 * ours[0]["own"]
    return [
        comparison("load ViT-B/32, file in the disk cache", "loaded", "s", "at most 1.5 s"),
        comparison("load, then encode an image and a prompt", "first", "s"),
        comparison("peak memory of that", "memory", "MB", f"at most {limit:.0f} MB, 1.5 times the weights"),
    ]


def _load(way: str, folder: Path, checksum: str) -> dict[str, float]:
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD, way, str(folder), checksum],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return json.loads(out.stdout)
