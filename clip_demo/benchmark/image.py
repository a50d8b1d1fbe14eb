"""Time from an image's bytes to both predictions."""

from __future__ import annotations

import io
import itertools
import tempfile

import numpy as np
import torch
from PIL import Image

from ..backend import Backend
from ..datasets.cifar100 import Cifar100
from ..datasets.shapes100 import Shapes100
from ..linear_probe.head import RECIPE, Head, Provenance, save_head
from ..models.openai_clip import import_clip
from ..zero_shot.templates import README_TEMPLATE
from .models import network, openai_texts, ours
from .report import Comparison, Fact, Progress, in_turn

__all__ = ["measure_image", "random_head"]

NAMES = Cifar100.classnames
_noise = np.random.default_rng(0)


def measure_image(rounds: int, progress: Progress) -> list[Comparison | Fact]:
    """Ask for both predictions of a photo; see `clip_demo.bench.text.measure_text` for the arguments."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = ours()
        save_head(random_head(encoder.sha256, encoder.name), folder)
        backend = Backend(encoder, datasets={"shapes100": Shapes100()}, head_folders=[folder], feature_folders=[])

        def ask(data: bytes, template: str = README_TEMPLATE) -> None:
            prediction = backend.predict(image=data, classnames=NAMES, templates=[template])
            assert prediction.linear_probe is not None  # else half of the work would be missing

        photo, pixels = _photo(640, 480), torch.zeros(1, 3, 224, 224)
        ask(photo), _script(photo)  # from here on the prompts are remembered and threads are there
        more = 5 * rounds  # these are short
        passes = in_turn(more, lambda: ask(_photo(640, 480)), lambda: _forward(pixels))
        making = in_turn(more, lambda: _photo(640, 480))[0]
        fresh = tuple(spent - np.median(making) for spent in passes[0])
        again = in_turn(more, lambda: ask(photo))[0]
        script = in_turn(rounds, lambda: _script(photo))[0]
        templates = (f"image {n} of a {{}}" for n in itertools.count())
        redrawn = in_turn(rounds, lambda: ask(photo, next(templates)))[0]
        progress("images", 1, 1)
    name = "the article's script on openai-clip"
    share = "at least 0.87x (1.15 passes)"
    return [
        Comparison(
            "photo of 640x480 to both predictions", "s", "one pass of the image encoder", fresh, passes[1], share
        ),
        Comparison("the same photo again", "s", name, again[:rounds], script, "at most 0.005 s"),
        Comparison("a new photo, prompts remembered", "s", name, fresh[:rounds], script),
        Comparison("a new template for 100 classes", "s", name, redrawn, script, "at most 0.6 s"),
    ]


def random_head(sha256: str, model: str, dataset: str = "shapes100", width: int = 512) -> Head:
    """Return a head of random numbers: it costs what a fitted one costs."""
    provenance = Provenance(
        model=model, model_sha256=sha256, dataset=dataset, n_train=0, n_test=0, n_iter=0, normalized=False,
        test_accuracy=0.0, versions={}, date="", **RECIPE,
    )  # fmt: skip
    rows = _noise.normal(size=(100, width)).astype(np.float32)
    return Head(rows, np.zeros(100, np.float32), Shapes100.classnames, provenance)


def _photo(width: int, height: int) -> bytes:
    """Return a JPEG that was never there before."""
    coarse = _noise.integers(0, 255, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@torch.inference_mode()
def _forward(pixels: torch.Tensor) -> None:
    network().encode_image(pixels)


@torch.inference_mode()
def _script(photo: bytes) -> None:
    """Do what openai/CLIP's README does for one image."""
    preprocess = import_clip().clip._transform(224)
    image = network().encode_image(preprocess(Image.open(io.BytesIO(photo)))[None])
    text = openai_texts([README_TEMPLATE.format(name) for name in NAMES])
    image, text = (each / each.norm(dim=-1, keepdim=True) for each in (image, text))
    (100.0 * image @ text.T).softmax(dim=-1)[0].topk(5)
