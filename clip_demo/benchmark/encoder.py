"""Time of encoding images, compared with other packages and with what the processor can do."""

import copy
import time

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from ..models import packing
from ..models.clip_model import ClipModel
from ..models.resnet import ResNet
from ..models.vision_transformer import VisionTransformer
from ..progress import Progress
from .models import network
from .random_checkpoints import RN50, random_clip
from .report import PAUSE, Comparison, Fact, interleaved
from .runtimes import image_encoders
from .sections import Settings
from .server import memory

TOGETHER = (1, 16, 32)  # images
PRODUCT = (800, 768, 3072)  # 16 images of ViT-B/32 in the largest product


def measure(settings: Settings, progress: Progress) -> list[Comparison | Fact]:
    """Encode images with random ViT-B/32 and RN50, one and several together, in all packages that are installed."""
    usual, packed = packing.seconds_of_both(5 * settings.rounds)
    rows: list[Comparison | Fact] = [
        Comparison("the largest product of one image, packed", "s", "the usual way", tuple(packed), tuple(usual)),
        Fact("products with packed weights are used (1: yes)", float(packing.is_faster())),
    ]
    library, limit = _best_product(settings.rounds)
    rows.append(Fact(f"the limit: the product of {' x '.join(map(str, PRODUCT))} in {library}", limit, "GFLOP/s"))
    for done, (name, theirs) in enumerate((("ViT-B/32", network()), ("RN50", random_clip(RN50))), 1):
        before, start = memory("self"), time.perf_counter()
        encoder = ClipModel(theirs, name=name, note="", sha256="0" * 64)
        rows += [
            Fact(f"{name}: packing the weights", time.perf_counter() - start, "s"),
            Fact(f"{name}: the packed weights", memory("self") - before, "MB"),
            *_compare(name, encoder, theirs, limit, settings.rounds),
        ]
        progress("models", done, 2)
    return rows


def _compare(
    name: str, encoder: ClipModel, theirs: torch.nn.Module, limit: float, rounds: int
) -> list[Comparison | Fact]:
    rows: list[Comparison | Fact] = []
    side, others = encoder.anatomy.resolution, image_encoders(theirs)
    inputs = list(np.random.default_rng(0).integers(0, 256, (max(TOGETHER), side, side, 3), dtype=np.uint8))
    pixels = torch.stack([encoder.transform(Image.fromarray(each)) for each in inputs])
    work, vit = _operations(theirs), encoder.anatomy.kind == "ViT"
    for n in TOGETHER:
        functions = [
            lambda n=n: encoder.encode_images(inputs[:n]),
            *(lambda n=n, encode=encode: encode(pixels[:n]) for encode in others.values()),
        ]
        interleaved(1, *functions)  # the first call starts the threads
        seconds = interleaved(rounds if n > 1 else 5 * rounds, *functions, pause=PAUSE)
        for package, values in zip(others, seconds[1:], strict=True):
            what = f"{name}: {n} image{'s' if n > 1 else ''}"
            rows.append(Comparison(what, "s", package, seconds[0], values, f"at least {1.11 if vit else 1}x"))
        share = n * work / np.median(seconds[0]) / limit / 1e9
        rows.append(Fact(f"{name}: {n} together, share of the limit", share, target="at least 0.85" if vit else ""))
    expected = others["openai-clip"](pixels).numpy()
    difference = abs(encoder.encode_images(inputs) - expected).max() / abs(expected).max()
    target = "at most 1e-05"
    return [*rows, Fact(f"{name}: largest difference from encode_image, relative", float(difference), target=target)]


def _operations(network: torch.nn.Module) -> int:
    """Return the floating-point operations that one image needs in products, convolutions and attention."""
    visual = copy.deepcopy(network.visual).to("meta")  # computes nothing, and has nothing to pack
    encode = (ResNet if hasattr(visual, "attnpool") else VisionTransformer)(visual)
    with FlopCounterMode(display=False) as counter:
        encode(torch.empty(1, 3, visual.input_resolution, visual.input_resolution, device="meta"))
    return counter.get_total_flops()


def _best_product(rounds: int) -> tuple[str, float]:
    """Return the library with the fastest matrix product here, and its GFLOP/s."""
    rows, width, out = PRODUCT
    x, weight = torch.rand(rows, width), torch.rand(out, width)
    arrays = x.numpy(), weight.numpy().T
    libraries = {"torch": lambda: x @ weight.T, "numpy": lambda: arrays[0] @ arrays[1]}
    if packing.is_available():
        packed = packing.PackedLinear(weight, None)
        libraries["oneDNN"] = lambda: packed(x)
    seconds = [min(interleaved(10 * rounds, each)[0]) for each in libraries.values()]
    best = int(np.argmin(seconds))
    return list(libraries)[best], 2 * rows * width * out / seconds[best] / 1e9
