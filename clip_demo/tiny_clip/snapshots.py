"""Features of a few image-caption pairs during the training: ``python -m clip_demo.tiny_clip.snapshots``.

The file ``assets/tiny-snapshots.npz`` shows how the pairs find each other. It holds, for each of m moments and n pairs,
``images`` and ``texts``, shape (m, n, d), float16, L2-normalised; ``logit_scale`` and ``progress``, shape (m,); and
``captions`` and ``sources``, shape (n,): an index of Shapes-100's test split or the name of an example photo.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..artifacts import write_npz
from ..datasets.shapes100 import Shapes100
from ..models.checkpoint import open_checkpoint
from ..models.openai_clip import import_clip
from ..models.text_encoder import TextEncoder
from ..numerics import normalize
from ..paths import ASSETS, BUILT_IN_CHECKPOINT, EXAMPLES
from .data import resize
from .network import encode_images
from .settings import Settings
from .train import SNAPSHOTS

# Test images of Shapes-100, among them two of unseen classes ("red square", "white crescent"), and the example photos.
_SHAPES = (
    "red circle",
    "red square",
    "orange triangle",
    "yellow star",
    "pink cross",
    "brown heart",
    "green square",
    "cyan crescent",
    "blue arrow",
    "purple oval",
    "white crescent",
)
_PHOTOS = {
    "cat.jpg": "a photo of a cat.",
    "cup-of-coffee.jpg": "a photo of a cup.",
    "flower.jpg": "a photo of a flower.",
    "rocket.jpg": "a photo of a rocket.",
    "woman.jpg": "a photo of a woman.",
}


def pairs() -> list[tuple[str, str, np.ndarray]]:
    """Return source, caption and pixels of each pair; the pixels are square, uint8."""
    shapes = Shapes100()
    found = []
    for name in _SHAPES:
        index = int(np.flatnonzero(shapes.labels() == shapes.classnames.index(name))[0])
        found.append((f"shapes100 {index}", f"a photo of a {name}.", shapes.pixels([index])[0]))
    for file, caption in _PHOTOS.items():
        image = Image.open(EXAMPLES / file).convert("RGB")
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        square = image.crop((left, top, left + side, top + side)).resize((64, 64), Image.Resampling.BICUBIC)
        found.append((file, caption, np.asarray(square)))
    return found


@torch.inference_mode()
def features(path: Path, progress: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a checkpoint's features of the images and of the captions of all pairs, and its logit scale."""
    network, _ = open_checkpoint(path)
    network.eval()
    side = Settings.small_side if progress < Settings.small else network.visual.input_resolution  # as in the training
    everything = pairs()
    images = [encode_images(network.visual, resize(pixels[None], side)) for _, _, pixels in everything]
    texts = TextEncoder(network)(import_clip().tokenize([caption for _, caption, _ in everything]))
    return normalize(torch.cat(images).numpy()), normalize(texts.numpy()), float(network.logit_scale.exp())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m clip_demo.tiny_clip.snapshots", description=__doc__.split(":")[0])
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "clip_demo" / "tiny")
    parser.add_argument("--output", type=Path, default=ASSETS / "tiny-snapshots.npz")
    args = parser.parse_args(arguments)
    paths = [args.cache / f"snapshot-{number}.pt" for number in range(len(SNAPSHOTS) - 1)] + [BUILT_IN_CHECKPOINT]
    images, texts, scales = zip(*map(features, paths, SNAPSHOTS), strict=True)
    write_npz(
        args.output,
        images=np.array(images, np.float16),
        texts=np.array(texts, np.float16),
        logit_scale=np.array(scales, np.float32),
        progress=np.array(SNAPSHOTS, np.float32),
        captions=np.array([caption for _, caption, _ in pairs()]),
        sources=np.array([source for source, _, _ in pairs()]),
    )
    print(f"{args.output}: {args.output.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
